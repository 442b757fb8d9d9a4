"""Gives the words that whisper heard their times, by the best aligner at hand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

from stages.hearing import sphinx
from stages.hearing.alignment import Span, segments_of, tokens_of
from stages.hearing.asr.activity import Region, Stretch, gathered
from stages.hearing.asr.decoding import Decoded, Decoder
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.timing import Times
from stages.hearing.wav2vec import Aligners, default_at_hand
from stages.records import Wave
from stages.text.languages import is_spaced

_PAUSE_S = 0.25
"""Words that attention placed are moved to the pauses of the speech that are at least this long."""
_FAR_S = 0.6
"""A pause with no border of words nearer than this isn't one of theirs."""
_LOST_S = 1.0
"""Speech of this length without a word near it was lost, and is heard again."""
_NEAR_S = 0.25
"""A word covers the speech this close to it."""
_WORD_S = 1.2
"""Longest word; attention lets the first one begin with the sound, and the last one reach to its end."""
_ALONE_S = 8.0
"""Longest stretch in which lost speech is heard again, in seconds."""
_APART_S = 0.3
"""There, a stretch ends at longer pauses where words were placed on other speech than theirs."""
_SPARSE = {True: 11.0, False: 4.4}
"""Letters a second of speech, by whether the language has spaces, below which the words of a stretch that is a whole
recording are placed, to see whether some speech has none. Of 102 clips of read English four have fewer."""


_MARKS = ".,;:!?\"'()…"


class Piece(NamedTuple):
    """A stretch of speech with what was heard in it."""

    stretch: Stretch
    text: Decoded


@dataclass(frozen=True, slots=True)
class Placed:
    """The words of a recording with their times."""

    segments: list[dict[str, Any]]
    """In whisperX's form; they end at pauses."""
    by: str
    """What placed the words: `wav2vec2`, `pocketsphinx`, `whisper` or several with `+`; "" if nothing did."""
    pieces: Sequence[Piece]
    """What was heard, in order: also what was found only when its place had no words."""
    unheard: Sequence[Region] = ()
    """Speech in which nothing certain was heard."""


class Placer:
    """Places heard words: by wav2vec2, else by pocketsphinx (English), else by whisper's own attention.

    Args:
        times: The aligner; `auto`: the first that is at hand. wav2vec2 is: a model of `models`, or whisperX's default
            model of the language where it is in a cache; nothing is downloaded for `auto`.
        over_s: Seconds; of recordings no longer than this only wav2vec2 places the words.
        models: wav2vec2 models by language.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    def __init__(self, times: Times, over_s: float, models: Mapping[str, str], device: str) -> None:
        self._times = times
        self._over_s = over_s
        self._models = models
        self._device = device

    def place(self, pieces: Sequence[Piece], languages: tuple[str, str], wave: Wave, decoder: Decoder) -> Placed:
        """Places the words of a recording. Speech without words is heard again, alone.

        In recordings that need no times this is done only where little text was heard.

        Args:
            pieces: What was heard, in order.
            languages: The language by ISO 639-1, and as whisper names it.
            wave: The recording, `[samples]` at 16 kHz.
            decoder: The model that heard it.
        """
        if self._wav2vec2(languages[0]):
            aligned = self._aligners.align_heard(as_segments(pieces), languages[0], wave)
            if any(segment.get("words") for segment in aligned):
                return Placed(aligned, "wav2vec2", pieces)
        short = len(wave) <= self._over_s * SAMPLE_RATE
        segments: list[dict[str, Any]] = []
        by: set[str] = set()
        kept: list[Piece] = []
        unheard: list[Region] = []
        for piece in pieces:
            is_full = short and not sparse(piece, languages[0])
            found, lost = ([], []) if is_full else self._found(piece, languages, wave, decoder)
            if short and [one for one, _ in found] in ([], [piece]):
                kept.append(piece)
                segments += as_segments([piece])
                continue
            found.sort(key=lambda pair: pair[0].stretch.start)
            kept += [one for one, _ in found]
            by |= {one.by for _, one in found}
            segments += [segment for _, one in found for segment in one.segments(languages[0])]
            unheard += lost
        segments.sort(key=lambda segment: segment["start"])  # what was heard again may lie between others
        return Placed(segments, "+".join(sorted(by - {""})), kept, unheard)

    def _found(
        self, piece: Piece, languages: tuple[str, str], wave: Wave, decoder: Decoder
    ) -> tuple[list[tuple[Piece, "_Words"]], list[Region]]:
        """Places the words of a stretch, and hears again, alone, the speech that is left without words.

        Returns:
            What was heard, with its words; the speech in which nothing, or nothing certain, was heard.
        """
        placed = self._piece(piece, languages, wave, decoder)
        lost = without_words(piece.stretch, placed.spans)
        left = without(piece.stretch, lost)
        if not lost or left == piece.stretch:
            return [(piece, placed)], []
        alone = gathered(lost, wave, _ALONE_S)
        again = hear(alone, wave, languages[1], decoder)
        if any(repeats(one.text.text, piece.text.text) for one in again):
            if smaller := self._smaller(piece, wave, languages[1], decoder):
                return [(one, self._piece(one, languages, wave, decoder)) for one in smaller], []
            again = []
        again = [one for one in again if not one.text.doubtful]
        others = [(one, self._piece(one, languages, wave, decoder)) for one in again]
        heard = {region for one in again for region in one.stretch.speech}
        unheard = [region for stretch in alone for region in stretch.speech if region not in heard]
        return [(Piece(left, piece.text), placed.inside(left)), *others], unheard

    def _smaller(self, piece: Piece, wave: Wave, language: str, decoder: Decoder) -> list[Piece]:
        """Hears a stretch again in smaller ones: some of its words were placed on speech that it has lost.

        Returns:
            What was heard with certainty; nothing if that isn't more than before.
        """
        speech = piece.stretch.speech
        turns = {after.start for before, after in pairwise(speech) if after.start - before.end > _APART_S * SAMPLE_RATE}
        again = hear(gathered(speech, wave, _ALONE_S, turns), wave, language, decoder)
        certain = [one for one in again if not one.text.doubtful]
        return certain if sum(map(_letters, certain)) > _letters(piece) else []

    def _wav2vec2(self, code: str) -> bool:
        if self._times == "wav2vec2" or (self._times == "auto" and code in self._models):
            return True
        return self._times == "auto" and default_at_hand(code)

    def _piece(self, piece: Piece, languages: tuple[str, str], wave: Wave, decoder: Decoder) -> "_Words":
        code, language = languages
        sound = wave[piece.stretch.start : piece.stretch.end]
        if code == "en" and self._times in ("auto", "pocketsphinx") and sphinx.version():
            words = tokens_of(piece.text.text, code)
            spans = self._sphinx.prefix(sound, words, whole=True)
            if spans and any(spans):
                return _Words(piece, words, spans, "pocketsphinx")
        [attended] = decoder.words([sound], [piece.text], language)
        words = [word["word"].strip() for word in attended]
        return _Words(piece, words, [(float(word["start"]), float(word["end"])) for word in attended], "whisper")

    @cached_property
    def _aligners(self) -> Aligners:
        return Aligners(self._models, self._device)

    @cached_property
    def _sphinx(self) -> sphinx.SphinxAligner:
        return sphinx.SphinxAligner(heard=True)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a stretch; times are seconds from its start."""

    piece: Piece
    words: Sequence[str]
    spans: Sequence[Span | None]
    by: str
    speech: tuple[Region, ...] = ()
    """The speech that they lie in, if it is less than the stretch's."""

    def inside(self, stretch: Stretch) -> "_Words":
        """Returns them with less speech to lie in."""
        return replace(self, speech=stretch.speech)

    def segments(self, code: str) -> list[dict[str, Any]]:
        """Returns them in whisperX's form, with times from the start of the recording."""
        stretch = self.piece.stretch
        speech = [
            ((a - stretch.start) / SAMPLE_RATE, (b - stretch.start) / SAMPLE_RATE)
            for a, b in self.speech or stretch.speech
        ]
        spans: list[Span | None] = list(self.spans)
        placed = [n for n, span in enumerate(spans) if span]
        for n, span in zip(placed, to_pauses([span for span in spans if span], speech), strict=True):
            spans[n] = span
        if not placed:
            return as_segments([self.piece])
        begin = stretch.start / SAMPLE_RATE
        return segments_of(self.words, [span and (span[0] + begin, span[1] + begin) for span in spans], code)


def as_segments(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """Returns what was heard in whisperX's form, a segment a stretch, without words."""
    return [
        {"start": stretch.start / SAMPLE_RATE, "end": stretch.end / SAMPLE_RATE, "text": text.text.strip()}
        for stretch, text in pieces
    ]


def hear(stretches: Sequence[Stretch], wave: Wave, language: str, decoder: Decoder) -> list[Piece]:
    """Returns what is heard in the stretches of a recording that have text."""
    texts = decoder.hear([wave[stretch.start : stretch.end] for stretch in stretches], language)
    return [Piece(stretch, text) for stretch, text in zip(stretches, texts, strict=True) if text.text.strip()]


def sparse(piece: Piece, code: str) -> bool:
    """Returns whether so little text was heard in a stretch that some of its speech may be lost.

    Args:
        piece: The stretch.
        code: ISO 639-1 code of its language.
    """
    return _letters(piece) < _SPARSE[is_spaced(code)] * piece.stretch.speech_s


def repeats(text: str, whole: str) -> bool:
    """Returns whether a text of two words or more is a part of another, whatever its case and punctuation."""
    words, others = ([word.strip(_MARKS).lower() for word in one.split()] for one in (text, whole))
    return len(words) > 1 and any(words == others[at : at + len(words)] for at in range(len(others)))


def _letters(piece: Piece) -> int:
    return sum(map(str.isalnum, piece.text.text))


def without_words(stretch: Stretch, spans: Sequence[Span | None]) -> list[Region]:
    """Returns the speech of a stretch in which no word lies: whisper has lost it.

    Args:
        stretch: The speech.
        spans: Start and end of each word, in seconds from the start of the stretch.
    """
    near = round(_NEAR_S * SAMPLE_RATE)
    worded = sorted(
        (stretch.start + round(start * SAMPLE_RATE) - near, stretch.start + round(end * SAMPLE_RATE) + near)
        for start, end in _shortened([span for span in spans if span])
    )
    lost = []
    for region in stretch.speech:
        at = region.start
        for start, end in [*worded, (region.end, region.end)]:
            if min(start, region.end) - at >= _LOST_S * SAMPLE_RATE:
                lost.append(Region(at, min(start, region.end)))
            at = max(at, end)
    return lost


def _shortened(spans: Sequence[Span]) -> Iterator[Span]:
    """Yields words at the length that words have: the first ones end where they end, others begin where they begin."""
    long = list(takewhile(lambda span: span[1] - span[0] > _WORD_S, spans))
    if 0 < len(long) < len(spans):
        yield max(long[0][0], long[-1][1] - len(long) * _WORD_S / 3), long[-1][1]
        spans = spans[len(long) :]
    yield from ((start, min(end, start + _WORD_S)) for start, end in spans)


def without(stretch: Stretch, lost: Sequence[Region]) -> Stretch:
    """Returns a stretch without some of its speech; as it is, if that is all of it."""
    kept = []
    for region in stretch.speech:
        start, end = region
        for away in lost:
            if away.start <= start < away.end:
                start = away.end
            elif start < away.start < end:
                end = away.start
        if start < end:
            kept.append(Region(start, end))
    return Stretch(kept[0].start, kept[-1].end, tuple(kept)) if kept else stretch


def to_pauses(words: Sequence[Span], speech: Sequence[Span]) -> list[Span]:
    """Moves the times of words to the speech: no word lies in a pause or on both sides of one.

    Attention tells which word is said about when, but not exactly where a word ends. A detector of speech tells that,
    but only at pauses. So each pause gets the border between two words that is nearest to it.

    Args:
        words: Start and end of each word in seconds, in order.
        speech: The regions of speech in seconds, in order.
    """
    if not words or not speech:
        return list(words)
    pauses = [(a[1], b[0]) for a, b in pairwise(speech) if b[0] - a[1] >= _PAUSE_S]
    borders: dict[int, Span] = {}
    first = 1
    for pause in pauses:
        middle = sum(pause) / 2
        near = min(
            range(first, len(words)), key=lambda n: abs((words[n - 1][1] + words[n][0]) / 2 - middle), default=None
        )
        if near is not None and abs((words[near - 1][1] + words[near][0]) / 2 - middle) <= _FAR_S:
            borders[near] = pause
            first = near + 1
    return list(_within(words, borders, (speech[0][0], speech[-1][1])))


def _within(words: Sequence[Span], borders: Mapping[int, Span], whole: Span) -> Iterator[Span]:
    """Yields the words with their times between the borders around them."""
    cuts = [0, *sorted(borders), len(words)]
    for begin, stop in pairwise(cuts):
        low = borders[begin][1] if begin in borders else whole[0]
        high = borders[stop][0] if stop in borders else whole[1]
        run = [(min(max(start, low), high), min(max(end, low), high)) for start, end in words[begin:stop]]
        if run:
            run[0] = (low, max(run[0][1], low))
            run[-1] = (run[-1][0], high)
        at = low
        for start, end in run:
            at = max(at, start)
            yield at, (at := max(at, end))
