"""A codec of one codebook, the widest whose codes fit into two bytes: it is trained and spoken with in every mode."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY
from model.inference.synthesizer import Synthesizer
from model.training.trainer import train
from stages.codecs.codec import CodecRow, check_codes
from stages.codecs.table import CODECS
from stages.records import CodecIdentity
from tests.model.conftest import make_config, make_store

_FAST = {"trainer__max_steps": 16, "optimizer__lr": 2e-2, "data__text_dropout": 0.0}


class _One:
    """One codebook at 50 Hz, whose codes are drawn; the first is the highest."""

    name, sample_rate, frame_rate, num_codebooks, revision = "one", 24_000, 50.0, 1, "one-book"

    def __init__(self, codebook_size: int) -> None:
        self.codebook_size = codebook_size

    def identify(self, *_: Any) -> CodecIdentity:
        return CodecIdentity("one", 24_000, 50.0, 1, self.codebook_size, self.revision)

    def load(self, *_: Any) -> "_One":
        return self

    def encode(self, waves: Sequence[Tensor]) -> list[Tensor]:
        rng = np.random.default_rng(0)
        drawn = [rng.integers(0, self.codebook_size, (1, -(-len(wave) // 480))) for wave in waves]
        for codes_1T in drawn:
            codes_1T[0, 0] = self.codebook_size - 1
        return [torch.from_numpy(codes_1T) for codes_1T in drawn]

    def decode(self, codes_KT: Tensor) -> Tensor:
        return torch.sin(torch.arange(480 * check_codes(self, codes_KT).shape[1]) / 20)

    def embeddings(self) -> Tensor:
        return torch.zeros(1, self.codebook_size, 1)


def test_one_wide_codebook_is_trained_and_spoken_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codebook_size = 65_536
    codec = _One(codebook_size)
    row = CodecRow("one", "one codebook", codec, files=lambda _weights, _rate: [], packages=())  # type: ignore[arg-type]
    monkeypatch.setitem(CODECS, "one", row)
    store = make_store(codec=codec.identify())
    for codes_1T in store.all_codes:
        codes_1T[:] = codebook_size - 1
    modes = dict.fromkeys(("ar", "nar", "nar-len", "all", "len"), 1.0)
    train(make_config(trainer__out=str(tmp_path / "run"), data__modes=modes, **_FAST), store, quiet=True)
    synthesizer = Synthesizer.load(tmp_path / "run")
    wave = np.sin(np.arange(24_000) / 20).astype(np.float32)
    for mode in ("ar", "nar-len", "all"):
        decoding = Decoding(mode=mode, ar=GREEDY, unmasking=Unmasking(sampling=GREEDY))
        speech = synthesizer.speak("Hello.", prompt=wave, language="en", max_s=0.2, decoding=decoding)
        assert speech.codes.shape[0] == 1
        assert 1 <= speech.codes.shape[1] <= 10
        assert len(speech.samples) == 480 * speech.codes.shape[1]
        # It has learned the highest code, beside which the stop code, one more, doesn't fit into two bytes.
        assert (speech.codes == codebook_size - 1).all(), mode
