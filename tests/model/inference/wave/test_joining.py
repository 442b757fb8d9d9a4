"""Waves joined: pauses as long as asked, and no click."""

import numpy as np
import pytest

from model.inference.wave.joining import Joiner, joined
from stages.audio.silence import sound_edges
from stages.records import Wave

RATE = 24_000


def tone(seconds: float, *, before_s: float = 0.0, after_s: float = 0.0, hz: float = 200.0) -> Wave:
    """A tone that begins and ends in the middle of its swing, within silence."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    wave = 0.5 * np.sin(2 * np.pi * hz * time_s + 1.0)
    return np.pad(wave, [round(before_s * RATE), round(after_s * RATE)]).astype(np.float32)


def jump(wave: Wave) -> float:
    return float(np.abs(np.diff(wave)).max())


def silences(wave: Wave) -> list[int]:
    """Lengths of the runs of zeros."""
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], wave == 0, [False]]).astype(int)))
    return [int(length) for length in np.diff(bounds)[::2] if length > 10]


def test_one_wave_is_returned_as_it_is() -> None:
    wave = tone(0.5, before_s=0.2)
    assert joined([wave], [0.0], RATE) is wave


def test_a_pause_lasts_as_asked_whatever_silence_there_was() -> None:
    for before_s, after_s in ((0.0, 0.0), (0.05, 0.01), (0.5, 0.7)):
        waves = [tone(0.5, after_s=after_s), tone(0.3, before_s=before_s)]
        wave = joined(waves, [0.4, 0.0], RATE)
        (pause,) = silences(wave)
        assert pause == pytest.approx(0.4 * RATE, abs=0.01 * RATE)
        assert len(wave) == pytest.approx(1.2 * RATE, abs=0.01 * RATE)
    assert len(joined(waves, [0.0, 0.0], RATE)) == pytest.approx(0.8 * RATE, abs=0.01 * RATE)


def test_silence_before_and_after_all() -> None:
    wave = joined([tone(0.5, before_s=0.1, after_s=0.1)], [2.0], RATE, lead_s=1.0)
    assert silences(wave) == pytest.approx([RATE, 2 * RATE], abs=0.01 * RATE)
    outer = joined([tone(0.5, before_s=0.3), tone(0.5, after_s=0.2)], [0.1, 0.0], RATE)
    assert silences(outer) == pytest.approx([0.3 * RATE, 0.1 * RATE, 0.2 * RATE], abs=0.01 * RATE)


@pytest.mark.parametrize("pause_s", [0.0, 0.003, 0.4])
def test_there_is_no_jump_larger_than_in_the_parts(pause_s: float) -> None:
    waves = [tone(0.5), -tone(0.5, hz=310.0), tone(0.004), tone(0.5)]
    wave = joined(waves, [pause_s] * 3 + [1.0], RATE, lead_s=0.5)
    assert jump(np.concatenate(waves[:2])) > 2 * max(map(jump, waves[:2])), "else the test shows nothing"
    assert jump(wave) <= max(map(jump, (tone(0.5), tone(0.5, hz=310.0)))) * 1.001


def test_silent_and_tiny_parts_are_kept() -> None:
    silent = np.zeros(RATE, np.float32)
    wave = joined([tone(0.2), silent, np.full(1, 0.1, np.float32), tone(0.2)], [0.1, 0.1, 0.1, 0.0], RATE)
    assert len(wave) == round(1.7 * RATE) + 1
    assert sound_edges(wave, RATE, silence_db=40.0)


@pytest.mark.parametrize("step_s", [0.013, 0.1, 0.7])
@pytest.mark.parametrize("lead_s", [0.0, 0.2])
def test_parts_that_become_known_bit_by_bit_are_joined_alike(step_s: float, lead_s: float) -> None:
    waves = [tone(0.5, after_s=0.3), tone(0.7, before_s=0.2), tone(0.3, before_s=0.1, after_s=0.1, hz=300.0)]
    pauses_s = [0.4, 0.0, 0.1]
    joiner, found, early = Joiner(RATE, lead_s=lead_s), list[Wave](), 0
    for number, (wave, pause_s) in enumerate(zip(waves, pauses_s, strict=True)):
        joiner.begin(pause_s=pause_s, last=number == 2)
        for end in range(round(step_s * RATE), len(wave), round(step_s * RATE)):
            found.append(joiner.add(wave[:end], final=False))
            early += len(found[-1])
        found.append(joiner.add(wave, final=True))
    np.testing.assert_allclose(np.concatenate(found), joined(waves, pauses_s, RATE, lead_s=lead_s), atol=1e-6)
    assert early > 0.8 * sum(map(len, waves)) - 0.7 * RATE
