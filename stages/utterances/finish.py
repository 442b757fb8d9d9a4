"""Widens segments whose times are too narrow: to the pauses around what is said in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stages.audio.silence import DIGITAL, FRAME_S, frame_power, level_of
from stages.records import Segment, Transcript, Wave

_CONTEXT_S = 1.5
"""Seconds of the segment whose level is compared."""
_PAUSE_S = 0.15
"""Seconds. A shorter silence may be the stop of a consonant."""
_SHORT_PAUSE_S = 0.05
"""Seconds. The shortest silence that is a pause if a neighbour or the end of the recording follows, or if two
neighbours are so near that the sound on either side can only be theirs."""
_NEAR_S = 0.6
"""Seconds between two segments that are so near."""
_LEAST_DB = 15.0
"""dB between speech and background. In recordings with less, only digital silence is a pause."""
_OVER_NOISE_DB, _UNDER_SPEECH_DB, _SHARE, _RANGE_DB = 6.0, 30.0, 0.35, 60.0
"""A pause is at most this far over the background; or this far below the speech, or in the lower part of the range
between them. A background further below the speech counts as so far below."""
_QUIETEST = 0.05
"""The share of the frames that shows the background: a pause within reach may be short."""
_SMOOTH = 5
"""Frames over which the power is averaged."""
_BLUR = 3
"""Frames. Sound that goes on for no longer is the average's, or a margin's."""

Read = Callable[[int, int], Wave]
"""Reads the recording from one sample to another."""


def finished(
    pieces: Sequence[Segment],
    others: Sequence[Segment],
    transcript: Transcript,
    read: Read,
    *,
    reach: int,
    longest: int,
) -> list[Segment]:
    """Widens each segment that begins or ends in the middle of sound, to the next pause.

    A segment stays as it is where no pause lies within reach, before its neighbour: the sound may be the neighbour's.
    Of two that are near each other, each gets the sound on its side of the longest silence between them.

    Args:
        pieces: Sorted by time, without overlap.
        others: Segments that no cut may hold, among them marks without length.
        transcript: The recording.
        read: Reads its audio.
        reach: The furthest that a border is moved, in samples.
        longest: No segment is widened beyond this length, in samples.

    Returns:
        The segments, still without overlap.
    """
    rate = transcript.sample_rate
    pause = round(_PAUSE_S * rate)
    starts = sorted(other.start_samples for other in others)
    ends = sorted(other.end_samples for other in others)
    moved = list(pieces)
    for place in range(len(moved) - 1):
        left, right = moved[place : place + 2]
        between = [*_from(starts, left.end_samples), *_from(ends, left.end_samples)]
        if not any(time <= right.start_samples for time in between):
            moved[place : place + 2] = _apart(left, right, read, rate, reach=reach, longest=longest)
    for place, piece in enumerate(moved):
        start, end = piece.start_samples, piece.end_samples
        before = max([0, moved[place - 1].end_samples if place else 0, *_upto(ends, start)])
        after = min(
            [transcript.samples, *(later.start_samples for later in moved[place + 1 : place + 2]), *_from(starts, end)]
        )
        most = min(reach, max(0, longest - (end - start)))
        room = min(after, end + most + pause)
        end += _allowed(_on(read, start, end, room, rate, ends_there=room == after), most)
        most = min(reach, max(0, longest - (end - start)))
        room = max(before, start - most - pause)
        start -= _allowed(_back(read, start, end, room, rate, ends_there=room == before), most)
        moved[place] = replace(piece, start_samples=start, end_samples=end)
    return moved


def _apart(
    left: Segment, right: Segment, read: Read, rate: int, *, reach: int, longest: int
) -> tuple[Segment, Segment]:
    """Returns two neighbours that are near each other, each widened to the longest silence between them."""
    begin, end = left.end_samples, right.start_samples
    if not _SHORT_PAUSE_S * rate < end - begin <= _NEAR_S * rate:
        return left, right
    context = round(_CONTEXT_S * rate)
    first, last = max(left.start_samples, begin - context), min(right.end_samples, end + context)
    power, frame = _powers(read(first, last), rate)
    after, before = -(-(begin - first) // frame), (end - first) // frame
    if after < 1 or before > len(power) - 1:
        return left, right
    gap = power[after:before]
    later = _to_silence(gap, _threshold(power[:after], after)) * frame
    earlier = _to_silence(gap[::-1], _threshold(power[before:], len(power) - before)) * frame
    later = _allowed(later, min(reach, longest - (begin - left.start_samples)))
    earlier = _allowed(earlier, min(reach, longest - (right.end_samples - end)))
    if later + earlier > end - begin:
        return left, right
    return replace(left, end_samples=begin + later), replace(right, start_samples=end - earlier)


def _to_silence(power: npt.NDArray[np.float64], bound: float) -> int:
    """Returns the frames up to the longest silence; 0 if there is none, or hardly any sound before it."""
    edges = np.flatnonzero(np.diff((power <= bound).astype(np.int8), prepend=0, append=0))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    if not len(lengths) or lengths.max() < _SHORT_PAUSE_S / FRAME_S:
        return 0
    start = int(starts[lengths.argmax()])
    return start if start > _BLUR else 0


def _upto(times: Sequence[int], at: int) -> list[int]:
    """Returns the last of the times in order that isn't later; [] if there is none."""
    place = bisect_right(times, at)
    return list(times[max(0, place - 1) : place])


def _from(times: Sequence[int], at: int) -> list[int]:
    """Returns the first of the times in order that isn't earlier; [] if there is none."""
    place = bisect_left(times, at)
    return list(times[place : place + 1])


def _allowed(samples: int, most: int) -> int:
    return samples if samples <= most else 0


def _on(read: Read, start: int, end: int, limit: int, rate: int, *, ends_there: bool) -> int:
    """Returns for how many samples the sound at a segment's end goes on; 0 if that can't be told."""
    if limit - end < _SHORT_PAUSE_S * rate:
        return 0
    first = max(start, end - round(_CONTEXT_S * rate))
    return _sound_after(read(first, limit), end - first, rate, ends_there=ends_there)


def _back(read: Read, start: int, end: int, limit: int, rate: int, *, ends_there: bool) -> int:
    """Returns for how many samples the sound at a segment's start began earlier; 0 if that can't be told."""
    if start - limit < _SHORT_PAUSE_S * rate:
        return 0
    last = min(end, start + round(_CONTEXT_S * rate))
    return _sound_after(read(limit, last)[::-1], last - start, rate, ends_there=ends_there)


def _sound_after(wave: Wave, border: int, rate: int, *, ends_there: bool) -> int:
    """Returns for how many samples sound goes on after a border, up to a pause; 0 if there is no pause.

    Args:
        wave: Mono; up to the border it is the segment's.
        border: A sample of the wave.
        rate: Hz.
        ends_there: Whether a neighbour or the recording's end follows on the wave: then a short silence is a pause.
    """
    power, frame = _powers(wave, rate)
    at = -(-border // frame)
    if at < 1 or at >= len(power):
        return 0
    quiet = power[at:] <= _threshold(power, at)
    needed = round(_PAUSE_S / FRAME_S)
    run = 0
    for place in range(len(quiet) - 1, -1, -1):  # the length of each silence, from its first frame on
        run = run + 1 if quiet[place] else 0
        quiet[place] = run >= needed or (
            ends_there and run == len(quiet) - place and run >= round(_SHORT_PAUSE_S / FRAME_S)
        )
    pauses = np.flatnonzero(quiet)
    if not len(pauses) or pauses[0] <= _BLUR:
        return 0
    return max(0, (at + int(pauses[0])) * frame - border)


def _powers(wave: Wave, rate: int) -> tuple[npt.NDArray[np.float64], int]:
    """Returns the averaged power of each frame, and the samples in a frame."""
    power, frame = frame_power(wave, rate)
    return np.convolve(power, np.ones(_SMOOTH) / _SMOOTH, "same") if len(power) >= _SMOOTH else power, frame


def _threshold(power: npt.NDArray[np.float64], border: int) -> float:
    """Returns the power up to which a frame belongs to a pause; that of digital silence if no other can be told.

    Digital silence, as before a recording's first sound, says nothing of the background.
    """
    heard = power[power > DIGITAL]
    level = 10 * float(np.log10(level_of(power[:border])))
    floor = max(10 * float(np.log10(np.quantile(heard, _QUIETEST))), level - _RANGE_DB) if len(heard) else level
    if level - floor < _LEAST_DB:
        return DIGITAL
    decibels = max(floor + _OVER_NOISE_DB, min(floor + _SHARE * (level - floor), level - _UNDER_SPEECH_DB))
    return float(10 ** (decibels / 10))
