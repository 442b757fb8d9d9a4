"""The prompt made from references: which part of each it holds, and how long it is."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from model.inference.synthesizer import Synthesizer
from stages.errors import UsageError
from tests.model.inference.conftest import RATE, talk

ONE, OTHER = talk(1.9), talk(1.9, pitch=210.0, seed=1)


def encoded(able: Synthesizer, wave: np.ndarray) -> np.ndarray:
    return able.codec.encode([torch.from_numpy(wave)])[0].numpy()


def test_of_a_long_reference_it_is_the_best_stretch_not_the_first(able: Synthesizer) -> None:
    rng = np.random.default_rng(0)
    noise = (0.05 * rng.standard_normal(6 * RATE)).astype(np.float32)
    long = np.concatenate([noise, talk(6.0), noise])
    prompt_KP = able.voice(long).codes_KP
    assert prompt_KP.shape == (8, 75)
    whole_KT = encoded(able, long)
    places = [float((whole_KT[:, at : at + 75] == prompt_KP).mean()) for at in range(whole_KT.shape[1] - 75)]
    at = int(np.argmax(places))
    assert places[at] > 0.9, "codes as they are in the whole recording"
    assert 6 * 75 - 10 <= at <= 11 * 75 + 10


def test_silence_before_speech_changes_nothing_of_note(able: Synthesizer, tmp_path: Path) -> None:
    wave = talk(0.9)
    silence = np.zeros(3 * RATE, np.float32)
    room = np.zeros(RATE // 2, np.float32)
    late, wanted = (able.voice(np.concatenate([before, wave])).codes_KP for before in (silence, room))
    assert np.mean(late == wanted) > 0.9
    assert np.mean(able.voice(wave).codes_KP[:, :60] == late[:, :60]) < 0.9


def test_several_references_share_the_prompt(able: Synthesizer) -> None:
    both = able.voice([ONE, OTHER])
    assert both.codes_KP.shape == (8, 75)
    first, second = (encoded(able, wave) for wave in (ONE, OTHER))

    def holds(whole_KT: np.ndarray, part_KT: np.ndarray) -> bool:
        length = part_KT.shape[1]
        return any((whole_KT[:, at : at + length] == part_KT).mean() > 0.9 for at in range(whole_KT.shape[1] - length))

    assert holds(first, both.codes_KP[:, :37])
    assert holds(second, both.codes_KP[:, 37:])
    short = able.voice([talk(0.5), OTHER])
    assert short.codes_KP.shape == (8, 75), "what a short one leaves, the other gives"


def test_of_too_many_references_the_best_are_taken_and_told(able: Synthesizer) -> None:
    rng = np.random.default_rng(0)
    noisy = [talk(1.5) + (0.1 * rng.standard_normal(36_000)).astype(np.float32) for _ in range(2)]
    voice = able.voice([noisy[0], ONE, noisy[1], OTHER])
    assert len(voice.notes) == 1
    assert (
        "4 references are too many for a prompt of 1 s: the best 2 are taken (`prompt 2`, `prompt 4`)" in voice.notes[0]
    )
    np.testing.assert_array_equal(voice.codes_KP, able.voice([ONE, OTHER]).codes_KP)


def test_with_its_text_a_reference_stays_whole_or_is_refused(able: Synthesizer, tmp_path: Path) -> None:
    assert able.voice(ONE, "Said.").codes_KP.shape[1] > 75
    both = able.voice([talk(0.8), talk(0.9)], ["One.", "Two."])
    assert both.texts == ("One.", "Two.")
    assert both.codes_KP.shape[1] == 60 + 68
    soundfile.write(tmp_path / "long.wav", talk(2.4), RATE)
    for references, texts in ((tmp_path / "long.wav", "All of it."), ([ONE, OTHER], ["a", "b"])):
        with pytest.raises(UsageError, match="whose text is given must be at most 2 s long"):
            able.voice(references, texts)
    with pytest.raises(UsageError, match="2 references and 1 texts"):
        able.voice([ONE, OTHER], ["a"])
    with pytest.raises(UsageError, match="at least one reference"):
        able.voice([])


def test_a_length_repeats_or_cuts(able: Synthesizer) -> None:
    whole = able.voice(talk(0.8), length_s=0.8).codes_KP
    twice = able.voice(talk(0.8), length_s=2.0)
    assert twice.codes_KP.shape == (8, 150)
    np.testing.assert_array_equal(twice.codes_KP, np.concatenate([whole, whole, whole[:, :30]], axis=1))
    assert twice.notes == ("a prompt of 2 s is longer than any the model learnt (1 s)",)
    assert able.voice(ONE, length_s=0.4).codes_KP.shape == (8, 30)
    codes_KP = np.arange(8 * 40).reshape(8, 40)
    np.testing.assert_array_equal(able.voice(codes_KP, length_s=0.2).codes_KP, codes_KP[:, :15])
    for length_s in (0.0, -1.0, 0.001, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="at least one frame"):
            able.voice(ONE, length_s=length_s)
    with pytest.raises(UsageError, match="text and sound have to match"):
        able.voice(ONE, "Said.", length_s=1.0)
