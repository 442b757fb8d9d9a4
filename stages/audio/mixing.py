"""Mixes waves: repeated excerpts, signal-to-noise ratios, peak limiting and pitch shifts."""

from pathlib import Path
from typing import Any

import numpy as np

from stages.audio import files as audio
from stages.records import Wave


def stretch(path: Path, samples: int, sample_rate: int, place: float) -> Wave:
    """Reads an excerpt of a recording; a shorter recording is repeated.

    Args:
        path: The recording.
        samples: Length of the excerpt, at `sample_rate`.
        sample_rate: Hz.
        place: Where it begins, 0 to 1: 0 at the beginning, 1 as late as its length allows.

    Raises:
        AudioError: if the recording can't be read.
    """
    info = audio.probe(path)
    wanted = -(-samples * info.sample_rate // sample_rate)
    start = int(place * max(info.samples - wanted, 0))
    end = start + wanted if info.samples > wanted else None
    wave, rate = audio.read(path, start, end)
    return np.resize(audio.resample(wave, rate, sample_rate), samples)


def at_snr(speech: Wave, noise: Wave, snr_db: float) -> Wave:
    """Scales noise to lie `snr_db` below the speech in mean power. Neither may be silent."""
    power, noise_power = (float(np.mean(np.square(wave, dtype=np.float64))) for wave in (speech, noise))
    return noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def limited(*waves: Wave) -> list[Wave]:
    """Scales waves by one common factor into [-1, 1]; leaves them as they are if all fit."""
    peak = max(float(np.abs(wave).max()) for wave in waves)
    return [wave / np.float32(peak) for wave in waves] if peak > 1 else list(waves)


def shifted(wave: Wave, sample_rate: int, semitones: float) -> Wave:
    """Shifts the pitch of a wave without changing its length (phase vocoder, librosa)."""
    from librosa.effects import pitch_shift

    n_fft = min(2048, len(wave))
    made: Any = pitch_shift(wave, sr=sample_rate, n_steps=semitones, n_fft=n_fft)
    return np.asarray(made, np.float32)
