"""Spans of a dataset's rows: drawn first, without reading codes, and read later.

Axes: K codebooks, T frames, N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stages.ids import Mixture
from stages.records import CodecIdentity, Codes

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class CodesSource(Protocol):
    """A dataset that spans are read from."""

    codec: CodecIdentity

    def codes(self, index: int) -> Codes:
        """Reads a row's codes, `[K, T]`."""

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Reads the codes of a row's mixture, `[K, T]`, with the row's number of frames."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames `start` to `stop` of a row."""

    row: int
    start: int
    stop: int
    kind: Mixture | None = None
    """A mixture that `valle-prep mix` made from the row; None for the row itself."""
    replaced: bool = False
    """Whether the task asks to replace these frames."""

    def __len__(self) -> int:
        """Number of frames."""
        return self.stop - self.start


def read_spans(source: CodesSource, spans: Sequence[Span]) -> Codes:
    """Reads the codes of spans and joins them, `[K, T]`."""
    parts = [_row(source, span)[:, span.start : span.stop] for span in spans]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts, 1) if parts else np.zeros((source.codec.num_codebooks, 0), np.uint16)


def _row(source: CodesSource, span: Span) -> Codes:
    return source.codes(span.row) if span.kind is None else source.mixture(span.kind, span.row)


def replaced(spans: Sequence[Span]) -> Bools | None:
    """Returns which frames of the joined spans to replace, `[T]`; None for none."""
    if not any(span.replaced for span in spans):
        return None
    return np.repeat([span.replaced for span in spans], list(map(len, spans)))
