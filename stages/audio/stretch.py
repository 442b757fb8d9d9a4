"""Finds the best stretch of a long recording: the most speech over the least noise.

Axes: F frames of 10 ms.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.audio.silence import FRAME_S, SILENCE_DB, frame_power, level_of
from stages.records import Wave

_SMOOTH_FRAMES = 10
"""Frames in the windows whose quietest are taken for noise, as in `silence.snr_db`."""
_AROUND_FRAMES = 400
"""Frames in the windows whose floor is looked for: speech pauses at least once in 4 s."""
_STEP_FRAMES = 100
"""Frames between the starts of two such windows: the noise changes slowly."""
_SPEECH_OVER_NOISE = 4.0
"""Speech has at least this many times the power of the noise (6 dB)."""
_CLEAN_DB = 30.0
"""From this ratio of speech to noise on, less noise makes a stretch no better."""
_TINY = 1e-12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording, in its samples."""

    start: int
    end: int
    quality: float
    """Share of speech times cleanness, each 0 to 1."""


def best_stretch(wave: Wave, sample_rate: int, length_s: float) -> Stretch:
    """Finds the stretch of `length_s` seconds with the most speech and the least noise; among equals the first.

    A frame is speech if it is within 40 dB of the recording's level and 6 dB over the noise around it. The noise is the
    power of the quietest tenth of all 100 ms in 4 s, the highest of the 4 s that hold the frame. A stretch's quality is
    its share of speech times its ratio of power to noise in dB, counted from 0 to 30 dB.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.
        length_s: Seconds; a shorter recording is taken whole.

    Source of the noise estimate: Martin, "Noise power spectral density estimation based on optimal smoothing and
    minimum statistics" (2001).
    """
    power_F, frame = frame_power(wave, sample_rate)
    noise_F = _noise(power_F)
    loud = level_of(power_F) * 10 ** (-SILENCE_DB / 10)
    speech_F = (power_F > loud) & (power_F > _SPEECH_OVER_NOISE * noise_F)
    length = min(max(1, round(length_s / FRAME_S)), len(power_F))
    shares, powers, noises = (_means(values_F, length) for values_F in (speech_F.astype(float), power_F, noise_F))
    ratio = np.maximum(powers, _TINY) / np.maximum(noises, _TINY)
    cleanness = np.clip(10 * np.log10(ratio) / _CLEAN_DB, 0.0, 1.0)
    quality = shares * cleanness
    first = int(quality.argmax())
    best = float(quality[first])
    if length == len(power_F):
        return Stretch(0, len(wave), best)
    return Stretch(first * frame, min((first + length) * frame, len(wave)), best)


def _noise(power_F: Floats) -> Floats:
    """Returns the power of the noise at each frame: the highest floor of the windows around it.

    The highest, so that steady noise isn't taken for speech where something quieter is near.
    """
    width = min(_SMOOTH_FRAMES, len(power_F))
    smooth = np.convolve(power_F, np.ones(width) / width, "valid")
    around = min(_AROUND_FRAMES, len(smooth))
    last = len(smooth) - around
    starts = np.append(np.arange(0, last, _STEP_FRAMES), last)
    windows = np.lib.stride_tricks.sliding_window_view(smooth, around)[starts]
    floors = np.partition(windows, around // 10, axis=1)[:, : around // 10 + 1].mean(axis=1)
    noise_F = np.zeros_like(power_F)
    for start, floor in zip(starts, floors, strict=True):
        here = noise_F[start : start + around + width - 1]
        np.maximum(here, floor, out=here)
    return noise_F


def _means(values_F: Floats, length: int) -> Floats:
    """Returns the mean of each window of `length` frames."""
    sums = np.concatenate([[0.0], np.cumsum(values_F)])
    return np.asarray(np.maximum(sums[length:] - sums[:-length], 0.0) / length)
