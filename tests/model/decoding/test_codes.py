"""The choice between `ar` and `nar-len`: each is its parts, one after the other, on a batch too."""

import numpy as np
import pytest

from model.decoding.autoregressive import generate_first
from model.decoding.codes import generate
from model.decoding.levels import generate_rest
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import Sampling
from stages.records import Codes
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive

NET = decisive()
ASKED = NET, TOKENIZER, CONDITIONS
WARM = Sampling(0.8, top_k=9)
QUICK = Unmasking(steps=3, sampling=WARM)


SEEDS = [3, 1, 4]


def by_parts(mode: FirstMode, guidance: float, *, least: int, most: int) -> list[Codes]:
    drawn = {"guidance": guidance, "seeds": SEEDS}
    if mode == "ar":
        decoding = Decoding(ar=WARM, guidance=guidance)
        first = generate_first(*ASKED, max_frames=most, min_frames=least, decoding=decoding, seeds=SEEDS)
    else:
        counts = [max(count, least) for count in predict_frames(*ASKED, max_frames=most)]
        first = generate_masked(*ASKED, counts, unmasking=QUICK, **drawn)  # type: ignore[arg-type]
    return generate_rest(*ASKED, first, sampling=WARM, seeds=SEEDS)


@pytest.mark.parametrize("guidance", [None, 2.0])
@pytest.mark.parametrize(("least", "most"), [(1, 20), (20, 20), (15, 20)])
@pytest.mark.parametrize("mode", ["ar", "nar-len"])
def test_a_response_is_made_by_its_parts(mode: FirstMode, least: int, most: int, guidance: float | None) -> None:
    decoding = Decoding(mode, WARM, QUICK, WARM, guidance)
    found = generate(*ASKED, max_frames=most, min_frames=least, decoding=decoding, seeds=SEEDS)
    expected = by_parts(mode, guidance or 1.0, least=least, most=most)
    assert all(map(np.array_equal, found, expected))
    assert all(codes_KT.shape[0] == 8 and least <= codes_KT.shape[1] <= most for codes_KT in found)


def test_a_known_length_is_not_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.decoding.codes.predict_frames", None)
    found = generate(*ASKED, max_frames=7, min_frames=7, decoding=Decoding("nar-len", unmasking=QUICK))
    assert [codes_KT.shape for codes_KT in found] == [(8, 7)] * len(CONDITIONS)
