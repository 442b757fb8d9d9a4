"""Joins the waves of a text's parts, with the pauses between them, whole or while they are made."""

from collections.abc import Sequence

import numpy as np

from stages.audio.silence import sound_edges
from stages.records import Wave

SILENCE_DB = 40.0
"""How far below the level of a part its beginning and end count as silence, in dB."""
RAMP_S = 0.01
"""Length over which a part fades in and out where it is joined."""


def joined(waves: Sequence[Wave], pauses_s: Sequence[float], sample_rate: int, *, lead_s: float = 0.0) -> Wave:
    """Joins waves.

    A pause is as long as asked, whatever silence the parts end and begin with: that counts, and what is too much is cut
    away. Where a part is joined it fades, so there is no click. A single wave without pauses is returned as it is.

    Args:
        waves: Mono, `[samples]` float32 each, at least one.
        pauses_s: Silence after each wave, in seconds; after the last, 0 leaves its end as it is.
        sample_rate: Hz.
        lead_s: Silence before the first wave; 0 leaves its beginning as it is.

    Returns:
        `[samples]` float32.
    """
    if len(waves) == 1 and not lead_s and not pauses_s[0]:
        return waves[0]
    joiner = Joiner(sample_rate, lead_s=lead_s)
    found: list[Wave] = []
    for number, (wave, pause_s) in enumerate(zip(waves, pauses_s, strict=True)):
        joiner.begin(pause_s=pause_s, last=number == len(waves) - 1)
        found.append(joiner.add(wave, final=True))
    return np.concatenate(found)


class Joiner:
    """Joins parts that become known bit by bit: for each, `begin`, then `add` what is known of it.

    Where silence ends and begins is judged by what is known, so a part that gets much louder or quieter than it began
    may keep a little more or less silence at its ends than in `joined`.

    Args:
        sample_rate: Hz.
        lead_s: Silence before the first part, in seconds; 0 leaves its beginning as it is.
    """

    def __init__(self, sample_rate: int, *, lead_s: float = 0.0) -> None:
        self._rate = sample_rate
        self._before = round(lead_s * sample_rate)
        self._left_over = 0
        """Samples of the pause before the part that are there already."""
        self._opened = lead_s > 0
        self._after, self._closed, self._last = 0, False, False
        self._sent: int | None = None
        """Up to where the part is sent; None before its first sample."""
        self._began = 0

    def begin(self, *, pause_s: float, last: bool) -> None:
        """Begins a part.

        Args:
            pause_s: Silence after it, in seconds.
            last: Whether it is the last; its end is then left as it is, if there is no pause after it.
        """
        self._after = round(pause_s * self._rate)
        self._closed = not last or pause_s > 0
        self._last = last
        self._sent = None

    def add(self, wave: Wave, *, final: bool) -> Wave:
        """Returns what can be heard now, `[samples]`.

        Args:
            wave: All that is known of the part, from its first sample on.
            final: Whether that is the whole part; the next one may then begin.
        """
        start, end, heard = self._edges(wave)
        if not heard and not final:
            return wave[:0]
        found: list[Wave] = []
        if self._sent is None:
            kept = min(start, self._before // 2)
            if self._opened:
                found.append(np.zeros(max(0, self._before - kept - self._left_over), np.float32))
            self._sent = self._began = start - kept
        kept_after = min(len(wave) - end, self._after // 2) if final else 0
        stop = end + kept_after if self._closed else len(wave)
        whole = stop - self._began
        ramp = min(round(RAMP_S * self._rate), max(0, whole) // 2)
        until = stop if final or not self._closed else stop - ramp
        if until > self._sent and (final or whole > 2 * ramp > 0):
            found.append(self._faded(wave, until, stop, ramp))
            self._sent = until
        if final:
            # What was sent too early of a part that turned out to end before it shortens the pause.
            self._left_over = kept_after + max(0, self._sent - stop)
            self._before, self._opened = self._after, True
            if self._last and self._after:
                found.append(np.zeros(max(0, self._after - self._left_over), np.float32))
        return np.concatenate(found) if found else wave[:0]

    def _edges(self, wave: Wave) -> tuple[int, int, bool]:
        """Returns where sound begins and ends, and whether there is any; without any, the whole wave."""
        edges = sound_edges(wave, self._rate, silence_db=SILENCE_DB) if len(wave) else None
        start, end = edges or (0, len(wave))
        return start if self._opened else 0, end, edges is not None

    def _faded(self, wave: Wave, until: int, stop: int, ramp: int) -> Wave:
        """Returns the wave from what was sent to `until`, with half a cosine at the ends that are joined."""
        assert self._sent is not None
        faded = wave[self._sent : until].copy()
        at = np.arange(self._sent, until)
        if self._opened:
            faded *= _rise(at - self._began, ramp)
        if self._closed:
            faded *= _rise(stop - 1 - at, ramp)
        return faded


def _rise(samples: "np.ndarray", ramp: int) -> Wave:
    """Returns half a cosine from 0 to 1 over the first `ramp` samples from an end."""
    if not ramp:
        return np.ones(len(samples), np.float32)
    phase = (np.clip(samples, 0, ramp) + 0.5) / ramp
    return np.where(samples < ramp, 0.5 - 0.5 * np.cos(np.pi * phase), 1.0).astype(np.float32)
