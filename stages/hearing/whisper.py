"""Hears recordings: finds the speech, decodes it by whisper, and gives its words their times.

The parts are whisperX's: voice activity, batches of stretches, and forced alignment (Bain et al. 2023,
https://arxiv.org/abs/2303.00747). Of its package pyannote's detector and the wav2vec2 aligners are used, and imported
only where they are: that import takes longer than hearing a minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stages.errors import TextError
from stages.hearing.asr import activity
from stages.hearing.asr.activity import Stretch
from stages.hearing.asr.decoding import ComputeType, Decoded, Decoder, WindowName, compression_ratio
from stages.hearing.asr.levels import even
from stages.hearing.asr.voices import changes
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.heard import Heard
from stages.hearing.placing import Piece, Placed, Placer, as_segments
from stages.hearing.wav2vec import quiet, unusable_whisperx
from stages.records import Wave
from stages.text.languages import is_spaced, normalise_code

VadName = Literal["silero", "pyannote"]

_FEW_LETTERS_PER_S = {True: 5.0, False: 2.0}
"""Letters a second of speech, by whether the language has spaces; where there are fewer, whisper has lost speech.

Of the heard stretches of a 20-minute file one had 3.7 characters a second, and lacked 28 words; the next had 8.8."""
_MORE = 1.3
"""A second hearing in smaller stretches counts if it has this many times the letters."""
_SMALLER_S = 8.0
"""Longest of the smaller stretches, in seconds."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was heard in a recording."""

    language: str | None
    """ISO 639-1 code; None if nobody speaks."""
    segments: list[dict[str, Any]]
    """In whisperX's form: `start`, `end`, `text` and, if they have times, `words`; seconds."""
    heard: tuple[Heard, ...] = ()
    """The same speech as whisper decoded it, with its certainty: a segment lies in one of these or over several."""
    unheard: tuple[tuple[float, float], ...] = ()
    """Where somebody speaks, but nothing certain was heard; seconds."""
    placed_by: str = ""
    """What gave the words their times: `wav2vec2`, `pocketsphinx` or `whisper` (its attention); "" if nothing did."""


class Recogniser:
    """A whisper model with its voice activity detector and its aligners, loaded once per worker."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: ComputeType = "auto",
        beam_size: int = 5,
        windows: WindowName = "auto",
        vad: VadName = "silero",
        chunk_s: float = 20.0,
        batch_size: int = 8,
        placer: Placer | None = None,
        candidates: Sequence[str] = (),
    ) -> None:
        """Loads the model.

        Args:
            folder: A whisper model's folder, from `find_model`.
            device: `cpu`, `cuda` or `cuda:N`.
            compute_type: See `Decoder`.
            beam_size: Number of hypotheses kept while decoding.
            windows: See `Decoder`.
            vad: The voice activity detector: silero's, from faster-whisper, or pyannote's, from the whisperx package.
            chunk_s: Longest stretch of speech given to whisper at once, in seconds; at most 30.
            batch_size: Number of stretches decoded together; they may come from different recordings.
            placer: Gives words their times; None: they have none.
            candidates: ISO 639-1 codes of the languages to detect; none for all that whisper knows.

        Raises:
            WeightsError: if the model can't be loaded so, or whisperX is needed but can't be imported.
        """
        self._detector = _pyannote(device) if vad == "pyannote" else activity.silero
        self._chunk_s = chunk_s
        self._candidates = tuple(candidates)
        self._placer = placer
        self.decoder = Decoder(
            folder,
            device=device,
            compute_type=compute_type,
            beam_size=beam_size,
            batch_size=batch_size,
            windows=windows,
        )

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str | None]) -> list[Result | TextError]:
        """Transcribes recordings.

        Stretches of speech are decoded in batches, across recordings. What a stretch is padded to depends on nothing
        but its own length, so the text of one doesn't depend on the others, except for rounding.

        Args:
            waves: `[samples]` at 16 kHz each.
            languages: ISO 639-1 code of each; None lets whisper detect it. An English-only model ignores them.

        Returns:
            Per recording what was heard; no segments if nobody speaks. A `TextError` instead, if whisper doesn't know
            the given language, or detects one that isn't in the table of languages.
        """
        waves = [np.array(wave) for wave in waves]  # copies: long ones are made equally loud
        speech = {index: self._stretches(wave) for index, wave in enumerate(waves)}
        spoken = [index for index in speech if speech[index]]
        known = self._languages(waves, {index: languages[index] for index in spoken})
        pieces: dict[int, list[Piece]] = {}
        for language in sorted({code for code, _ in known.values()} & self.decoder.languages):
            same = [index for index in spoken if known[index][0] == language]
            pieces |= self._pieces({index: (waves[index], speech[index]) for index in same}, language)
        return [
            self._result(wave, *known[index], pieces.get(index, [])) if index in known else Result(None, [])
            for index, wave in enumerate(waves)
        ]

    def _stretches(self, wave: Wave) -> list[Stretch]:
        """Finds the speech of a wave, a voice a stretch; of a long wave it is made equally loud, in the wave itself."""
        regions = self._detector(wave)
        long = bool(regions) and regions[-1].end - regions[0].start > self._chunk_s * SAMPLE_RATE
        turns = changes(wave, regions, suspected=long)
        regions = activity.joined(regions, turns)
        if long:
            even(wave, regions)
        return activity.gathered(regions, wave, self._chunk_s, turns)

    def _languages(self, waves: Sequence[Wave], given: Mapping[int, str | None]) -> dict[int, tuple[str, float | None]]:
        """Returns each recording's language, and its probability if it was detected (in the first 30 s)."""
        if not self.decoder.multilingual:
            return dict.fromkeys(given, ("en", None))
        known: dict[int, tuple[str, float | None]] = {index: (code, None) for index, code in given.items() if code}
        unknown = [index for index in given if index not in known]
        ranked = self.decoder.detect([waves[index] for index in unknown])
        return known | {index: self._likeliest(one) for index, one in zip(unknown, ranked, strict=True)}

    def _likeliest(self, ranked: Sequence[tuple[str, float]]) -> tuple[str, float]:
        """Returns the likeliest language, of the candidates if there are any.

        If whisper knows no candidate, it is the first one, so that `_result` says so.
        """
        if not self._candidates:
            return ranked[0]
        return next(((code, p) for code, p in ranked if code in self._candidates), (self._candidates[0], 0.0))

    def _pieces(
        self, recordings: Mapping[int, tuple[Wave, Sequence[Stretch]]], language: str
    ) -> dict[int, list[Piece]]:
        """Returns the stretches of each recording that have text; what was heard badly is heard again."""
        places = [(index, stretch) for index, (_, stretches) in recordings.items() for stretch in stretches]
        texts = self._decoded([(recordings[index][0], stretch) for index, stretch in places], language)
        found: dict[int, list[Piece]] = {index: [] for index in recordings}
        for (index, stretch), text in zip(places, texts, strict=True):
            pieces = [Piece(stretch, text)]
            if _lacks(pieces, language):
                pieces = self._heard_smaller(recordings[index][0], pieces[0], language)
            found[index] += [piece for piece in pieces if piece.text.text.strip()]
        return found

    def _heard_smaller(self, wave: Wave, piece: Piece, language: str) -> list[Piece]:
        """Hears a stretch again in smaller ones; returns these if they have clearly more text, and it is sound."""
        smaller = activity.gathered(piece.stretch.speech, wave, _SMALLER_S)
        texts = self._decoded([(wave, stretch) for stretch in smaller], language)
        again = [Piece(stretch, text) for stretch, text in zip(smaller, texts, strict=True)]
        letters = sum(_letters(text.text) for text in texts if not text.doubtful)
        return again if letters > max(_MORE * _letters(piece.text.text), 0) else [piece]

    def _decoded(self, places: Sequence[tuple[Wave, Stretch]], language: str) -> list[Decoded]:
        return self.decoder.hear([wave[stretch.start : stretch.end] for wave, stretch in places], language)

    def _result(
        self, wave: Wave, language: str, probability: float | None, pieces: Sequence[Piece]
    ) -> Result | TextError:
        if language not in self.decoder.languages:
            return TextError(f"whisper doesn't know `{language}`: give its recordings transcripts.")
        if not pieces:
            return Result(None, [])
        try:
            code = normalise_code(language)
        except TextError as error:
            return TextError(
                f"whisper detected an unsupported language: {error} Set the language: `--set transcribe.language=CODE`."
            )
        placed = Placed(as_segments(pieces), "", pieces)
        if self._placer:
            placed = self._placer.place(pieces, (code, language), wave, self.decoder)
        heard = tuple(
            Heard(
                text=text.text.strip(),
                start=stretch.start / SAMPLE_RATE,
                end=stretch.end / SAMPLE_RATE,
                avg_logprob=text.avg_logprob,
                no_speech_prob=text.no_speech_prob,
                compression_ratio=compression_ratio(text.text),
                language=language,
                language_probability=probability,
            )
            for stretch, text in placed.pieces
        )
        unheard = tuple((start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in placed.unheard)
        return Result(code, placed.segments, heard, unheard, placed.by)


def _pyannote(device: str) -> activity.Detector:
    try:
        with quiet():
            return activity.pyannote(device)
    except (ImportError, OSError) as error:
        raise unusable_whisperx(error) from error


def _lacks(pieces: Sequence[Piece], language: str) -> bool:
    """Returns whether the text is far too short for the speech, and the speech can be heard in smaller stretches."""
    letters = sum(_letters(text.text) for _, text in pieces)
    seconds = sum(stretch.speech_s for stretch, _ in pieces)
    smaller = len(pieces[0].stretch.speech) > 1 or seconds > _SMALLER_S
    return smaller and letters < _FEW_LETTERS_PER_S[is_spaced(language)] * seconds


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
