"""Hearing step by step says what one pass over everything says."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model.architecture import Arch
from model.decoding.autoregressive import CHECK_EVERY
from model.decoding.hearing import Heard, hear
from model.network.attention import Packed
from model.sequences.spelled import text_document
from tests.model.decoding.test_autoregressive import CPU, TOKENIZER, decisive
from tests.model.network.test_decoder import EVERY_ARCH, network

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


def test_a_device_is_seldom_asked_whether_all_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network().eval()
    steps: list[int] = []

    def head(hidden: Tensor) -> Tensor:
        steps.append(len(hidden))
        logits = torch.zeros(len(hidden), len(TOKENIZER))
        logits[:, TOKENIZER.end if len(steps) == 3 else TOKENIZER.encode("a")] = 1
        return logits

    monkeypatch.setattr(net.heads[8], "forward", head)
    asked = net, TOKENIZER, SPEECH
    known = hear(*asked, max_tokens=30, language="de")
    assert (len(steps), known) == (3, [Heard("de", "aa", ended=True)] * 3)
    steps.clear()
    monkeypatch.setitem(CHECK_EVERY, "cpu", 10)
    assert hear(*asked, max_tokens=30, language="de") == known
    assert len(steps) == 11
