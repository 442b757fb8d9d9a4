"""Stretches of a dataset's rows: what is drawn before any codes are read, and the codes once they are.

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
    """What spans are read from."""

    codec: CodecIdentity

    def codes(self, index: int) -> Codes:
        """Returns a row's codes, `[K, T]`."""

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Returns the codes of what was made of a row, `[K, T]`; as long as the row."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames `start` to `stop` of a row."""

    row: int
    start: int
    stop: int
    kind: Mixture | None = None
    """Of what `valle-prep mix` made of the row; None for the row itself."""
    replaced: bool = False
    """Whether something else is to stand there."""

    def __len__(self) -> int:
        """Number of frames."""
        return self.stop - self.start


def read_spans(source: CodesSource, spans: Sequence[Span]) -> Codes:
    """Reads stretches, joined, `[K, T]`."""
    parts = [_row(source, span)[:, span.start : span.stop] for span in spans]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts, 1) if parts else np.zeros((source.codec.num_codebooks, 0), np.uint16)


def _row(source: CodesSource, span: Span) -> Codes:
    return source.codes(span.row) if span.kind is None else source.mixture(span.kind, span.row)


def replaced(spans: Sequence[Span]) -> Bools | None:
    """Returns which of the frames of stretches, joined, are to be replaced, `[T]`; None for none."""
    if not any(span.replaced for span in spans):
        return None
    return np.repeat([span.replaced for span in spans], list(map(len, spans)))
