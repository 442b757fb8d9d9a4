"""Finds speech in a recording, and gathers it into the stretches that whisper hears."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from stages.audio.silence import quietest
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.listeners.silero import voiced
from stages.records import Wave

_ROOM = round(0.2 * SAMPLE_RATE)
"""Sound kept on both sides of a stretch, in samples; at most half of the pause there."""
_APART = round(1.5 * SAMPLE_RATE)
"""Speech on both sides of a longer pause is never heard together: `slice` doesn't join it either."""
_BREATH, _ENOUGH = round(0.45 * SAMPLE_RATE), 6 * SAMPLE_RATE
"""Nor over a pause longer than `_BREATH`, once there is enough speech to understand, in recordings that don't fit into
one stretch: whisper loses quiet sentences that follow a loud one."""
_LITTLE = 2 * SAMPLE_RATE
"""Less speech than this before another voice begins isn't heard alone because of a `_BREATH` before it."""
_PAUSE_MS = 64
"""silero's: a shorter pause is none."""
_SHORTEST = round(0.064 * SAMPLE_RATE)
"""A sound of this length is no speech."""
SHORT_PAUSE = round(0.16 * SAMPLE_RATE)
"""Over a pause no longer than this, speech of one voice is one region."""
_WORD, _QUIET = 2 * SAMPLE_RATE, SAMPLE_RATE // 2
"""Longest recording, in samples, in which silero looks again with so much silence before and after it."""
_ONSET, _OFFSET = 0.5, 0.363
"""pyannote's thresholds, whisperX's own."""


class Region(NamedTuple):
    """A stretch of samples at 16 kHz in which somebody speaks."""

    start: int
    end: int


class Stretch(NamedTuple):
    """Speech that is heard together, in samples at 16 kHz."""

    start: int
    end: int
    speech: tuple[Region, ...]
    """The regions of speech in it, with the pauses left out."""

    @property
    def speech_s(self) -> float:
        """Seconds of speech, without the pauses."""
        return sum(end - start for start, end in self.speech) / SAMPLE_RATE


Detector = Callable[[Wave], list[Region]]
"""Finds the regions of speech in a wave at 16 kHz, in order."""


def silero(wave: Wave) -> list[Region]:
    """Finds speech by silero's network, which the faster-whisper package contains.

    It needs to hear a while before it tells speech: a single word that fills its recording is often overlooked. So in
    a short recording in which nobody is found, it looks again with silence around it.
    """
    found = _spoken(wave)
    if not found and len(wave) <= _WORD:
        inside = [
            (max(0, start - _QUIET), min(end - _QUIET, len(wave))) for start, end in _spoken(np.pad(wave, _QUIET))
        ]
        found = [Region(start, end) for start, end in inside if start < end]
    return found


def _spoken(wave: Wave) -> list[Region]:
    """Returns the regions of speech, divided at short pauses; a sound between long ones must have some length."""
    found = [Region(*span) for span in voiced(wave, pause_ms=_PAUSE_MS)]
    whole = joined(found, ())
    starts = [region.start for region in whole]
    around = [whole[bisect_right(starts, region.start) - 1] for region in found]
    return [region for region, sound in zip(found, around, strict=True) if sound.end - sound.start > _SHORTEST]


def pyannote(device: str) -> Detector:
    """Returns a detector by pyannote's network, which the whisperX package contains.

    Raises:
        ImportError: if whisperX isn't installed.
        OSError: if its weights are missing.
    """
    import torch
    from whisperx.vads.pyannote import Binarize, load_vad_model

    network = load_vad_model(torch.device(device))
    binarise = Binarize(onset=_ONSET, offset=_OFFSET)

    def regions(wave: Wave) -> list[Region]:
        found = binarise(network({"waveform": torch.from_numpy(wave)[None], "sample_rate": SAMPLE_RATE}))
        turns = [
            (max(0, round(turn.start * SAMPLE_RATE)), min(round(turn.end * SAMPLE_RATE), len(wave)))
            for turn in found.get_timeline().support()
        ]
        return [Region(start, end) for start, end in turns if start < end]

    return regions


def joined(regions: Sequence[Region], turns: Collection[int]) -> list[Region]:
    """Joins regions of speech over pauses of up to 0.16 s.

    Args:
        regions: In order.
        turns: The starts of regions at which another voice begins: they aren't joined to those before them.
    """
    whole: list[Region] = []
    for region in regions:
        if whole and region.start - whole[-1].end <= SHORT_PAUSE and region.start not in turns:
            whole[-1] = Region(whole[-1].start, region.end)
        else:
            whole.append(region)
    return whole


def gathered(
    regions: Sequence[Region], wave: Wave, longest_s: float, turns: Collection[int] = frozenset()
) -> list[Stretch]:
    """Gathers speech into stretches that end at pauses.

    Args:
        regions: The regions of speech, in order.
        wave: `[samples]` at 16 kHz.
        longest_s: Seconds; no stretch is longer. Speech without a pause for longer is divided at its quietest point.
        turns: The starts of regions at which another voice begins: no stretch spans one.

    Returns:
        The stretches, in order; they don't overlap, and every region is in one of them.
    """
    longest = round(longest_s * SAMPLE_RATE)
    rest = [piece for region in regions for piece in _divided(region, wave, longest)]
    breath = _BREATH if rest and rest[-1].end - rest[0].start > longest else _APART
    stretches = []
    while rest:
        count = _together(rest, longest, breath, turns)
        stretches.append(rest[:count])
        rest = rest[count:]
    befores = [0, *(speech[-1].end for speech in stretches)]
    afters = [*(speech[0].start for speech in stretches[1:]), len(wave)]
    return [
        Stretch(_out(speech[0].start, before, longest, speech), _in(speech[-1].end, after, longest, speech), (*speech,))
        for speech, before, after in zip(stretches, befores, afters, strict=False)
    ]


def _out(start: int, before: int, longest: int, speech: Sequence[Region]) -> int:
    return start - min(_ROOM, _spare(longest, speech), start if before == 0 else (start - before) // 2)


def _in(end: int, after: int, longest: int, speech: Sequence[Region]) -> int:
    return end + min(_ROOM, _spare(longest, speech), (after - end + 1) // 2)


def _spare(longest: int, speech: Sequence[Region]) -> int:
    return max(0, (longest - (speech[-1].end - speech[0].start)) // 2)


def _divided(region: Region, wave: Wave, longest: int) -> list[Region]:
    """Divides speech without a pause that is too long, at the quietest point of the second half of what fits."""
    pieces = []
    start, end = region
    while end - start > longest:
        half = start + longest // 2
        cut = half + quietest(wave[half : start + longest], SAMPLE_RATE)
        pieces.append(Region(start, cut))
        start = cut
    return [*pieces, Region(start, end)]


def _together(regions: Sequence[Region], longest: int, breath: int, turns: Collection[int]) -> int:
    """Returns how many of the first regions are heard together: up to the longest pause in the second half."""
    fit = 1
    while fit < len(regions) and regions[fit].end - regions[0].start <= longest:
        pause = regions[fit].start - regions[fit - 1].end
        if regions[fit].start in turns or pause > _APART:
            return fit
        enough = regions[fit - 1].end - regions[0].start >= _ENOUGH
        if pause > breath and enough and not _ends_soon(regions, fit, turns):
            return fit
        fit += 1
    if fit == len(regions):
        return fit
    late = [count for count in range(1, fit + 1) if regions[count - 1].end - regions[0].start >= longest // 2] or [fit]
    pauses = np.array([regions[count].start - regions[count - 1].end for count in late])
    return late[len(pauses) - 1 - int(pauses[::-1].argmax())]


def _ends_soon(regions: Sequence[Region], at: int, turns: Collection[int]) -> bool:
    """Returns whether a voice that speaks in a region gives way to another soon: too little to understand alone."""
    spoken = 0
    for place in range(at, len(regions)):
        if place > at and regions[place].start in turns:
            return True
        spoken += regions[place].end - regions[place].start
        if spoken >= _LITTLE:
            return False
    return False
