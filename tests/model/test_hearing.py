"""Hearing step by step says what one pass over everything says."""

import numpy as np
import pytest
import torch

from model.attention import Packed
from model.config import Arch
from model.documents import text_document
from model.hearing import hear
from tests.model.test_generate import CPU, TOKENIZER, decisive
from tests.model.test_network import EVERY_ARCH

RNG = np.random.default_rng(5)
SPEECH = [RNG.integers(0, 64, (8, frames)).astype(np.uint16) for frames in (20, 3, 41)]


@pytest.mark.parametrize("language", [None, "de"])
@EVERY_ARCH
def test_it_is_what_the_uncached_network_says(arch: Arch, language: str | None) -> None:
    net = decisive(arch=arch)
    together = hear(net, TOKENIZER, SPEECH, max_tokens=12, language=language)
    for codes_KT, heard in zip(SPEECH, together, strict=True):
        assert hear(net, TOKENIZER, [codes_KT], max_tokens=12, language=language) == [heard]
        ids = [] if language is None else [TOKENIZER.language(language)]
        while len(ids) < 13:
            item = text_document(TOKENIZER, codes_KT, ids, ended=True)
            tensors = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
            with torch.inference_mode():
                logits_V = net.logits(net.hidden(*tensors, Packed([len(item)], 1, CPU))[-1], 8)
            logits_V = logits_V.clone()
            if not ids:
                logits_V[[n for n in range(len(TOKENIZER)) if n not in TOKENIZER.languages]] = -torch.inf
            ids.append(int(logits_V.argmax()))
            if ids[-1] == TOKENIZER.end:
                break
        assert heard.language == TOKENIZER.languages[ids[0]]
        assert heard.ended == (ids[-1] == TOKENIZER.end)
        assert heard.phonemes == TOKENIZER.decode(number for number in ids[1:])
