import numpy as np
import pytest
from scipy.signal import lfilter

from stages.audio.files import read_at
from stages.hearing.asr.activity import Region, gathered, joined, silero
from stages.hearing.asr.voices import changes
from stages.hearing.asr.windows import SAMPLE_RATE
from tests.conftest import SPEECH

FORMANTS = {"low": (300, 870, 2240), "high": (530, 1840, 2900)}


def voice(name: str, seconds: float, seed: int) -> np.ndarray:
    """Returns noise with the resonances of a voice, which move a little."""
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(round(seconds * 10)):
        part = generator.normal(0, 1, SAMPLE_RATE // 10)
        for hertz in FORMANTS[name]:
            angle = 2 * np.pi * hertz * generator.uniform(0.9, 1.1) / SAMPLE_RATE
            part = lfilter([1], [1, -2 * 0.97 * np.cos(angle), 0.97**2], part)
        parts.append(part / np.abs(part).max() / 4)
    return np.concatenate(parts).astype(np.float32)


def spoken(*parts: tuple[str, float, float]) -> tuple[np.ndarray, list[Region]]:
    """Returns voices with their lengths and levels, 0.2 s apart, and where they speak."""
    wave, regions = [], []
    at = 0
    for seed, (name, seconds, level) in enumerate(parts):
        part = voice(name, seconds, seed) * level
        wave += [part, np.zeros(SAMPLE_RATE // 5, np.float32)]
        regions.append(Region(at, at + len(part)))
        at += len(part) + SAMPLE_RATE // 5
    return np.concatenate(wave), regions


@pytest.mark.parametrize("suspected", [True, False])
@pytest.mark.parametrize(
    ("parts", "turns"),
    [
        ([("low", 2, 1), ("low", 3, 1), ("low", 1, 1)], []),
        ([("low", 2, 1), ("low", 3, 0.05), ("low", 1, 1)], []),  # a level is no voice
        ([("low", 2, 1), ("low", 2, 1), ("high", 3, 1), ("high", 1, 1)], [2]),
        ([("low", 3, 1), ("high", 2.5, 1), ("low", 3, 1)], [1, 2]),
        ([("low", 3, 1), ("low", 0.5, 1), ("high", 3, 1)], [2]),  # not before the last word of a voice
        ([("low", 3, 1), ("high", 0.2, 1)], []),  # too little to tell
        ([("low", 3, 1)], []),
        ([], []),
    ],
)
def test_a_change_of_voice_is_found_where_it_is(parts, turns, suspected):
    wave, regions = spoken(*parts) if parts else (np.zeros(100, np.float32), [])
    assert changes(wave, regions, suspected=suspected) == {regions[place].start for place in turns}


def test_no_stretch_spans_a_turn_and_speech_of_one_voice_is_joined_over_short_pauses():
    second = SAMPLE_RATE
    regions = [Region(0, second), Region(second + 1600, 2 * second), Region(2 * second + 1600, 3 * second)]
    turns = [regions[2].start]
    whole = joined(regions, turns)
    assert whole == [Region(0, 2 * second), regions[2]]
    assert joined(regions, ()) == [Region(0, 3 * second)]
    found = gathered(whole, np.zeros(3 * second, np.float32), 20.0, turns)
    assert [one.speech for one in found] == [(whole[0],), (whole[1],)]
    assert found[0].end <= found[1].start


def test_two_people_are_told_apart_and_one_is_not():
    clips = [SPEECH / name for name in ("ljspeech/LJ/LJ001-0008.wav", "vctk/p226/p226_001.wav")]
    found = [path if path.is_file() else next(iter(sorted(path.parent.glob("*.wav"))), None) for path in clips]
    if None in found:
        pytest.skip(f"no recordings in {SPEECH}")
    waves = [np.array(read_at(path, SAMPLE_RATE)) for path in found]
    wave = np.concatenate(waves)
    turns = sorted(changes(wave, silero(wave), suspected=False))
    assert len(turns) == 1
    assert abs(turns[0] - len(waves[0])) < SAMPLE_RATE // 2
    assert all(changes(one, silero(one), suspected=False) == frozenset() for one in waves)
