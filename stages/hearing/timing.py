"""Gives long untimed texts their times, with the aligner that the configuration and the language select."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal

from stages.audio.files import AudioInfo, resampled
from stages.audio.tape import Samples
from stages.errors import TextError, WeightsError
from stages.hearing import sphinx
from stages.hearing.alignment import SAMPLE_RATE, Aligner, Span, align
from stages.hearing.asr.weights import contents_of
from stages.hearing.wav2vec import Aligners, model_problem, unusable_whisperx
from stages.records import Segment
from stages.transcripts.script import Script
from stages.transcripts.whisperx import from_whisperx

_log = logging.getLogger(__name__)

Times = Literal["auto", "wav2vec2", "pocketsphinx", "none"]
INSTALL_SPHINX = "Run `make setup EXTRAS=dev,align`."


@dataclass(frozen=True, slots=True)
class Placed:
    """A script, and what an aligner made of it."""

    script: Script
    by: str = ""
    """The aligner that placed its words; empty if none did."""
    misfit: str | None = None
    """The aligner that found that the text isn't what is said; None if none did."""


class Timing:
    """Places the words of untimed texts. Models are loaded on first use.

    Args:
        times: The aligner; `auto` uses whichever is available.
        over_s: Seconds; texts of recordings no longer than this stay untimed.
        models: wav2vec2 models by language.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    def __init__(self, times: Times, over_s: float, models: Mapping[str, str], device: str) -> None:
        self._times = times
        self._over_s = over_s
        self._models = models
        self._device = device

    def problem(self, *, fetch: bool = False) -> str:
        """Returns an error message if a configured aligner isn't there; "" if nothing is missing.

        Args:
            fetch: Whether named models may be looked for on the Hugging Face hub.
        """
        for code, model in self._models.items():
            if problem := model_problem(code, model, fetch=fetch):
                return problem
        if self._times == "pocketsphinx" and not sphinx.version():
            return f"`transcribe.times` is pocketsphinx, which isn't installed. {INSTALL_SPHINX}"
        aligned = self._times == "wav2vec2" or (self._times == "auto" and self._models)
        if aligned and find_spec("whisperx") is None:
            return str(unusable_whisperx())
        return ""

    @cached_property
    def identity(self) -> Any:
        """Everything that the times depend on, model contents included, as JSON values; None if `times` is `none`."""
        if self._times == "none":
            return None
        return [self._times, self._over_s, contents_of(self._models), sphinx.version()]

    def models(self) -> dict[str, str]:
        """Returns the identities of the aligners, by name."""
        if self._times == "none":
            return {}
        aligners = {f"aligner {code}": content for code, content in contents_of(self._models).items()}
        return {**aligners, "pocketsphinx": sphinx.version()}

    def place(self, name: str, script: Script, language: str, wave: Samples, audio: AudioInfo) -> Placed:
        """Gives a script its times, if it is untimed and the recording is long.

        Args:
            name: The recording's name, for the log.
            script: Its transcript.
            language: ISO 639-1.
            wave: `[samples]` at the recording's own rate.
            audio: The recording.

        Returns:
            The script, timed if possible; otherwise the log says why not. Segments without text are sounds that the
            text doesn't cover.

        Raises:
            WeightsError: if the configured aligner can't place words in the language.
        """
        if script.timed or self._times == "none" or audio.samples <= self._over_s * audio.sample_rate:
            return Placed(script)
        aligner = self._aligner(language)
        if aligner is None and self._times != "auto":
            raise WeightsError(
                f"`transcribe.times` is {self._times}, which can't place words in `{language}` here. Give a model"
                f" (`--set transcribe.align_models.{language}=FOLDER`), or use `--set transcribe.times=auto`."
            )
        if aligner is None:
            _log.info("`%s` has an untimed text, and there is no aligner for `%s`", name, language)
            return Placed(script)
        try:
            text = script.segments[0].text
            result = align(resampled(wave, audio.sample_rate, SAMPLE_RATE), text, language, aligner)
        except TextError as error:
            _log.warning("`%s`: %s; it stays untimed, and `slice` leaves it out", name, error)
            return Placed(script, misfit=aligner.name)
        placed = from_whisperx({"language": script.language, "segments": result["segments"]}, audio, style="as it is")
        segments = _with_uncovered(name, placed.segments, result["uncovered"], audio)
        return Placed(replace(placed, segments=segments), by=aligner.name)

    def _aligner(self, language: str) -> Aligner | None:
        if self._times == "wav2vec2" or (self._times == "auto" and language in self._models):
            return self._aligners.known(language)
        return self._sphinx if language == "en" and sphinx.version() else None

    @cached_property
    def _aligners(self) -> Aligners:
        return Aligners(self._models, self._device)

    @cached_property
    def _sphinx(self) -> sphinx.SphinxAligner:
        return sphinx.SphinxAligner()


def _with_uncovered(
    name: str, segments: Sequence[Segment], uncovered: Sequence[Span], audio: AudioInfo
) -> tuple[Segment, ...]:
    """Returns the segments, and a segment without text for each uncovered sound."""
    if not uncovered:
        return tuple(segments)
    where = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in uncovered[:3])
    more = ", …" if len(uncovered) > 3 else ""
    seconds = sum(end - start for start, end in uncovered)
    _log.warning("`%s`: no words can be placed reliably at %s%s; these %.1f s are left out", name, where, more, seconds)
    rate = audio.sample_rate
    extra = [Segment(round(start * rate), min(round(end * rate), audio.samples), "", "") for start, end in uncovered]
    return tuple(sorted([*segments, *extra], key=lambda segment: (segment.start_samples, segment.end_samples)))
