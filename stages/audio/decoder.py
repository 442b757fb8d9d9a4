"""What a decoder is, and what all of them share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError

Channels = npt.NDArray[np.float32]
"""`[samples, channels]`."""

BLOCK_VALUES = 1 << 19
"""Values, of all channels, decoded at a time."""
HEADLESS = frozenset(
    {"s8", "u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be"} | {"mulaw", "alaw"}
)
"""FFmpeg's names of codings that say nothing of rate and channels."""
RAW_CODINGS = HEADLESS | {"g722", "gsm"}
"""FFmpeg's names of the codings of files without a header."""


class Decoder(Protocol):
    """Decodes one file."""

    rate: int
    """Hz."""
    channels: int
    samples: int | None
    """Length per channel; None if only decoding tells."""
    late_s: float
    """Seconds by which the track begins later than the file."""
    floats: bool
    """Whether the file holds floating-point numbers, which may have any scale."""

    def blocks(self) -> Iterator[Channels]:
        """Decodes the file from its start; raises `AudioError` if it is damaged or breaks off."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The told format of files without a header."""

    coding: str
    """FFmpeg's name of the coding, such as `s16le`, `mulaw` or `g722`."""
    rate: int
    """Hz."""
    channels: int

    def __str__(self) -> str:
        return f"{self.coding} {self.rate} {self.channels}"


def check_same(path: Path, decoder: Decoder, rate: int, channels: int) -> None:
    """Raises `AudioError` if sound has another rate or number of channels than it began with."""
    if rate != decoder.rate or channels != decoder.channels:
        now = f"{rate} Hz, {channels} channels"
        raise AudioError(
            f"`{path}` must have one rate and one number of channels, but begins with {decoder.rate} Hz,"
            f" {decoder.channels} channels and goes on with {now}. Split it, or convert its parts to one format.",
            "MixedFormats",
        )


def broken_off(path: Path, wanted_s: float, found_s: float) -> AudioError:
    """Returns the error of a file that holds less than it announces."""
    return AudioError(
        f"`{path}` must hold the {wanted_s:.2f} s that its header announces, but breaks off after {found_s:.2f} s."
        " Copy it again.",
        "Truncated",
    )
