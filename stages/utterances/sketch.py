"""Sketches a wave by a few hashes that its copies share: coded again, louder or softer, resampled, trimmed elsewhere.

Each moment of the sound gives a number of 22 bits: whether the difference between two neighbouring bands grew. Coding,
gain and resampling leave most of these numbers as they are. The sketch is the smallest hashes of all of them, so that
two waves have as many hashes in common as they share moments, whatever their order.

Sources: Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR 2002); Broder, "On the resemblance and
containment of documents" (1997).
"""

import base64

import numpy as np
import numpy.typing as npt

from stages.audio import files as audio
from stages.records import Wave

Hashes = npt.NDArray[np.uint32]

SIZE = 48
"""Most hashes in a sketch."""
FEWEST = 12
"""A sketch of fewer, as of half a second of speech, says nothing."""
_RATE = 8000
_WINDOW, _HOP = 2048, 96
_LAG = 20
"""Frames between the two that are compared, 240 ms."""
_BITS = 22
_LOWEST_HZ, _HIGHEST_HZ = 300.0, 3000.0
_ACTIVE = 1e-3
"""Frames with less than this share of the level's power, 30 dB below it, aren't sketched: their bits are noise."""
_AT_ONCE = 4096
_TINY = 1e-12


def sketch(wave: Wave, sample_rate: int) -> str | None:
    """Returns a wave's sketch as text; None if it holds too little sound.

    Args:
        wave: Mono, `[samples]`.
        sample_rate: Hz.
    """
    numbers = _numbers(audio.resample(wave, sample_rate, _RATE))
    hashes = np.unique(_mixed(np.unique(numbers)))[:SIZE]
    return base64.b64encode(hashes.astype("<u4").tobytes()).decode("ascii") if len(hashes) >= FEWEST else None


def hashes_of(text: str) -> Hashes:
    """Returns the hashes of a sketch, sorted, the inverse of `sketch`'s coding."""
    return np.frombuffer(base64.b64decode(text), "<u4").astype(np.uint32)


def _numbers(wave: Wave) -> npt.NDArray[np.uint64]:
    """Returns the number of each moment that isn't silent, in any order."""
    if len(wave) < _WINDOW + _LAG * _HOP:
        return np.zeros(0, np.uint64)
    frames = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    edges = np.searchsorted(np.fft.rfftfreq(_WINDOW, 1 / _RATE), np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BITS + 2))
    bands, levels = [], []
    for first in range(0, len(frames), _AT_ONCE):
        spectrum = np.fft.rfft(frames[first : first + _AT_ONCE] * window)
        power = spectrum.real**2 + spectrum.imag**2
        bands.append(np.log(np.add.reduceat(power, edges, axis=1)[:, :-1] + _TINY))
        levels.append(power.sum(axis=1))
    level_T = np.concatenate(levels)[_LAG:]
    if not level_T.any():
        return np.zeros(0, np.uint64)
    slope_TB = -np.diff(np.concatenate(bands), axis=1)
    grows_TB = slope_TB[_LAG:] > slope_TB[:-_LAG]
    active_T = level_T > _ACTIVE * np.square(level_T).sum() / level_T.sum()
    return np.asarray(grows_TB[active_T].astype(np.uint64) @ (np.uint64(1) << np.arange(_BITS, dtype=np.uint64)))


def _mixed(numbers: npt.NDArray[np.uint64]) -> Hashes:
    """Hashes numbers to 32 bits: the finaliser of splitmix64 (Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32)
