"""The choice between `ar` and `nar-len`: each is its parts, one after the other, on a batch too."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.decoding.codes import generate
from model.decoding.engine.step import Step, laid_out
from model.decoding.levels import generate_rest
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import FIRST_MODES, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.samplers.noise import keys_at
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from stages.records import Codes
from tests.model.decoding.firsts import generate_first
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive, without_cache

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
    monkeypatch.setattr("model.decoding.continuous.predict_frames", None)
    found = generate(*ASKED, max_frames=7, min_frames=7, decoding=Decoding("nar-len", unmasking=QUICK))
    assert [codes_KT.shape for codes_KT in found] == [(8, 7)] * len(CONDITIONS)


def continued(condition: Condition, begun_KT: Codes, mode: FirstMode, *, frames: int, group: int = 1) -> Codes:
    """Speaks on greedily after some frames, all known frames included."""
    decoding = Decoding(mode, GREEDY, Unmasking(3, sampling=GREEDY))
    asked = [replace(condition, begun_KT=begun_KT), CONDITIONS[1]]  # and a row that begins with nothing
    network = decisive(group=group)
    found = generate(network, TOKENIZER, asked, max_frames=frames, min_frames=frames, decoding=decoding)
    assert found[1].shape == (8, frames)
    return np.concatenate([begun_KT, found[0]], axis=1)


@pytest.mark.parametrize("group", [1, 2])
def test_what_it_is_told_to_begin_with_it_goes_on_from(group: int) -> None:
    net = decisive(group=group)
    for condition in CONDITIONS:
        begun_KT = np.random.default_rng(5).integers(0, 64, (8, 6)).astype(np.uint16)
        spoken = continued(condition, begun_KT, "ar", frames=12, group=group)
        chosen = without_cache(net, condition, spoken[0].tolist())[:18, :64].argmax(-1)
        assert chosen[6:].tolist() == spoken[0, 6:].tolist(), "what one pass over everything chooses"
        again = continued(condition, spoken[:, :8], "ar", frames=10, group=group)
        np.testing.assert_array_equal(again, spoken)


def test_beams_go_on_from_what_a_response_begins_with() -> None:
    begun_KT = np.random.default_rng(5).integers(0, 64, (8, 6)).astype(np.uint16)
    asked = [replace(CONDITIONS[0], begun_KT=begun_KT), CONDITIONS[1]]
    both, alone = (
        generate(NET, TOKENIZER, some, max_frames=12, min_frames=12, decoding=Decoding(beam_width=3))
        for some in (asked, asked[:1])
    )
    np.testing.assert_array_equal(both[0], alone[0])


@torch.inference_mode()
def test_single_steps_take_their_places_after_known_frames() -> None:
    begun_KT = np.random.default_rng(5).integers(0, 64, (8, 6)).astype(np.uint16)
    asked = [replace(CONDITIONS[0], begun_KT=begun_KT), CONDITIONS[1]]
    codes_BT = torch.randint(0, 64, (2, 5), generator=torch.Generator().manual_seed(0))

    def logits(conditions: list[Condition], step: Step | None) -> torch.Tensor:
        steps = Steps(NET, TOKENIZER, conditions, most=6, guidance=1.0, step=step)
        for frame in range(5):
            steps.take(codes_BT[: len(conditions), frame : frame + 1])
        return steps.logits(0)[0].clone()

    known_KT = np.concatenate([begun_KT, np.zeros((8, 5), np.uint16)], axis=1)
    known_KT[0, 6:] = codes_BT[0].numpy()
    whole = logits_after(NET, replace(CONDITIONS[0], begun_KT=known_KT))
    for step in (None, laid_out(NET, "none")):
        torch.testing.assert_close(logits(asked, step), whole, rtol=1e-4, atol=1e-4)
        assert (logits(CONDITIONS[:1], step) - whole).abs().max() > 0.01


def logits_after(network: Decoder, condition: Condition) -> torch.Tensor:
    """Returns the first logits after what a response begins with, `[G, V]`."""
    return Steps(network, TOKENIZER, [condition], most=1, guidance=1.0).logits(0)[0].clone()


@pytest.mark.parametrize("mode", FIRST_MODES)
def test_draws_after_known_frames_are_those_of_the_seed(mode: FirstMode) -> None:
    decoding = Decoding(mode, WARM, QUICK, WARM)
    begun_KT = np.random.default_rng(5).integers(0, 64, (8, 6)).astype(np.uint16)
    asked = [replace(CONDITIONS[0], begun_KT=begun_KT), CONDITIONS[1]]
    both = generate(NET, TOKENIZER, asked, max_frames=9, min_frames=9, decoding=decoding, seeds=[3, 1])
    for number, seed in enumerate([3, 1]):
        alone = generate(NET, TOKENIZER, [asked[number]], max_frames=9, min_frames=9, decoding=decoding, seeds=[seed])
        np.testing.assert_array_equal(alone[0], both[number])


@pytest.mark.parametrize("part", ["nar", "nar-len", "all"])
def test_places_count_new_frames_only(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, places = {"nar": "levels", "nar-len": "masked", "all": "whole"}[part], []
    monkeypatch.setattr(
        f"model.decoding.{module}.keys_at",
        lambda *given: places.append([p.tolist() for p in given[2]]) or keys_at(*given),
    )
    asked = [replace(CONDITIONS[0], begun_KT=np.zeros((8, 6), np.uint16)), CONDITIONS[1]]
    decoding = Decoding("all" if part == "all" else "nar-len", WARM, QUICK, WARM)
    generate(NET, TOKENIZER, asked, max_frames=9, min_frames=9, decoding=decoding)
    assert places[0] == [list(range(9))] * 2


@pytest.mark.parametrize("mode", ["nar-len", "all"])
def test_a_canvas_shows_what_it_begins_with(mode: FirstMode) -> None:
    one, other = (np.full((8, 5), code, np.uint16) for code in (3, 9))
    spoken = [continued(CONDITIONS[0], begun, mode, frames=12) for begun in (one, one, other)]
    assert [codes_KT.shape for codes_KT in spoken] == [(8, 17)] * 3
    np.testing.assert_array_equal(spoken[0], spoken[1])
    assert not np.array_equal(spoken[0][:, 5:], spoken[2][:, 5:])


def test_the_length_of_what_it_begins_with_is_not_the_responses() -> None:
    (total,) = predict_frames(NET, TOKENIZER, CONDITIONS[:1], max_frames=950)
    for known in (1, 40):
        begun = replace(CONDITIONS[0], begun_KT=np.zeros((8, known), np.uint16))
        assert predict_frames(NET, TOKENIZER, [begun], max_frames=950) == [min(max(total - known, 1), 950)]
