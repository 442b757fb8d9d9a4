"""Times for words that are known: long recordings with their text and nothing else, so that they can be cut.

The recording is gone through in windows: each is given the words that follow, and says where as many of them are as it
holds. What comes near a window's end is left to the next. So memory doesn't grow with the recording.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from stages.errors import TextError
from stages.records import Wave
from stages.text.languages import CLOSING_MARKS, SENTENCE_ENDS, is_spaced

SAMPLE_RATE = 16_000
"""Hz, of what the aligners hear."""

_WINDOW_S = 30.0
_UNSURE_S = 3.0
"""Words so near a window's end are placed by the next window."""
_WORDS_PER_S = 6
"""More than anybody says."""
_LETTERS_PER_S = 12
"""The same where each character is a word, as are commas and full stops."""
_PREAMBLE_S = 60.0
"""What is said before the text begins is passed over if it isn't longer."""
_STEP_S = 0.5
_HEARD_S = 8.0
_FITTING_S = 5.0
"""Of `_HEARD_S` so much must fit the first words: then the text begins there, or a little later."""
_DOUBTFUL_S = 3.0
"""Words that begin so soon after that may lie where others are said: they are left out."""
_CHOICE_S = 3.0
"""So are those until the longest pause in so many seconds more."""
_CROWDED = 10
_CROWDED_S = 1.2
"""So many words in so short a time were not said: their text is missing from the recording."""
_LOST_AT_THE_END = 3
"""Words at the end of a text that need not be found."""
_PAUSE_S = 0.5
"""A pause that ends a segment."""
_STOP_S = 0.15
"""A pause that ends a segment after a sentence."""
_FRAME = 160
"""Samples in 10 ms."""
_LOUD_DB = 15.0
"""Sound is less than so much under the mean level of the placed words."""
_UNTOLD_S = 0.5
"""So many seconds of sound apart from all words are speech that the text lacks, not a breath or a click."""
_UNTOLD_PAUSE_S = 2.0
"""Pauses between words that are shorter hold none: `slice` may join what is on either side of them."""
_LOST_SOUND_S = 2.5
"""More sound at the end than this isn't the few words that weren't found."""

Span = tuple[float, float]


class Aligner(Protocol):
    """What places the words of one language."""

    name: str

    def prefix(self, wave: Wave, words: Sequence[str], *, whole: bool) -> Sequence[Span | None] | None:
        """Places as many of the words as are said in a stretch of speech at 16 kHz, all of them where `whole`.

        Returns:
            Start and end in seconds for each of the first words, None for one that isn't spoken; empty if none of them
            is heard; None if they don't fit the speech.
        """


def tokens_of(text: str, language: str) -> list[str]:
    """Returns the words of a text; its characters in languages that are written without spaces."""
    return text.split() if is_spaced(language) else [letter for letter in text if not letter.isspace()]


def align(wave: Wave, text: str, language: str, aligner: Aligner) -> dict[str, Any]:
    """Gives a known text its times.

    Args:
        wave: The whole recording, `[samples]` at 16 kHz.
        text: All that is said in it, in order.
        language: ISO 639-1.
        aligner: What places the words.

    Returns:
        A whisperX-shaped transcript: segments that end at pauses, each with its words; times in seconds. `untold` holds
        the start and the end of each stretch of sound apart from all words: before the first, after the last, or in a
        long pause. What is said before the text begins is passed over, and with it the first words of the text.

    Raises:
        TextError: if the text doesn't fit what is said.
    """
    words = tokens_of(text, language)
    per_s = _WORDS_PER_S if is_spaced(language) else _LETTERS_PER_S
    spans, sure_s = _place_from_start(wave, words, aligner, per_s)
    _check(words, spans)
    found = len(spans)
    spans += [None] * (len(words) - found)
    sounds = list(_sounds(wave, words, spans))
    if found < len(words) and any(sound.next == len(words) and sound.loud_s > _LOST_SOUND_S for sound in sounds):
        raise _misfit(words, found)
    first = _first_sure(spans, sure_s)
    if first is None:
        raise _misfit(words, 0)
    space = " " if is_spaced(language) else ""
    segments = [_segment(run, space) for run in _runs(words[first:], spans[first:])]
    if spans[-1] is None:
        segments[-1]["end"] = len(wave) / SAMPLE_RATE
    untold = [sound.span for sound in sounds if not sound.told]
    if first:
        begin = segments[0]["start"]
        untold = [(0.0, max(span[1] for span in spans[:first] if span)), *(span for span in untold if span[0] > begin)]
    return {"segments": segments, "untold": untold}


def _first_sure(spans: Sequence[Span | None], sure_s: float) -> int | None:
    """Returns the first word if it begins no earlier, else that after the longest pause a little later, if any."""
    placed = [(n, span) for n, span in enumerate(spans) if span]
    if placed[0][1][0] >= sure_s:
        return 0
    pauses = {
        n: span[0] - before[1] for (_, before), (n, span) in pairwise(placed) if 0 <= span[0] - sure_s < _CHOICE_S
    }
    return max(pauses, key=lambda n: pauses[n], default=None)


def _place_from_start(
    wave: Wave, words: Sequence[str], aligner: Aligner, per_s: int
) -> tuple[list[Span | None], float]:
    """Returns what `_place` does, and from when on that is sure.

    That is the beginning or, where the text doesn't fit there, a while after it first does.
    """
    reach = round(_WINDOW_S * per_s)
    try:
        return _place(wave, words, aligner, reach=reach), 0.0
    except TextError:
        start = _start(wave, words[: round(_HEARD_S * per_s)], aligner)
        if not start:
            raise
        spans = _place(wave[start:], words, aligner, reach=reach)
        return [_moved(span, start) for span in spans], start / SAMPLE_RATE + _DOUBTFUL_S


def _start(wave: Wave, words: Sequence[str], aligner: Aligner) -> int | None:
    """Returns the sample from which on the first words fit; None where they do nowhere in the first minute."""
    heard = round(_HEARD_S * SAMPLE_RATE)
    for position in range(0, min(round(_PREAMBLE_S * SAMPLE_RATE), len(wave) - heard), round(_STEP_S * SAMPLE_RATE)):
        found = aligner.prefix(wave[position : position + heard], words, whole=False) or ()
        if max((span[1] for span in found if span), default=0.0) > _FITTING_S:
            return position
    return None


def _place(wave: Wave, words: Sequence[str], aligner: Aligner, *, reach: int) -> list[Span | None]:
    """Returns the times of the words, less a few at the end that aren't found; a window holds no more than `reach`."""
    window, unsure = round(_WINDOW_S * SAMPLE_RATE), round(_UNSURE_S * SAMPLE_RATE)
    spans: list[Span | None] = []
    position = 0
    while len(spans) < len(words):
        rest = words[len(spans) :]
        heard, last = wave[position : position + window], position + window >= len(wave)
        whole = last and len(rest) <= reach
        found = aligner.prefix(heard, rest[:reach], whole=whole)
        if found is None and whole:  # the last words may be cut off, or never said: the segment ends with the sound
            found = aligner.prefix(heard, rest, whole=False)
        if last:
            found = found or ()
            if len(rest) - len(found) > _LOST_AT_THE_END:
                raise _misfit(words, len(spans) + len(found))
            return spans + [_moved(span, position) for span in found]
        if found is None:
            raise _misfit(words, len(spans))
        sure = (window - unsure) / SAMPLE_RATE
        kept = next((n for n, span in enumerate(found) if span and span[1] > sure), len(found))
        placed = [_moved(span, position) for span in found[:kept]]
        ends = [span[1] for span in placed if span]
        spans += placed
        position = round(ends[-1] * SAMPLE_RATE) if ends else position + window - unsure
    return spans


def _moved(span: Span | None, samples: int) -> Span | None:
    return span and (span[0] + samples / SAMPLE_RATE, span[1] + samples / SAMPLE_RATE)


def _check(words: Sequence[str], spans: Sequence[Span | None]) -> None:
    placed = [(n, span) for n, span in enumerate(spans) if span]
    if not placed:
        raise _misfit(words, 0)
    for (n, first), (_, last) in zip(placed, placed[_CROWDED - 1 :], strict=False):
        if last[1] - first[0] < _CROWDED_S:
            raise _misfit(words, n)


def _misfit(words: Sequence[str], at: int) -> TextError:
    near = " ".join(words[at : at + 6])
    return TextError(f"its text must be all that is said in it, but doesn't fit from `{near}` on (word {at + 1})")


class _Sound(NamedTuple):
    """What is heard between two placed words, or before or after all."""

    span: Span
    loud_s: float
    next: int
    """The placed word after it; the number of words where there is none."""
    told: bool
    """Whether it may be words of the text that have no times."""


def _sounds(wave: Wave, words: Sequence[str], spans: Sequence[Span | None]) -> Iterator[_Sound]:
    """Yields the sounds apart from the placed words."""
    placed = [(n, span) for n, span in enumerate(spans) if span]
    pieces = [wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] for _, (start, end) in placed]
    level = sum(float(np.dot(piece, piece)) for piece in pieces) / max(1, sum(map(len, pieces)))
    least = level * 10 ** (-_LOUD_DB / 10) * _FRAME
    befores = [(-1, 0.0), *((n, end) for n, (_, end) in placed)]
    afters = [*((n, start) for n, (start, _) in placed), (len(words), len(wave) / SAMPLE_RATE)]
    for (before, start), (after, end) in zip(befores, afters, strict=True):
        if end - start < (_UNTOLD_S if before < 0 or after == len(words) else _UNTOLD_PAUSE_S):
            continue
        samples = wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
        loud = np.flatnonzero(np.einsum("ij,ij->i", frames, frames) > least)
        if len(loud) * _FRAME >= _UNTOLD_S * SAMPLE_RATE:
            first, last = (start + at * _FRAME / SAMPLE_RATE for at in (loud[0], loud[-1] + 1))
            told = any(letter.isalnum() for word in words[before + 1 : after] for letter in word)
            yield _Sound((float(first), float(last)), len(loud) * _FRAME / SAMPLE_RATE, after, told)


def _runs(words: Sequence[str], spans: Sequence[Span | None]) -> Iterator[list[tuple[str, Span | None]]]:
    """Yields the words of each segment."""
    run: list[tuple[str, Span | None]] = []
    end: float | None = None
    for word, span in zip(words, spans, strict=True):
        if run and span and end is not None:
            pause = span[0] - end
            stops = run[-1][0].rstrip(CLOSING_MARKS).endswith(SENTENCE_ENDS)
            if pause >= (_STOP_S if stops else _PAUSE_S):
                yield run
                run = []
        run.append((word, span))
        end = span[1] if span else end
    if run:
        yield run


def _segment(run: Sequence[tuple[str, Span | None]], space: str) -> dict[str, Any]:
    times = [span for _, span in run if span]
    return {
        "start": times[0][0],
        "end": times[-1][1],
        "text": space.join(word for word, _ in run),
        "words": [{"word": word} | ({"start": span[0], "end": span[1]} if span else {}) for word, span in run],
    }
