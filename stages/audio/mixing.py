"""Mixing waves: stretching, a signal-to-noise ratio, limiting, shifting."""

from pathlib import Path
from typing import Any

import numpy as np

from stages.audio import files as audio
from stages.records import Wave


def stretch(path: Path, samples: int, sample_rate: int, place: float) -> Wave:
    """Returns a stretch of a recording; a shorter recording is repeated.

    Args:
        path: The recording.
        samples: Length, at `sample_rate`.
        sample_rate: Hz.
        place: Where it begins: 0 at the recording's beginning, 1 as late as it may.

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
    """Returns noise scaled so that the speech's mean power is `snr_db` above it; neither may be silent."""
    power, noise_power = (float(np.mean(np.square(wave, dtype=np.float64))) for wave in (speech, noise))
    return noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def limited(*waves: Wave) -> list[Wave]:
    """Returns waves made softer, all alike, where one of them leaves [-1, 1]."""
    peak = max(float(np.abs(wave).max()) for wave in waves)
    return [wave / np.float32(peak) for wave in waves] if peak > 1 else list(waves)


def shifted(wave: Wave, sample_rate: int, semitones: float) -> Wave:
    """Returns a wave of the same length at another pitch (phase vocoder, librosa)."""
    from librosa.effects import pitch_shift

    n_fft = min(2048, len(wave))
    made: Any = pitch_shift(wave, sr=sample_rate, n_steps=semitones, n_fft=n_fft)
    return np.asarray(made, np.float32)
