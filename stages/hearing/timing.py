"""Which aligner gives a long text its times where it has none: chosen by the configuration and the language."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal

from stages.audio.files import AudioInfo, resample
from stages.errors import TextError, WeightsError
from stages.hearing import sphinx
from stages.hearing.alignment import SAMPLE_RATE, Aligner, Span, align
from stages.hearing.wav2vec import Aligners, unusable_whisperx
from stages.hearing.whisper import contents_of
from stages.records import Segment, Wave
from stages.transcripts.script import Script
from stages.transcripts.whisperx import from_whisperx

_log = logging.getLogger(__name__)

Times = Literal["auto", "wav2vec2", "pocketsphinx", "none"]
INSTALL_SPHINX = "Run `make setup EXTRAS=dev,align`."


@dataclass(frozen=True, slots=True)
class Placed:
    """A script, and which aligner looked at it."""

    script: Script
    by: str = ""
    """What placed its words; empty where nothing did."""
    misfit: str | None = None
    """What found that they aren't all that is said; None where nothing did."""


class Timing:
    """Places the words of texts without times; its models are loaded when they are first needed.

    Args:
        times: What may place them; `auto`: what is there.
        over_s: Texts of shorter recordings, in seconds, stay without times.
        models: wav2vec2 models by language.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    def __init__(self, times: Times, over_s: float, models: Mapping[str, str], device: str) -> None:
        self._times = times
        self._over_s = over_s
        self._models = models
        self._device = device

    def problem(self) -> str:
        """Returns what is missing of what the configuration names; "" for nothing."""
        if self._times == "pocketsphinx" and not sphinx.version():
            return f"`transcribe.times` is pocketsphinx, which isn't installed. {INSTALL_SPHINX}"
        aligned = self._times == "wav2vec2" or (self._times == "auto" and self._models)
        if aligned and find_spec("whisperx") is None:
            return str(unusable_whisperx())
        return ""

    @cached_property
    def identity(self) -> Any:
        """What decides the times, as plain JSON values: the models' contents too; None where there are to be none."""
        if self._times == "none":
            return None
        return [self._times, self._over_s, contents_of(self._models), sphinx.version()]

    def models(self) -> dict[str, str]:
        """Returns the identities of what places the words, by name."""
        if self._times == "none":
            return {}
        aligners = {f"aligner {code}": content for code, content in contents_of(self._models).items()}
        return {**aligners, "pocketsphinx": sphinx.version()}

    def place(self, name: str, script: Script, language: str, wave: Wave, audio: AudioInfo) -> Placed:
        """Gives a script its times where it is long and has none.

        Args:
            name: The recording, for the log.
            script: What is said in it.
            language: ISO 639-1.
            wave: `[samples]` at the recording's own rate.
            audio: The recording.

        Returns:
            The script as it is to be used; the log tells the reason. Segments without text are sounds that the text
            lacks.

        Raises:
            WeightsError: if what the configuration names can't place words in the language.
        """
        if script.timed or self._times == "none" or audio.samples <= self._over_s * audio.sample_rate:
            return Placed(script)
        aligner = self._aligner(language)
        if aligner is None and self._times != "auto":
            raise WeightsError(
                f"`transcribe.times` is {self._times}, which can't place words in `{language}` here. Give a model"
                f" (`--set transcribe.align_models.{language}=FOLDER`), or let it be: `--set transcribe.times=auto`."
            )
        if aligner is None:
            _log.info("`%s` has a text without times, and nothing to place it in `%s`", name, language)
            return Placed(script)
        try:
            text = script.segments[0].text
            result = align(resample(wave, audio.sample_rate, SAMPLE_RATE), text, language, aligner)
        except TextError as error:
            _log.warning("`%s`: %s; it stays without times, and is left out", name, error)
            return Placed(script, misfit=aligner.name)
        placed = from_whisperx({"language": script.language, "segments": result["segments"]}, audio)
        segments = _with_untold(name, placed.segments, result["untold"], audio)
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


def _with_untold(
    name: str, segments: Sequence[Segment], untold: Sequence[Span], audio: AudioInfo
) -> tuple[Segment, ...]:
    """Returns the segments, and one without text for each sound that the text lacks."""
    if not untold:
        return tuple(segments)
    where = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in untold[:3]) + (", …" if len(untold) > 3 else "")
    seconds = sum(end - start for start, end in untold)
    _log.warning("`%s`: no sure word of its text is heard at %s; these %.1f s are left out", name, where, seconds)
    rate = audio.sample_rate
    extra = [Segment(round(start * rate), min(round(end * rate), audio.samples), "", "") for start, end in untold]
    return tuple(sorted([*segments, *extra], key=lambda segment: (segment.start_samples, segment.end_samples)))
