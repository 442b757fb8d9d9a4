"""Filling a canvas: every frame is decided, guidance is the formula, a batch gives its singles."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model.architecture import Arch
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import Decoding, Unmasking
from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.samplers.guidance import guide
from model.network.attention import Packed
from model.sequences.documents import Condition, canvas
from stages.errors import UsageError
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive
from tests.model.network.test_decoder import CPU, EVERY_ARCH

FRAMES = [12, 1, 30]


def fill(
    conditions: list[Condition],
    frames: list[int],
    *,
    seed: int = 0,
    arch: Arch = "llama",
    guidance: float = 2.5,
    **how: Any,
) -> list[np.ndarray]:
    drawn = {"guidance": guidance, "seeds": [seed + number for number in range(len(frames))]}
    unmasking = Unmasking(**{"steps": 6, **how})
    return generate_masked(decisive(arch=arch), TOKENIZER, conditions, frames, unmasking=unmasking, **drawn)


def test_every_frame_gets_a_code_of_the_codebook_and_none_is_the_stop() -> None:
    for how in ({}, {"guidance": 1.0}, {"steps": 1}, {"sampling": Sampling(top_k=5)}):
        found = fill(CONDITIONS, FRAMES, **how)
        assert [codes.shape for codes in found] == [(1, frames) for frames in FRAMES]
        assert all(codes.dtype == np.uint16 and codes.max() < 64 for codes in found)


@EVERY_ARCH
def test_a_batch_gives_what_its_singles_give(arch: Arch) -> None:
    together = fill(CONDITIONS, FRAMES, arch=arch, sampling=GREEDY)
    for condition, frames, wanted in zip(CONDITIONS, FRAMES, together, strict=True):
        np.testing.assert_array_equal(fill([condition], [frames], arch=arch, sampling=GREEDY)[0], wanted)


def test_a_canvas_that_is_full_early_takes_no_more_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(self: Reading) -> torch.Tensor:
        asked.append(int((self.batch.tokens_L == TOKENIZER.mask).sum()))
        return hidden(self)

    hidden = Reading.hidden
    monkeypatch.setattr(Reading, "hidden", counted)
    (codes,) = fill(CONDITIONS[:1], [3], steps=25)
    assert codes.shape == (1, 3)
    assert 0 not in asked
    assert len(asked) < 25, "cos(20 / 25 * pi / 2) of 3 frames is less than one"


def test_a_seed_repeats_and_another_differs() -> None:
    one, same, other = (fill(CONDITIONS[:1], [30], seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_guidance_is_the_formula() -> None:
    with_MV, without_MV = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0)).unbind(0)
    torch.testing.assert_close(guide(with_MV, without_MV, 1.0, 0.75), with_MV)
    guided = without_MV + 3 * (with_MV - without_MV)
    torch.testing.assert_close(guide(with_MV, without_MV, 3.0, 0.0), guided)
    torch.testing.assert_close(guide(with_MV, without_MV, 3.0, 1.0).std(-1), with_MV.std(-1))


@EVERY_ARCH
def test_lengths_are_numbers_in_range(arch: Arch) -> None:
    net = decisive(arch=arch)
    for most in (1, 9, 75, 1200):
        lengths = predict_frames(net, TOKENIZER, CONDITIONS, max_frames=most)
        assert all(1 <= frames <= most for frames in lengths)
        alone = [predict_frames(net, TOKENIZER, [one], max_frames=most)[0] for one in CONDITIONS]
        assert lengths == alone


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="`steps` must be at least 1, but is 0"):
        Unmasking(steps=0)
    with pytest.raises(UsageError, match=r"`guidance` must be 1 \(off\) or more, but is 0.5"):
        Decoding(guidance=0.5)


@EVERY_ARCH
def test_a_batch_gives_what_its_singles_give_when_drawn(arch: Arch) -> None:
    warm = Sampling(0.9, top_k=20)
    net, unmasking, seeds = decisive(arch=arch), Unmasking(steps=6, sampling=warm), [5, 6, 5]
    asked = {"unmasking": unmasking, "guidance": 2.5}
    together = generate_masked(net, TOKENIZER, CONDITIONS, FRAMES, **asked, seeds=seeds)  # type: ignore[arg-type]
    for condition, frames, seed, wanted in zip(CONDITIONS, FRAMES, seeds, together, strict=True):
        (alone,) = generate_masked(net, TOKENIZER, [condition], [frames], **asked, seeds=[seed])  # type: ignore[arg-type]
        np.testing.assert_array_equal(alone, wanted)


LEVELS = [0, 2, 7]


@EVERY_ARCH
@pytest.mark.parametrize("nar", [GREEDY, Sampling(0.8, top_k=20)], ids=str)
def test_each_codebook_comes_out_as_it_would_alone(arch: Arch, nar: Sampling) -> None:
    net, seeds = decisive(arch=arch), [5, 6, 5]
    begun_KT = np.full((8, 4), 9, np.uint16)
    conditions = [replace(CONDITIONS[0], begun_KT=begun_KT), *CONDITIONS[1:]]
    asked: dict[str, Any] = {"unmasking": Unmasking(4, sampling=nar), "guidance": 2.0, "nar": nar}
    together = generate_masked(net, TOKENIZER, conditions, FRAMES, **asked, seeds=seeds, levels=LEVELS)
    assert [codes_JT.shape for codes_JT in together] == [(3, frames) for frames in FRAMES]
    for condition, frames, seed, wanted_JT in zip(conditions, FRAMES, seeds, together, strict=True):
        for level, wanted_T in zip(LEVELS, wanted_JT, strict=True):
            one = generate_masked(net, TOKENIZER, [condition], [frames], **asked, seeds=[seed], levels=[level])[0]
            np.testing.assert_array_equal(one[0], wanted_T)
    assert not np.array_equal(together[2][1], together[2][2])


@EVERY_ARCH
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_codebook_is_unmasked_as_by_passes_over_new_documents(arch: Arch, guidance: float) -> None:
    net, level, frames, steps = decisive(arch=arch), 3, 14, 5
    condition = replace(CONDITIONS[1], begun_KT=np.full((8, 3), 9, np.uint16))
    asked: dict[str, Any] = {"unmasking": Unmasking(steps), "guidance": guidance, "levels": [level]}
    (found_JT,) = generate_masked(net, TOKENIZER, [condition], [frames], **asked)
    codes_T = np.concatenate([condition.begun()[level], np.zeros(frames, np.uint16)])
    masked_T = np.arange(3 + frames) >= 3
    for step in range(steps):
        read = []
        for one in (condition, condition.dropped()):
            item = canvas(TOKENIZER, one, codes_T, masked_T, level)
            tensors = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
            with torch.inference_mode():
                hidden_LD = net.hidden(*tensors, Packed([len(item)], 0, CPU))
                read.append(net.logits(hidden_LD[item.rows_M], item.head))
        logits_MV = guide(*read, guidance, 0.75) if guidance > 1 else read[0]
        best_M = logits_MV.argmax(-1).numpy()
        codes_T[masked_T] = best_M
        sure_M = logits_MV.log_softmax(-1).max(-1).values.numpy()
        left = int(np.cos((step + 1) / steps * np.pi / 2) * frames) if step + 1 < steps else 0
        again = np.flatnonzero(masked_T)[np.argsort(sure_M, kind="stable")[:left]]
        masked_T = np.isin(np.arange(len(masked_T)), again)
    np.testing.assert_array_equal(found_JT[0], codes_T[3:])
