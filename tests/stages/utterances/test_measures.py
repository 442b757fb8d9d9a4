"""The measures of a cut, against known values and against other programs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.audio.files import read, read_at
from stages.audio.silence import snr_db
from stages.records import Wave
from stages.utterances.measures import measure

RATE = 16_000


@pytest.fixture(scope="module")
def clips(recordings: Path) -> list[Wave]:
    paths = sorted((recordings / "librispeech-test-other").rglob("*.flac")) or sorted(recordings.rglob("*.wav"))
    return [read_at(path, RATE) for path in paths[::10]]


def tone(seconds: float, level: float = 0.5) -> Wave:
    return (level * np.sin(2 * np.pi * 220.3 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_clipping_and_silence_are_shares() -> None:
    overdriven = np.clip(tone(2, level=1.5), -1, 1)
    found = measure(overdriven, RATE)
    assert found.clipped == pytest.approx(1 - 2 / np.pi * np.arcsin(1 / 1.5), abs=0.003)
    assert (found.peak, found.silence) == (1.0, 0.0)
    quiet = measure(np.concatenate([tone(1), np.zeros(RATE, np.float32), tone(2)]), RATE)
    assert (quiet.clipped, quiet.peak) == (0.0, pytest.approx(0.5, abs=1e-3))
    assert quiet.silence == pytest.approx(0.25, abs=0.01)
    assert measure(np.zeros(RATE, np.float32), RATE).silence == 1.0


@pytest.mark.parametrize(
    ("colour", "known_db"), [("white", 0), ("white", 10), ("white", 15), ("pink", 5), ("pink", 15)]
)
def test_the_noise_of_known_mixtures_is_found(clips: list[Wave], colour: str, known_db: float) -> None:
    errors = []
    for number, wave in enumerate(clips):
        spectrum = np.fft.rfft(np.random.default_rng(number).normal(0, 1, len(wave)))
        if colour == "pink":
            spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))
        noise = np.fft.irfft(spectrum, len(wave))
        noise *= np.sqrt(np.mean(np.square(wave, dtype=float)) / np.mean(np.square(noise)) / 10 ** (known_db / 10))
        errors.append(snr_db((wave + noise).astype(np.float32), RATE) - known_db)
    print(f"{colour}, {known_db} dB: {np.mean(errors):+.1f} ± {np.std(errors):.1f} dB")
    assert abs(np.mean(errors)) < 3
    assert np.abs(errors).max() < 5


def test_copies_have_one_hash(tmp_path: Path, clips: list[Wave]) -> None:
    hashes = set()
    for suffix in ("wav", "flac", "aiff"):
        soundfile.write(tmp_path / f"a.{suffix}", clips[0][:RATE], RATE, subtype="PCM_16")
        hashes.add(measure(*read(tmp_path / f"a.{suffix}")).hash)
    assert len(hashes) == 1
    assert measure(clips[0][1 : RATE + 1], RATE).hash not in hashes


def test_the_ends_are_measured_only_where_it_is_asked_for() -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    wave[4_000:] *= 0.001
    plain, asked = measure(wave, 16_000), measure(wave, 16_000, edges=True)
    assert (plain.begins_db, plain.ends_db) == (None, None)
    assert asked.begins_db == pytest.approx(0, abs=1)
    assert asked.ends_db is None
    assert replace(asked, begins_db=None, ends_db=None) == plain


def test_reverberation_is_measured_only_where_it_is_asked_for() -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    plain, asked = measure(wave, 16_000), measure(wave, 16_000, reverberation=True)
    assert plain.srmr is None
    assert asked.srmr is not None
    assert replace(asked, srmr=None) == plain
