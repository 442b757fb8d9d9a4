"""Codecs and the search of `similar` on a pretended GPU: nothing meets on two devices; the host waits as stated."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stages.codecs import higgs, mimi
from stages.codecs.neucodec import NeuCodec
from stages.codecs.pretrained import Pretrained
from stages.codecs.table import CODECS, load_codec
from stages.codecs.xcodec2 import XCodec2
from stages.neighbours.nearest import nearest
from tests.devices import CPU, PretendedCuda
from tests.stages.codecs.test_table import saved, sweep

__all__ = ["saved"]  # the codecs' weights, a fixture

TRANSFORMERS = {one.codec: one for one in (mimi.PRETRAINED, NeuCodec.pretrained, XCodec2.pretrained, higgs.PRETRAINED)}

SAMPLES = 3200, 3100, 3200, 960, 1
"""Lengths of the waves: those of 10 frames share batches, where the codec has any."""

WAITS = {
    **{"embedded": (10, 3), "encodec": (6, 3), "vocos": (6, 4), "dac": (6, 2), "mimi": (66, 23)},
    **{"higgs": (6, 2), "neucodec": (30, 2), "xcodec2": (30, 2)},
}
"""Of encoding, after a first wave that takes the embedded codec's tables there: two for each batch, whose waves go
there and whose codes come back; the embedded codec has a batch for each wave. Of decoding, after a first time, too: the
codes go there and the wave comes back. Beside them EnCodec's library makes a zero there from the host, a bandwidth goes
there for Vocos, whose library then checks its windows, and the embedded codec's first phases are drawn on the CPU, so
that they are the same everywhere. Mimi's library asks the device how far to pad before each convolution. NeuCodec and
X-Codec 2 encode each wave by itself, whose features go there by their library, which asks whether its mask leaves
anything out; Higgs' moves what it heard."""


@pytest.mark.parametrize("name", CODECS)
def test_a_batch_of_a_codec_goes_there_and_comes_back(
    name: str, saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.codecs.network._BATCH_ROWS", 3)
    waves = [sweep(samples, number) for number, samples in enumerate(SAMPLES)]
    if stored := TRANSFORMERS.get(
        name
    ):  # transformers builds it on the meta device, of which the pretended one knows nothing
        model = stored.load(saved[name])
        monkeypatch.setattr(Pretrained, "load", lambda *_: model)
    with PretendedCuda() as cuda:
        codec = load_codec(name, saved.get(name), "cuda:0")
        codec.encode(waves[:1])
        cuda.waits.clear()
        codes = codec.encode(waves)
        encoding = cuda.waits.total()
        codec.decode(codes[0])
        cuda.waits.clear()
        wave = codec.decode(codes[0])
        decoding = cuda.waits.total()
        assert {tensor.device for tensor in (*codes, wave)} == {CPU}
    assert (encoding, decoding) == WAITS[name]
    monkeypatch.undo()
    for one, other in zip(codes[:-1], load_codec(name, saved.get(name)).encode(waves[:-1]), strict=True):
        flipped = (one[:, :-1] != other[:, :-1]).sum()
        assert flipped <= 0.1 * one[:, :-1].numel(), "but for rounding, and the last frame of a batch"


def test_the_search_of_similar_waits_for_its_blocks() -> None:
    """The vectors go there once; of each block of 256 queries, the queries go there and the pairs come back."""
    rng = np.random.default_rng(0)
    vectors_ND = rng.standard_normal((600, 16)).astype(np.float32)
    given = [f"clip {number}" for number in range(600)], [str(number // 3) for number in range(600)]
    wanted = nearest(vectors_ND, given[0], top_k=4, apart=given[1])
    with PretendedCuda() as cuda:
        found = nearest(vectors_ND, given[0], top_k=4, apart=given[1], device="cuda")
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    kinds: Counter[str] = Counter()
    for wait, count in cuda.waits.items():
        kinds[wait.partition(" ")[0]] += count
    assert kinds == {"Tensor.to": 1 + 3 * 3, "aten::nonzero": 3}
