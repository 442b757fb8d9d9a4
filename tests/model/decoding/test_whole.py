"""A canvas of all codebooks: the first ones come first, a batch gives its singles, what was learnt comes back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.architecture import ARCHS, Arch
from model.data.reading import read_condition, read_response
from model.decoding.codes import generate
from model.decoding.options import STEPS, Decoding, Unmasking
from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.whole import generate_whole, plan
from model.network.decoder import Decoder
from model.sequences.documents import ABSENT, Condition
from model.sequences.tokenizer import Tokenizer
from model.training.trainer import Trainer
from tests.model.conftest import CODEC, make_config, make_store
from tests.model.decoding.test_autoregressive import CONDITIONS, RNG, SHAPES, TOKENIZER, decisive
from tests.model.network.test_decoder import EVERY_ARCH

FRAMES = [12, 1, 30]


def fill(conditions: list[Condition], frames: list[int], *, seeds: list[int] | None = None, **how: Any) -> list[Any]:
    shape = how.pop("shape", {})
    decoding = {"guidance": how.pop("guidance", 2.0), "nar": how.pop("nar", GREEDY)}
    unmasking = Unmasking(**{"steps": 6, **how})
    return generate_whole(
        decisive(**shape), TOKENIZER, conditions, frames, unmasking=unmasking, seeds=seeds, **decoding
    )


@given(st.integers(1, 200), st.integers(1, 32))
def test_the_plan_fills_every_codebook_once_in_order(steps: int, num_codebooks: int) -> None:
    found = plan(steps, num_codebooks)
    assert len(found) == steps
    done, last = 0, found[0]
    for one in found:
        if one.place:
            assert one.codebooks == last.codebooks
            assert (one.places, one.place) == (last.places, last.place + 1)
            assert one.left < last.left
        else:
            assert one.codebooks.start == done
            done = one.codebooks.stop
        assert len(one.codebooks) == 1 or one.places == 1
        assert (one.left == 0) == (one.place + 1 == one.places)
        last = one
    assert done == num_codebooks
    if steps > 1:
        assert found[0].codebooks == range(1)
        assert found[0].places == (steps if num_codebooks == 1 else (steps + 1) // 2), "half of them for codebook 0"


def test_the_default_plan() -> None:
    groups = [one.codebooks for one in plan(STEPS["all"], 8)]
    assert groups == [*[range(1)] * 4, range(1, 2), range(2, 3), range(3, 5), range(5, 8)]


def test_every_frame_gets_codes_of_every_codebook() -> None:
    for how in ({}, {"guidance": 1.0}, {"steps": 1}, {"steps": 3}, {"steps": 40}, {"sampling": Sampling(top_k=5)}):
        found = fill(CONDITIONS, FRAMES, **how)
        assert [codes.shape for codes in found] == [(8, frames) for frames in FRAMES]
        assert all(codes.dtype == np.uint16 and codes.max() < 64 for codes in found)


@SHAPES
@pytest.mark.parametrize(
    "how", [{}, {"sampling": Sampling(0.9, top_k=20), "nar": Sampling(0.8)}], ids=["default", "warm"]
)
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_batch_gives_what_its_singles_give(shape: dict[str, Any], how: dict[str, Any], guidance: float) -> None:
    how = {"sampling": GREEDY, **how, "guidance": guidance, "shape": shape}
    together = fill(CONDITIONS, FRAMES, seeds=[5, 6, 5], **how)
    for number, (condition, wanted) in enumerate(zip(CONDITIONS, together, strict=True)):
        (alone,) = fill([condition], [FRAMES[number]], seeds=[[5, 6, 5][number]], **how)
        np.testing.assert_array_equal(alone, wanted)


def test_a_seed_repeats_and_another_differs() -> None:
    one, same, other = (fill(CONDITIONS[:1], [30], seeds=[seed])[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one[0] != other[0]).any()
    plain, warm = (fill(CONDITIONS[:1], [30], sampling=GREEDY, nar=nar)[0] for nar in (GREEDY, Sampling(5.0)))
    np.testing.assert_array_equal(plain[0], warm[0])
    assert (plain[1:] != warm[1:]).mean() > 0.5, "the other codebooks are drawn as the mode nar draws them"


@pytest.mark.parametrize("arch", ARCHS)
def test_the_first_codebooks_are_known_first(arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each pass a codebook is shown only where all below it are; guidance reads the first one's passes twice."""
    seen: list[np.ndarray] = []

    def watched(self: Reading) -> torch.Tensor:
        seen.append(self.batch.codes_LK.numpy().copy())
        assert (self.batch.given == ()) == (arch == "llama"), "what is given is read once, where that is possible"
        return hidden(self)

    hidden = Reading.hidden
    monkeypatch.setattr(Reading, "hidden", watched)
    (codes_KT,) = fill(CONDITIONS[:1], [30], shape={"arch": arch}, steps=12)
    assert len(seen) == 12
    known = []
    for codes_LK in seen:
        shown_TK = codes_LK[:, :8] != ABSENT
        shown_TK = shown_TK[-30:]
        assert (np.diff(shown_TK.astype(int), axis=1) <= 0).all()
        np.testing.assert_array_equal(codes_LK[-30:, :8][shown_TK], codes_KT.T[shown_TK])
        known.append(int(shown_TK.sum()))
    assert known == sorted(known)
    assert known[0] == 0
    lengths = [len(codes_LK) for codes_LK in seen]
    assert lengths[5] > lengths[6] == lengths[-1], "six passes of codebook 0 with guidance, the others without"


@pytest.mark.parametrize("arch", ARCHS)
def test_frames_know_what_they_say_in_every_pass(arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `text_spacing: aligned`; what guidance reads without the text doesn't. A batch still gives its singles."""
    tokenizer = TOKENIZER.spaced(0.0, names_said=True).paced({"h": 4.0, "l": 6.0, "ə": 3.0, "": 5.0})
    net = decisive(arch=arch, text_spacing="aligned")
    said: list[list[int]] = []
    hidden = Reading.hidden

    def watched(self: Reading) -> torch.Tensor:
        said.append(self.batch.codes_LK[:, 8].tolist())
        return hidden(self)

    def speak(conditions: list[Condition], frames: list[int]) -> list[Any]:
        return generate_whole(net, tokenizer, conditions, frames, unmasking=Unmasking(steps=12), guidance=2.0)

    together = speak(CONDITIONS, FRAMES)
    monkeypatch.setattr(Reading, "hidden", watched)
    for condition, frames, wanted in zip(CONDITIONS, FRAMES, together, strict=True):
        said.clear()
        (alone,) = speak([condition], [frames])
        np.testing.assert_array_equal(alone, wanted)
        ids = tokenizer.encode(condition.phonemes)
        told = tokenizer.frames_of(ids).said(ids, tokenizer.end, frames).tolist()
        absent = [ABSENT] * frames
        assert all(one[-frames:] in (told, absent) for one in said)
        assert said[0][-frames:] == absent, "guidance comes last"
        assert said[-1][-frames:] == told


def test_a_canvas_that_is_full_early_takes_no_more_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    hidden = Reading.hidden
    monkeypatch.setattr(Reading, "hidden", lambda self: passes.append(1) or hidden(self))
    fill(CONDITIONS[:1], [2], steps=40)
    assert 8 <= len(passes) <= 16, "one or two for each codebook, not 40"


@EVERY_ARCH
def test_one_codebook_is_enough(arch: Arch) -> None:
    tokenizer = Tokenizer.default(1)
    net = Decoder(decisive(arch=arch).config, len(tokenizer), 1, 64)
    net.initialise(torch.Generator().manual_seed(0))
    condition = Condition("həlˈoʊ", "en", RNG.integers(0, 64, (1, 9)).astype(np.uint16))
    decoding = Decoding("all", unmasking=Unmasking(5))
    assert decoding.modes(1) == ("all", "len")
    (codes_KT,) = generate(net.eval(), tokenizer, [condition], max_frames=9, min_frames=9, decoding=decoding)
    assert codes_KT.shape == (1, 9)


@EVERY_ARCH
def test_what_was_learnt_by_heart_comes_back(arch: Arch, tmp_path: Path) -> None:
    """A tiny network that has learnt a few utterances by heart says them, in few steps and in many."""
    store = make_store(rows=2, speakers=2)
    store.all_codes = [codes[:, :16] for codes in store.all_codes]
    store.frames = np.array([16, 16])
    config = make_config(
        model__arch=arch,
        model__kv_heads=None,
        model__width=64,
        data__modes={"all": 1.0},
        data__validation=0.0,
        data__continuation_probability=0.0,
        data__batch_tokens=1000,
        optimizer__lr=1e-2,
        optimizer__schedule="constant",
        trainer__out=str(tmp_path / "run"),
    )
    trainer = Trainer(config, store, quiet=True)
    examples, network = trainer.stream.examples, trainer.raw_network
    batches = trainer.stream.batches()
    losses = [float(trainer.train_step([next(batches)])[0].report("x")["x/loss"]) for _ in range(200)]
    assert np.mean(losses[-10:]) < 0.3
    assert losses[0] > 4
    network.eval()
    draw = examples.draw(int(examples.rows[0]), np.random.default_rng(0), ("all", 0))
    said_KT = read_response(examples, draw)
    for steps, most in ((8, 0.05), (16, 0.05), (1, 0.5)):
        decoding = Decoding("all", unmasking=Unmasking(steps, sampling=GREEDY))
        frames = said_KT.shape[1]
        asked = network, examples.tokenizer, [read_condition(examples, draw)]
        (codes_KT,) = generate(*asked, max_frames=frames, min_frames=frames, decoding=decoding)
        assert (codes_KT != said_KT).mean() <= most, steps
    assert CODEC.num_codebooks == len(said_KT)
