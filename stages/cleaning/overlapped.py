"""Cleans long recordings piece by piece, in bounded memory, without seams and without shifting anything.

Axes: T samples, C channels.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from stages.audio.files import resample
from stages.audio.tape import Samples
from stages.cleaning.cleaner import Cleaner
from stages.errors import AudioError
from stages.records import Wave

Block = npt.NDArray[np.float32]
"""Samples of all channels, `[T, C]`."""

_FADE_S = 0.1
"""Seconds over which a piece takes over from the one before."""


def cleaned(waves: Sequence[Samples], sample_rate: int, cleaner: Cleaner, strength: float = 1.0) -> Iterator[Block]:
    """Yields the cleaned channels of a recording, `[T, C]` in all.

    Each piece is cleaned with `Cleaner.context_s` of what is around it, and fades in over the end of the one before. A
    silent piece stays silent, and channels that are equal are cleaned once.

    Args:
        waves: The channels, equally long, finite.
        sample_rate: Hz.
        cleaner: What cleans.
        strength: How much of the noise is taken away, 0 to 1: the rest of the recording is kept beside it.

    Raises:
        AudioError: if the cleaner returns NaN, infinity or another length.
    """
    samples = len(waves[0])
    piece, context, fade = (round(s * sample_rate) for s in (cleaner.piece_s, cleaner.context_s, _FADE_S))
    before = np.zeros((0, len(waves)), np.float32)
    """What the piece before made of the first samples of this one."""
    for start in range(0, samples, piece):
        first, last = max(0, start - context), min(samples, start + piece + context)
        own = slice(start - first, min(samples, start + piece + fade) - first)
        block = _together([wave[first:last] for wave in waves], sample_rate, cleaner, strength)[own]
        up_T1 = np.linspace(0, 1, len(before), endpoint=False, dtype=np.float32)[:, None]
        block[: len(before)] = up_T1 * block[: len(before)] + (1 - up_T1) * before
        yield block[:piece]
        before = block[piece:].copy()


def _together(parts: list[Wave], sample_rate: int, cleaner: Cleaner, strength: float) -> Block:
    done: list[Wave] = []
    for number, part in enumerate(parts):
        same = next((done[other] for other in range(number) if np.array_equal(parts[other], part)), None)
        done.append(_clean(part, sample_rate, cleaner, strength) if same is None else same)
    return np.stack(done, axis=1)


def _clean(wave: Wave, sample_rate: int, cleaner: Cleaner, strength: float) -> Wave:
    if not wave.any():
        return wave
    rate = cleaner.sample_rate or sample_rate
    at_rate = resample(wave, sample_rate, rate)
    # Resampling may round the length by a sample; the first sample stays where it is.
    found = _fitted(resample(cleaner.clean(at_rate, rate), rate, sample_rate), len(wave))
    if not np.isfinite(found).all():
        raise AudioError(
            "the cleaner must give finite samples, but gave NaN or infinity. Leave `clean.cleaner` out for this"
            " recording, or take another.",
            "NotCleaned",
        )
    return found if strength == 1 else (strength * found + (1 - strength) * wave).astype(np.float32)


def _fitted(wave: Wave, samples: int) -> Wave:
    missing = samples - len(wave)
    if abs(missing) > 2:
        raise AudioError(f"the cleaner must give {samples} samples, but gave {len(wave)}.", "NotCleaned")
    return np.pad(wave, (0, max(missing, 0)))[:samples]
