"""Placing known English words in time by pocketsphinx, whose acoustic model and dictionary come inside its wheel.

As a recogniser it is weak; where the words are known it finds them well. Words that its dictionary lacks, and numbers,
are said as espeak-ng says them.

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
"""Text and speech don't fit where the path's frames have a lower mean score over `_MISFIT_S`.

A score is the logarithm of how probable a frame is where the path has it, against the likeliest of the sounds followed
there (as goodness of pronunciation: Witt and Young 2000, https://doi.org/10.1016/S0167-6393(99)00044-8).

The lowest in texts that fit: -2.9 in 111 single clips of read English, -2.4 in the nine recordings that
`pipeline.bench.alignment` joins of 102 of them; with the text of a clip or more left out at the beginning or in between
it was -3.8 or less in each of 45 recordings. Of 18 texts that lack single words, no misfit is found where one is
missing, 1 with two, 8 with three. Of ten with noise 15 dB under the speech, two seem not to fit; at 5 dB most.
"""
_BEAMS = {"beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
"""How improbable a path may be and yet be followed: much more so than in recognising, since the words are given."""
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
"""espeak-ng's American English phonemes in the phones of the CMU dictionary."""
_PHONE = re.compile("|".join(sorted(map(re.escape, _PHONES), key=len, reverse=True)))


def version() -> str:
    """Returns the version of pocketsphinx; "" where it isn't installed."""
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
    """The logarithm of its probability: the sum over its frames."""


class SphinxAligner:
    """A pocketsphinx decoder that is given the words, held for the life of a worker."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(lm=None, loglevel="FATAL", **_BEAMS)

    def prefix(self, wave: Wave, words: Sequence[str], *, whole: bool) -> list[tuple[float, float] | None] | None:
        """Places as many of the words as are said in a stretch of speech, from the first on.

        Args:
            wave: `[samples]` at 16 kHz; the words begin in it, with any silence before them.
            words: As they are written.
            whole: Whether all of them are said in it.

        Returns:
            Start and end in seconds of each of the first words, None for one that is only punctuation; none from where
            words and speech don't fit (see `_MISFIT`), empty if none is heard. None if the first words don't fit, or,
            where `whole`, not all do.
        """
        spelt = [self._spelling(word) for word in words]
        chain = [(index, part) for index, parts in enumerate(spelt) for part in parts]
        if not chain:
            return [None] * len(words)
        self._decoder.add_fsg("words", self._grammar([part for _, part in chain], whole=whole))
        self._decoder.activate_search("words")
        path = self._path(wave)
        fitting = fitting_frames(path)
        said = [(part.start, part.end) for part in path if part.is_word and part.end <= fitting]
        if whole and len(said) < len(chain):
            return None
        if not said:
            return None if any(part.is_word for part in path) else []
        spans: list[tuple[float, float] | None] = [None] * (len(words) if whole else chain[len(said) - 1][0] + 1)
        for (index, _), (start, end) in zip(chain, said, strict=False):
            first = spans[index]
            spans[index] = (first[0] if first else start / _FRAME_RATE, end / _FRAME_RATE)
        if len(said) < len(chain) and chain[len(said)][0] == chain[len(said) - 1][0]:
            spans.pop()  # its last part isn't said any more
        return spans

    def _path(self, wave: Wave) -> list[Part]:
        """Returns the words and the silences on the best path; none where there is no path."""
        decoder = self._decoder
        decoder.start_utt()
        decoder.process_raw((np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        return [
            Part(part.word[0] not in "<[(", part.start_frame, part.end_frame + 1, log(max(part.ascore, float_info.min)))
            for part in decoder.seg()
            if part.word != "</s>"
        ]

    def _grammar(self, parts: Sequence[str], *, whole: bool) -> Any:
        """Returns the grammar of the words one after the other; where not all are said, it may end after any."""
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
        """Returns the entries of the dictionary that say a word; adds what it lacks."""
        lower = word.lower().replace("’", "'")
        parts = _SPELT.findall(lower)
        if any(letter.isdigit() for letter in lower):
            parts = [lower.strip(".,;:!?\"'()[]")]  # a number, perhaps with a unit: said as a whole
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
    """Returns how many frames of a path fit, before the first `_MISFIT_S` that don't; infinity where all do."""
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
    said: list[str] = _backend().phonemize([part], strip=True)
    return said[0]
