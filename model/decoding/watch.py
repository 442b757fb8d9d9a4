"""Watches responses while they are decoded: finds those that repeat themselves, and those that have fallen silent.

Axes: B batch, T frames, H last frames of a row, P periods, W frames of a window.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

CHECK_FRAMES = 16
"""Frames between two looks at a response."""

_LONGEST_PERIOD_S, _REPEATED_S, _SILENCE_S, _NEAR_S = 1.5, 1.5, 5.0, 0.05
"""With these and the shares below, nothing but true silences is seen in real speech (docs/speaking.md)."""


class Seen(NamedTuple):
    """What a watch sees in a batch."""

    loops_B: Tensor
    """Bool: the response repeats itself."""
    silent_B: Tensor
    """Bool: it has been silent, or a steady sound, for too long."""
    kept_B: Tensor
    """int64, at least 1: the frames before the repeats or the silence, of which half a second may stay; all where
    nothing was seen."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What counts as a repeat or a silence in codes of codebook 0. A look needs no exchange with the device.

    A frame is fresh if its code is neither silence nor one of the last `near` frames. In a steady sound or a noise,
    codes come again at any distance, in words they don't: so only fresh frames tell whether something repeats itself.
    """

    silent: tuple[int, ...]
    """The codes of silence; see `stages.codecs.silence`."""
    longest_period: int
    """Frames of the longest repeat that is looked for."""
    repeated_frames: int
    """Fewest frames that must repeat those one period before."""
    silence_frames: int
    """Frames that a silence, or a steady sound, must last."""
    near: int
    """Frames back to which codes that come again aren't fresh."""
    repeats: int = 2
    """Fewest times that something must come again."""
    alike: float = 0.7
    """Share of the fresh frames that must repeat."""
    least_fresh: float = 0.1
    """Share of frames that must be fresh in something that repeats."""
    still: float = 0.9
    """Share of frames that mustn't be fresh in a silence."""

    @classmethod
    def at(cls, frame_rate: float, silent: tuple[int, ...]) -> Self:
        """Returns the watch for a codec, given its frames per second and its codes of silence."""
        seconds = _LONGEST_PERIOD_S, _REPEATED_S, _SILENCE_S, _NEAR_S
        return cls(silent, *(max(1, round(length_s * frame_rate)) for length_s in seconds))

    def look(self, codes_BT: Tensor, lengths_B: Tensor) -> Seen:
        """Looks at the end of each response.

        Args:
            codes_BT: int64, codebook 0 so far; anything from a row's length on.
            lengths_B: int64, frames of each row, at most T.
        """
        recent_BH = self._recent(codes_BT, lengths_B)
        fresh_BH = self._fresh(recent_BH)
        loops_B, loop_frames_B = self._loops(recent_BH, fresh_BH, lengths_B)
        still_B = (~fresh_BH[:, -self.silence_frames :]).sum(1) >= self.still * self.silence_frames
        silent_B = still_B & (lengths_B >= self.silence_frames) & ~loops_B
        # What may be fresh in a silence may be the end of what was said: it stays.
        seen_B = loop_frames_B * loops_B + int(self.still * self.silence_frames) * silent_B
        return Seen(loops_B, silent_B, (lengths_B - seen_B).clamp_min(1))

    def first(self, codes_T: Tensor) -> tuple[Literal["loop", "silence"], int] | None:
        """Looks at a whole response as it would have been looked at while it was made.

        Returns:
            What is seen first, and the frames before it; None if all is well.
        """
        frames = len(codes_T)
        lengths_B = torch.tensor([*range(CHECK_FRAMES, frames, CHECK_FRAMES), frames], device=codes_T.device)
        seen = self.look(codes_T.expand(len(lengths_B), frames), lengths_B)
        found = (seen.loops_B | seen.silent_B).nonzero().flatten().tolist()
        if not found:
            return None
        return "loop" if seen.loops_B[found[0]] else "silence", int(seen.kept_B[found[0]])

    def _window(self, period: int) -> int:
        """Returns how many frames must be as those one period before."""
        return max(self.repeated_frames, self.repeats * period)

    def _recent(self, codes_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Returns the last frames of each row, `[B, H]`, as many as a look needs; -1 before a row's beginning."""
        reach = self.longest_period + self._window(self.longest_period)
        needed = self.near + max(reach, self.silence_frames)
        places_BH = lengths_B[:, None] - needed + torch.arange(needed, device=codes_BT.device)
        return codes_BT.gather(1, places_BH.clamp_min(0)).where(places_BH >= 0, -1)

    def _fresh(self, recent_BH: Tensor) -> Tensor:
        """Returns which frames are fresh, `[B, H]`; the first `near` aren't told."""
        silent_BH = _members(self.silent, recent_BH.device)[recent_BH.clamp(0, max(self.silent, default=-1) + 1)]
        fresh_BH = ~silent_BH & (recent_BH >= 0)
        for back in range(1, self.near + 1):
            fresh_BH[:, back:] &= recent_BH[:, back:] != recent_BH[:, :-back]
        return fresh_BH

    def _loops(self, recent_BH: Tensor, fresh_BH: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Returns which rows repeat themselves, and the frames from the first that does, by the shortest period."""
        widest = self._window(self.longest_period)
        last = recent_BH.shape[1] - widest
        # Row p - 1 of the periods: the window that ends p frames before the row does.
        before_BPW = recent_BH.unfold(1, widest, 1)[:, last - self.longest_period : last].flip(1)
        inside_PW, windows_P, needed_P = _windows(self, recent_BH.device)
        counted_BPW = fresh_BH[:, None, -widest:] & inside_PW
        same_BPW = counted_BPW & (before_BPW == recent_BH[:, None, -widest:])
        alike_BP, counted_BP = same_BPW.sum(-1), counted_BPW.sum(-1)
        loops_BP = (alike_BP >= self.alike * counted_BP) & (counted_BP >= self.least_fresh * windows_P)
        loops_BP &= lengths_B[:, None] >= needed_P
        rows_B = torch.arange(len(recent_BH), device=recent_BH.device)
        same_BW = same_BPW[rows_B, loops_BP.int().argmax(1)]
        return loops_BP.any(1), widest - same_BW.int().argmax(1)


@lru_cache(maxsize=16)
def _members(codes: tuple[int, ...], device: torch.device) -> Tensor:
    """Returns a table of the codes that are members, one longer than the greatest of them, which is False."""
    table = torch.zeros(max(codes, default=-1) + 2, dtype=torch.bool)
    table[list(codes)] = True
    return table.to(device)


@lru_cache(maxsize=16)
def _windows(watch: Watch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns, by period: the frames inside its window `[P, W]`, their number, and the frames that a row must have."""
    periods_P = torch.arange(1, watch.longest_period + 1)
    windows_P = torch.tensor([watch._window(period) for period in periods_P.tolist()])
    widest = int(windows_P[-1])
    inside_PW = torch.arange(widest) >= widest - windows_P[:, None]
    return inside_PW.to(device), windows_P.to(device), (windows_P + periods_P).to(device)
