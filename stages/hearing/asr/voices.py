"""Tells at which pauses of a recording another voice begins.

Whisper, which hears a stretch of speech at once, often writes only one of two voices in it. So stretches end where the
voice changes. The speech before a pause and the speech after it are compared: by Hotelling's T² of their mel-frequency
cepstra, which doesn't depend on their levels, the language or any training.

Source: Zhou and Hansen 2000, Unsupervised audio stream segmentation and clustering via the Bayesian information
criterion, ICSLP (T² as the first pass; the second is left out: it told less here).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stages.hearing.asr.activity import SHORT_PAUSE
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.listeners.mel import mel_power, mfcc
from stages.records import Wave

_HOP, _WINDOW, _MELS = 160, 512, 40
_COEFFICIENTS = 19
"""Cepstra that are compared; the one before them, the level, isn't."""
_NEAR = 300
"""Frames of 10 ms of speech compared on either side of a pause, at most."""
_LEAST = 100
"""The same, at least, the one before the pause since its voice began: in less speech no voice can be told."""
_SOON = 150
"""Frames of speech within which a greater difference is looked for: the last words of a voice, no turn of another."""
_RIDGE = 0.01
"""Added to the covariances, as a share of their mean variance: little speech has singular ones."""

_SUSPECTED, _CERTAIN, _ALONE = 0.8, 1.25, 1.5
"""Differences that are a change of voice: in a recording that is heard in several stretches anyway, after pauses over
0.16 s and after shorter ones; and in any other. `pipeline.bench.hearing.turns` measures them. They were chosen on half
of its recordings, and so that few clips of one voice are taken apart."""
_LITTLE = 1e-6
"""Added too: frames that are all the same have no variance."""

Frames = npt.NDArray[np.float64]


def changes(wave: Wave, regions: Sequence[tuple[int, int]], *, suspected: bool) -> frozenset[int]:
    """Returns the starts of the regions at which another voice begins than spoke before.

    Args:
        wave: `[samples]` at 16 kHz.
        regions: Where somebody speaks, in samples, in order.
        suspected: Whether the recording is heard in several stretches anyway: then a smaller difference is enough.
    """
    if len(regions) < 2:
        return frozenset()
    spoken = [_cepstra(wave[start:end]) for start, end in regions]
    found: list[int] = []
    first, place = 0, 1
    while place < len(regions):
        pause = regions[place][0] - regions[place - 1][1]
        least = (_SUSPECTED if pause > SHORT_PAUSE else _CERTAIN) if suspected else _ALONE
        if _between(spoken, first, place) >= least:
            place = first = _likeliest(spoken, first, place)
            found.append(regions[place][0])
        place += 1
    return frozenset(found)


def _likeliest(spoken: Sequence[Frames], first: int, place: int) -> int:
    """Returns the pause at which the voices differ most, of one and those that follow it soon.

    Before the last words of a voice the speech that follows is mostly the next voice's.

    Args:
        spoken: The frames of each region.
        first: The region at which the voice before the pause began.
        place: The region after the first of the pauses.
    """
    best, most, passed = place, 0.0, 0
    for later in range(place, len(spoken)):
        if passed > _SOON:
            break
        passed += len(spoken[later])
        difference = _between(spoken, first, later)
        if difference > most:
            best, most = later, difference
    return best


def _cepstra(speech: Wave) -> Frames:
    """Returns the cepstra of a region, `[T, C]`; of a long one only both ends."""
    most = _NEAR * _HOP
    if len(speech) > 2 * most:
        return np.concatenate([_cepstra(speech[:most]), _cepstra(speech[-most:])])
    power_MT = mel_power(speech, sample_rate=SAMPLE_RATE, window=_WINDOW, hop=_HOP, mels=_MELS)
    return np.asarray(mfcc(power_MT, _COEFFICIENTS + 1)[1:].T, np.float64)


def _between(spoken: Sequence[Frames], first: int, place: int) -> float:
    """Returns how much the voice before a pause, from region `first` on, differs from the one after it."""
    before = _near(spoken[at] for at in range(place - 1, first - 1, -1))
    after = _near(spoken[at] for at in range(place, len(spoken)))
    return _difference(np.concatenate(before[::-1])[-_NEAR:], np.concatenate(after)[:_NEAR])


def _near(spoken: Iterable[Frames]) -> list[Frames]:
    """Returns the first regions that have enough frames together, or all."""
    near: list[Frames] = []
    count = 0
    for frames in spoken:
        near.append(frames)
        count += len(frames)
        if count >= _NEAR:
            break
    return near


def _difference(before: Frames, after: Frames) -> float:
    """Returns how far two sets of frames are apart, `[T, C]` each: T² over their number, less where one is small.

    In little speech there are few different sounds, so that any two of them differ.
    """
    count = len(before) + len(after)
    if min(len(before), len(after)) < _LEAST:
        return 0.0
    apart_C = before.mean(axis=0) - after.mean(axis=0)
    own_CC = [len(one) / count * np.cov(one.T, bias=True) for one in (before, after)]
    shared_CC: Frames = own_CC[0] + own_CC[1]
    shared_CC += (_RIDGE * np.trace(shared_CC) / len(shared_CC) + _LITTLE) * np.eye(len(shared_CC))
    apart = len(before) * len(after) / count**2 * (apart_C @ np.linalg.solve(shared_CC, apart_C))
    return float(apart * np.sqrt(min(len(before), len(after)) / _NEAR))
