"""Which utterances of a dataset `data.min_s`, `data.max_s` and `data.languages` let through, and what they leave out.

Axes: N rows of the store.
"""

from dataclasses import dataclass

import numpy as np

from model.config import DataConfig
from model.data.source import Store
from model.sequences.spans import Bools


@dataclass(frozen=True, slots=True)
class Selection:
    """The utterances of a dataset that a run uses, for training or validation."""

    used_N: Bools
    total: int
    """Utterances in the dataset."""
    hours: float
    """Hours in the dataset."""
    used_hours: float
    left_out: tuple[str, ...]
    """How many utterances are left out, a text per key: "4 over `data.max_s` = 16". Each counts once."""

    def describe(self) -> str:
        """Returns "2 of 6 utterances, 32 % of the hours; 4 over `data.max_s` = 16", or "all 6 utterances"."""
        if not self.left_out:
            return f"all {self.total:,} utterances"
        share = _percent(self.used_hours / self.hours if self.hours else 0.0)
        used = f"{int(self.used_N.sum()):,} of {self.total:,} utterances, {share} of the hours"
        return "; ".join([used, *self.left_out])


def _percent(share: float) -> str:
    """Returns a share in per cent; never 100 % or 0 % of what isn't all or nothing."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "under 1 %" if share < 0.5 else "over 99 %"
    return f"{100 * share:.0f} %"


def select(store: Store, config: DataConfig) -> Selection:
    """Returns which utterances of a dataset are used, and by which keys the others are left out."""
    seconds_N = np.asarray(store.frames) / store.codec.frame_rate
    short_N, long_N = seconds_N < config.min_s, seconds_N > config.max_s
    reasons = [
        (short_N, f"under `data.min_s` = {config.min_s:g}"),
        (long_N, f"over `data.max_s` = {config.max_s:g}"),
    ]
    used_N = ~(short_N | long_N)
    if config.languages is not None:
        other_N = used_N & ~np.isin(np.asarray(store.languages), config.languages)
        reasons.append((other_N, f"not in `data.languages` = {', '.join(config.languages)}"))
        used_N &= ~other_N
    left_out = tuple(f"{int(out_N.sum()):,} {why}" for out_N, why in reasons if out_N.any())
    hours, used_hours = (float(part_N.sum()) / 3600 for part_N in (seconds_N, seconds_N[used_N]))
    return Selection(used_N, len(seconds_N), hours, used_hours, left_out)
