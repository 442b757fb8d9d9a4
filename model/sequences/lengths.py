"""How long the utterances of a training set are: what a model has learnt to say in one go.

A checkpoint keeps it, so that synthesis never asks for more.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from model.sequences.tokenizer import Tokenizer

_SHORT, _FEW, _USUAL, _MANY = 0.05, 0.01, 0.5, 0.99
"""The quantiles kept: of lengths, and of frames per symbol."""
_SECONDS_PER_SYMBOL = 0.03, 0.06, 0.12
"""Fewest, usual and most seconds per symbol where nothing was measured: about those of read English."""


_FASTER, _SLOWER, _EDGES = 0.8, 1.5, 8
"""How much faster and slower than its hundredth fastest and slowest utterances a training set's pace may be, and how
many symbols' time the silence at the ends may take: then hardly any utterance of unseen speakers is outside."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of the training utterances. A symbol is any character of a phoneme string, marks and spaces included."""

    short_frames: int
    """One utterance in twenty is shorter."""
    longest_frames: int
    """The longest utterance."""
    most_symbols: int
    """Symbols of the longest text."""
    fewest_per_symbol: float
    """Frames per symbol of the fastest utterances: one in a hundred has fewer."""
    usual_per_symbol: float
    """The median of frames per symbol."""
    most_per_symbol: float
    """Frames per symbol of the slowest utterances: one in a hundred has more."""

    @classmethod
    def measured(cls, frames_N: npt.NDArray[np.int64], symbols_N: npt.NDArray[np.int64], longest_frames: int) -> Self:
        """Measures utterances.

        Args:
            frames_N: Frames of each utterance, or of a sample of them.
            symbols_N: Symbols of each; none of them 0.
            longest_frames: Of all utterances, or of several joined if those are trained on.
        """
        fewest, usual, most = np.quantile(frames_N / symbols_N, (_FEW, _USUAL, _MANY)).tolist()
        joined = longest_frames > int(frames_N.max())
        symbols = max(int(symbols_N.max()), round(longest_frames / usual) if joined else 0)
        return cls(int(np.quantile(frames_N, _SHORT)), longest_frames, symbols, fewest, usual, most)

    @classmethod
    def assumed(cls, *, frame_rate: float, min_s: float, max_s: float) -> Self:
        """Assumes lengths for a model that doesn't know them, from its `data.min_s` and `data.max_s`."""
        fewest, usual, most = (seconds * frame_rate for seconds in _SECONDS_PER_SYMBOL)
        longest = int(max_s * frame_rate)
        return cls(round(min_s * frame_rate), longest, round(longest / usual), fewest, usual, most)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self | None:
        """Returns what a checkpoint keeps; None for an older one, which keeps nothing."""
        return None if kept is None else cls(**kept)

    def expected_frames(self, symbols: int) -> float:
        """Returns how many frames a text of so many symbols usually takes."""
        return symbols * self.usual_per_symbol

    def possible_frames(self, symbols: int) -> tuple[int, int]:
        """Returns the fewest and the most frames that a text of so many symbols can take."""
        edges = _EDGES * self.usual_per_symbol
        fewest, most = _FASTER * self.fewest_per_symbol * symbols, _SLOWER * self.most_per_symbol * symbols
        return max(1, math.ceil(fewest - edges)), math.ceil(most + edges)

    def usual_frames(self, tokenizer: Tokenizer, phonemes: str) -> tuple[int, int, int]:
        """Returns the fewest, the usual and the most frames of a text by the training set's pace.

        Where the frames of each symbol were measured (`model.text_spacing`), the usual length is their sum, and the
        others are as far from it as the hundredth fastest and slowest utterances of the training set are from the
        median.
        """
        if tokenizer.paces:
            usual = tokenizer.frames_of(tokenizer.encode(phonemes)).total
            by = usual / self.usual_per_symbol
            return int(by * self.fewest_per_symbol), max(1, round(usual)), math.ceil(by * self.most_per_symbol)
        fewest, most = self.possible_frames(len(phonemes))
        return fewest, max(1, round(self.expected_frames(len(phonemes)))), most

    def fits(self, symbols: int) -> bool:
        """Returns whether a text of so many symbols is no longer than what was trained on."""
        return symbols <= self.most_symbols and self.expected_frames(symbols) <= self.longest_frames

    def is_short(self, symbols: int) -> bool:
        """Returns whether hardly any training utterance is as short as a text of so many symbols."""
        return self.expected_frames(symbols) < self.short_frames
