"""Aligns known English words by pocketsphinx. Its wheel contains an acoustic model and a dictionary.

It is a weak recogniser, but a good aligner. Numbers, and words that aren't in its dictionary, get their pronunciation
from espeak-ng.

Source: Huggins-Daines et al. 2006, PocketSphinx, https://doi.org/10.1109/ICASSP.2006.1659988.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from math import inf, log
from sys import float_info
from typing import Any, NamedTuple

import numpy as np

from stages.records import Wave
from stages.text import espeak

_FRAME_RATE = 100
_MISFIT_S = 3.0
_MISFIT = -3.4
"""Text and speech don't match where the mean score of the path's frames over `_MISFIT_S` is below this.

A frame's score is the logarithm of its probability on the path, relative to the likeliest sound followed there (as in
goodness of pronunciation: Witt and Young 2000, https://doi.org/10.1016/S0167-6393(99)00044-8).

Lowest mean scores measured: with the right text, -2.9 in 111 single clips of read English, and -2.4 in the nine
recordings that `pipeline.bench.hearing.alignment` joins from 102 of them. With the text of one clip or more missing at
the beginning or in between, -3.8 or less in each of 45 recordings. Of 18 texts that lack single words, no mismatch is
found with one word missing, 1 with two, 8 with three. With noise 15 dB below the speech, two of ten right texts are
taken for a mismatch; at 5 dB most.
"""
_BEAMS = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
"""Pruning thresholds, far below those for recognition, because the words are known."""
_HEARD_BEAMS = {"beam": 1e-36, "pbeam": 1e-36, "wbeam": 1e-30}
"""The same where the words were heard in that very sound. Of 1,788 borders of words 13 lay more than 50 ms elsewhere
than by `_BEAMS`, in a fifth less time; `_MISFIT` wasn't measured with them."""
_SPELT = re.compile(r"[a-z]+(?:'[a-z]+)*")

_PHONES = {
    **{"tʃ": "CH", "dʒ": "JH", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "ɔɪ": "OY", "əl": "AH L", "n̩": "AH N"},
    **{"iː": "IY", "uː": "UW", "ɑː": "AA", "ɔː": "AO", "oː": "AO", "ɜː": "ER", "i": "IY", "u": "UW", "ɑ": "AA"},
    **{"ɔ": "AO", "ɚ": "ER", "ɝ": "ER", "ɜ": "ER", "ɪ": "IH", "ᵻ": "IH", "ʊ": "UH", "ɛ": "EH", "æ": "AE", "a": "AA"},
    **{"ʌ": "AH", "ə": "AH", "ɐ": "AH", "o": "OW", "e": "EY", "ɒ": "AA", "θ": "TH", "ð": "DH", "ʃ": "SH", "ʒ": "ZH"},
    **{"ŋ": "NG", "ɹ": "R", "r": "R", "ɾ": "D", "j": "Y", "w": "W", "ʔ": "T", "x": "K", "ɡ": "G", "g": "G", "ɬ": "L"},
    **{letter: letter.upper() for letter in "bdfklmnpstvz"},
    "h": "HH",
}
"""espeak-ng's American English phonemes as phones of the CMU dictionary."""
_PHONE = re.compile("|".join(sorted(map(re.escape, _PHONES), key=len, reverse=True)))


def version() -> str:
    """Returns the version of pocketsphinx; "" if it isn't installed."""
    try:
        return metadata.version("pocketsphinx")
    except metadata.PackageNotFoundError:
        return ""


class Part(NamedTuple):
    """A word or a silence on the path, in frames."""

    is_word: bool
    start: int
    end: int
    score: float
    """Log probability, summed over its frames."""


class SphinxAligner:
    """Aligns by a pocketsphinx decoder, loaded once per worker.

    Args:
        heard: Whether the words were heard in the sound, so that they fit it.
    """

    name = "pocketsphinx"

    def __init__(self, *, heard: bool = False) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(lm=None, loglevel="FATAL", **(_HEARD_BEAMS if heard else _BEAMS))

    def prefix(self, wave: Wave, words: Sequence[str], *, whole: bool) -> list[tuple[float, float] | None] | None:
        """Places as many of the words as are spoken in a stretch, from the first word on.

        Args:
            wave: `[samples]` at 16 kHz. Silence may precede the words.
            words: The words, as written.
            whole: Whether all of the words must be placed.

        Returns:
            Start and end in seconds of each of the first words, None for one that is only punctuation. The list ends
            where words and speech don't fit (see `_MISFIT`); it is empty if no word is heard. None if the first words
            don't fit or, if `whole`, not all of them do.
        """
        spelt = [self._spelling(word) for word in words]
        chain = [(index, part) for index, parts in enumerate(spelt) for part in parts]
        if not chain:
            return [None] * len(words)
        self._decoder.add_fsg("words", self._grammar([part for _, part in chain], whole=whole))
        self._decoder.activate_search("words")
        path = self._path(wave)
        fitting = fitting_frames(path)
        placed = [(part.start, part.end) for part in path if part.is_word and part.end <= fitting]
        if whole and len(placed) < len(chain):
            return None
        if not placed:
            return None if any(part.is_word for part in path) else []
        spans: list[tuple[float, float] | None] = [None] * (len(words) if whole else chain[len(placed) - 1][0] + 1)
        for (index, _), (start, end) in zip(chain, placed, strict=False):
            first = spans[index]
            spans[index] = (first[0] if first else start / _FRAME_RATE, end / _FRAME_RATE)
        if len(placed) < len(chain) and chain[len(placed)][0] == chain[len(placed) - 1][0]:
            spans.pop()  # the last part of this word wasn't placed
        return spans

    def _path(self, wave: Wave) -> list[Part]:
        """Returns the words and silences on the best path; none if there is no path."""
        decoder = self._decoder
        decoder.start_utt()
        decoder.process_raw((np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        return [
            Part(part.word[0] not in "<[(", part.start_frame, part.end_frame + 1, log(max(part.ascore, float_info.min)))
            for part in decoder.seg() or ()  # None if there is no path
            if part.word != "</s>"
        ]

    def _grammar(self, parts: Sequence[str], *, whole: bool) -> Any:
        """Returns a grammar of the words in order; unless `whole`, it may end after any word."""
        from pocketsphinx import FsgModel

        end = len(parts) + 1
        grammar = FsgModel("words", self._decoder.get_logmath(), 1.0, end + 1)
        for state, part in enumerate(parts):
            grammar.trans_add(state, state + 1, 0, grammar.word_add(part))
        for state in (end - 1,) if whole else range(end):
            grammar.null_trans_add(state, end, 0)
        grammar.set_start_state(0)
        grammar.set_final_state(end)
        return grammar

    def _spelling(self, word: str) -> list[str]:
        """Returns the dictionary entries that spell a word; adds missing ones."""
        lower = word.lower().replace("’", "'")
        parts = _SPELT.findall(lower)
        if any(letter.isdigit() for letter in lower):
            parts = [lower.strip(".,;:!?\"'()[]")]  # a number, perhaps with a unit: pronounced as a whole
        return [entry for part in parts if (entry := self._entry(part))]

    def _entry(self, part: str) -> str:
        if self._decoder.lookup_word(part) is not None:
            return part
        entry = f"said_{part.encode().hex()}"
        if self._decoder.lookup_word(entry) is None:
            phones = " ".join(_PHONES[phone] for phone in _PHONE.findall(_spoken(part)))
            if not phones:
                return ""
            self._decoder.add_word(entry, phones, update=False)
        return entry


def fitting_frames(path: Sequence[Part]) -> float:
    """Returns the frame at which the first mismatch of `_MISFIT_S` begins; infinity if there is none."""
    if not path:
        return inf
    frames = [part.end - part.start for part in path]
    scores_T = np.repeat([part.score / length for part, length in zip(path, frames, strict=True)], frames)
    width = round(_MISFIT_S * _FRAME_RATE)
    if len(scores_T) < width:
        return inf
    totals = np.cumsum(np.concatenate([[0.0], scores_T]))
    low = np.flatnonzero(totals[width:] - totals[:-width] < _MISFIT * width)
    return path[0].start + int(low[0]) if len(low) else inf


@cache
def _backend() -> Any:
    espeak.configure()
    from phonemizer.backend import EspeakBackend

    return EspeakBackend("en-us", with_stress=False)


def _spoken(part: str) -> str:
    """Returns the phonemes of a word or a number."""
    phonemes: list[str] = _backend().phonemize([part], strip=True)
    return phonemes[0]
