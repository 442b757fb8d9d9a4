"""Gives the words that whisper heard their times, by the best aligner at hand."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

from stages.hearing import sphinx
from stages.hearing.alignment import Span, segments_of, tokens_of
from stages.hearing.asr.activity import Stretch
from stages.hearing.asr.decoding import Decoded, Decoder
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.timing import Times
from stages.hearing.wav2vec import Aligners, default_at_hand
from stages.records import Wave

_PAUSE_S = 0.25
"""Words that attention placed are moved to the pauses of the speech that are at least this long."""
_FAR_S = 0.6
"""A pause with no border of words nearer than this isn't one of theirs."""


class Piece(Protocol):
    """A stretch with what was heard in it."""

    @property
    def stretch(self) -> Stretch: ...  # noqa: D102
    @property
    def text(self) -> Decoded: ...  # noqa: D102


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

    def place(
        self,
        segments: list[dict[str, Any]],
        pieces: Sequence[Piece],
        languages: tuple[str, str],
        wave: Wave,
        decoder: Decoder,
    ) -> tuple[list[dict[str, Any]], str]:
        """Places the words of a recording.

        Args:
            segments: What was heard in each piece, in whisperX's form.
            pieces: The same as it was decoded.
            languages: The language by ISO 639-1, and as whisper names it.
            wave: The recording, `[samples]` at 16 kHz.
            decoder: The model that heard it.

        Returns:
            The segments in whisperX's form, which end at pauses, and what placed their words. Several aligners are
            joined by `+`.
        """
        code, language = languages
        if self._wav2vec2(code):
            aligned = self._aligners.align_heard(segments, code, wave)
            if any(segment.get("words") for segment in aligned):
                return aligned, "wav2vec2"
        if len(wave) <= self._over_s * SAMPLE_RATE:
            return segments, ""
        found: list[dict[str, Any]] = []
        by: list[str] = []
        for piece in pieces:
            placed, aligner = self._piece(piece, code, language, wave, decoder)
            found += placed
            by += [aligner] if aligner and aligner not in by else []
        return found, "+".join(sorted(by))

    def _wav2vec2(self, code: str) -> bool:
        if self._times == "wav2vec2" or (self._times == "auto" and code in self._models):
            return True
        return self._times == "auto" and default_at_hand(code)

    def _piece(
        self, piece: Piece, code: str, language: str, wave: Wave, decoder: Decoder
    ) -> tuple[list[dict[str, Any]], str]:
        stretch, text = piece.stretch, piece.text
        sound = wave[stretch.start : stretch.end]
        words = tokens_of(text.text, code)
        spans: Sequence[Span | None] | None = None
        by = "pocketsphinx"
        if code == "en" and self._times in ("auto", "pocketsphinx") and sphinx.version():
            spans = self._sphinx.prefix(sound, words, whole=True)
        if not spans or all(span is None for span in spans):
            by = "whisper"
            [attended] = decoder.words([sound], [text], language)
            words = [word["word"].strip() for word in attended]
            spans = to_pauses([(word["start"], word["end"]) for word in attended], _inside(stretch))
        if not words:
            return [{"start": stretch.start / SAMPLE_RATE, "end": stretch.end / SAMPLE_RATE, "text": text.text}], ""
        begin = stretch.start / SAMPLE_RATE
        return segments_of(words, [span and (span[0] + begin, span[1] + begin) for span in spans], code), by

    @cached_property
    def _aligners(self) -> Aligners:
        return Aligners(self._models, self._device)

    @cached_property
    def _sphinx(self) -> sphinx.SphinxAligner:
        return sphinx.SphinxAligner()


def _inside(stretch: Stretch) -> list[Span]:
    """Returns the regions of speech in seconds from the start of the stretch."""
    return [((a - stretch.start) / SAMPLE_RATE, (b - stretch.start) / SAMPLE_RATE) for a, b in stretch.speech]


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
