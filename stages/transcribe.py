"""The stage `transcribe`: finds the text of each recording: a transcript, or whisperX.

Transcripts are files beside the recordings or rows of a corpus's table. Every recording is decoded completely, so that
a broken one is rejected before later stages use it.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from stages.artefacts.formats import Rows
from stages.audio.files import AudioInfo, parse_raw
from stages.audio.tape import Samples
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import runtime
from stages.corpora.layouts.table import LAYOUTS
from stages.corpora.layouts.tables.columns import checked_columns
from stages.corpora.scan import language_in
from stages.errors import TextError, WeightsError
from stages.hearing import english, sphinx
from stages.hearing.asr import weights
from stages.hearing.batches import Batches, Unheard, Waiting
from stages.hearing.certainty import with_certainty, with_unheard
from stages.hearing.channels import CALLS, SOME, Channels, Part, apart, marks, parts_of
from stages.hearing.config import HearingConfig
from stages.hearing.diarise import Diariser, with_overlaps
from stages.hearing.placing import Placer
from stages.hearing.timing import Timing
from stages.hearing.whisper import Recogniser
from stages.machine import may_fetch
from stages.records import Recording, Transcript
from stages.text.declared import known_code, language_of
from stages.text.languages import normalise_code
from stages.transcripts.languages import LANGUAGES_FILE, told_or_guessed, write_languages
from stages.transcripts.script import Script
from stages.transcripts.speakers import speakers_of
from stages.transcripts.summary import TAKEN, in_one_line, write_taken
from stages.transcripts.table import read_transcript
from stages.transcripts.whisperx import from_whisperx, read_told

Outcome = Transcript | Filtered | Reject

_log = logging.getLogger(__name__)


class TranscribeConfig(HearingConfig):
    """Where the text comes from, and how whisperX hears."""

    transcripts: Literal["auto", "require", "ignore"] = "auto"
    """`auto`: the transcript beside the recording or in the corpus's table, else whisperX; `require`: transcripts
    only; `ignore`: whisperX only."""
    layout: str = runtime("auto")
    """The corpus layout: a name from the table of layouts; `voices`: folders, with transcripts beside the recordings;
    `auto`: all tables that are found."""
    columns: dict[str, str] = runtime({})
    """What the columns of a table are, for one that doesn't tell: by the header's name or by number, from 1. Each is
    `audio`, `text`, `speaker`, `language`, `start` or `end` (seconds): `{1: audio, 3: text, 2: speaker}`. Other columns
    aren't used. It counts for every table that has these columns."""
    languages: dict[str, str] = Field(default_factory=dict)
    """Language by `group/speaker`, speaker or group, with `*` and `?`: `{"*": en, "kerstin-*": de, "mixed/anna": fr}`.

    Used where the transcript names none. Plain names win over patterns; of plain names the narrowest wins, of patterns
    the one with more letters.
    """
    language: str | None = None
    """Language that whisperX assumes for every recording. Not set: `languages`, else detected per recording."""
    candidates: list[str] = Field(default_factory=list)
    """Languages that recordings may be in, preferred first: `[de, en]`. Where neither the transcript nor `languages`
    tells, one of them is detected. Not set: any of the table, which short texts often get wrong."""
    channels: Channels = "mix"
    """What is taken of recordings with two channels: their `mix`, the `left`, the `right`, or each as a recording with
    its own speaker (`split`, for telephone calls)."""
    raw: str | None = None
    """Format of recordings without a header (`.raw`, `.pcm`, `.ulaw`, `.alaw`, `.sln`): coding, rate in Hz and number
    of channels, such as `s16le 8000 1`. Not set: such files aren't recordings."""
    item_timeout_s: float = runtime(3600.0, ge=0)
    """As in every stage, but longer: a large whisper model on a CPU is slower than real time."""

    @field_validator("layout")
    @classmethod
    def _in_the_table(cls, name: str) -> str:
        if name not in {"auto", *LAYOUTS}:
            raise ValueError(f"must be auto, {', '.join(LAYOUTS)}, but is {name}")
        return name

    @field_validator("raw")
    @classmethod
    def _parsed(cls, raw: str | None) -> str | None:
        return raw and str(parse_raw(raw))

    @field_validator("columns", mode="before")
    @classmethod
    def _roles(cls, given: Any) -> Any:
        return checked_columns(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _columns_are_used(self) -> Self:
        if self.columns and self.layout not in {"auto", "columns"}:
            raise ValueError(f"`columns` is used only if `layout` is `auto` or `columns`, but it is `{self.layout}`")
        return self

    @field_validator("language")
    @classmethod
    def _known(cls, code: str | None) -> str | None:
        return None if code is None else known_code(code)

    @field_validator("candidates")
    @classmethod
    def _all_known(cls, codes: list[str]) -> list[str]:
        return list(dict.fromkeys(map(known_code, codes)))

    @field_validator("languages")
    @classmethod
    def _known_values(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: known_code(code) for name, code in value.items()}


class Transcribe(Stage[TranscribeConfig, Recording, Transcript]):
    """Turns each recording into one transcript; of two channels that are split, into two.

    Workers load whisper when the first recording needs it, and only from this machine. `check` downloads it before
    that, once, in the process that starts the work.
    """

    name = "transcribe"
    needs = "recordings"
    version = 1
    text_version: ClassVar[int] = 5
    """Version of how existing texts are read and timed. Raise it instead of `version` to keep what whisper has
    transcribed, which may have taken hours."""
    hearing_version: ClassVar[int] = 6
    """Version of how whisper hears; raise it to hear everything again that has no text."""
    computes = True
    one_to_one = False
    borrows = (("clean", "cleaner"),)
    format = Rows(Transcript)

    _recogniser: Recogniser | None = None
    _diariser: Diariser | None = None
    _missing = ""
    """Why whisperX can't be used; "" if it can or hasn't been tried."""

    def hears(self, recording: Recording) -> bool:
        """Returns whether whisperX must transcribe the recording."""
        return self.config.transcripts == "ignore" or (self.config.transcripts == "auto" and not recording.transcript)

    def check(self, items: Iterable[Recording]) -> list[str]:
        """Returns the problem with the models that the configuration names, if there is one.

        Tries to download whisper's model if a recording needs it. A failed download is a problem only if every
        recording needs whisper; otherwise it is logged, and only those that need it are rejected.
        """
        languages: Counter[str | None] = Counter()
        read, some = 0, list[Recording]()
        for item in items:
            if self.hears(item):
                languages[self._told(item)] += 1
                some += [item] if len(some) < SOME else []
            else:
                read += 1
        if problem := self._timing.problem(fetch=may_fetch() and bool(languages or read)):
            return [problem]
        if not languages or (weights.is_to_be_fetched(self.config.model) and not may_fetch()):
            return []
        if problem := weights.weights_problem(self.config.model):
            if not read:
                return [problem]
            _log.warning("recordings without a transcript will be rejected: %s", problem)
            return []
        if self.config.channels == "mix" and (calls := apart(some, self.context)):
            _log.warning("%s", CALLS.format(len(calls), calls[0]))
        problem = english.problem(self.config.model, languages, self.config.candidates)
        return [problem] if problem else []

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes what was taken out of the texts and the languages of short ones; logs both, and invented English."""
        if taken := write_taken(folder, shards):
            _log.warning("taken out of the texts: %s", in_one_line(taken))
        for line in (*write_languages(folder, shards), *english.doubted(folder, shards)):
            _log.warning("%s", line)
        return [TAKEN, LANGUAGES_FILE]

    @cached_property
    def _whisper(self) -> str:
        """The hash of the whisper model; "" if it isn't on this machine or `transcripts` is `require`."""
        if self.config.transcripts == "require":
            return ""
        try:
            return weights.revision(weights.find_model(self.config.model, download=False))
        except WeightsError:
            return ""

    def revision(self) -> str:
        """Returns the identities of all models here that a transcript may depend on (see `item_parameters`)."""
        models = {"whisper": self._whisper, "diarisation": self._diarisation, "reading": self._reading}
        models |= {f"aligner {code}": content for code, content in self._aligners.items()}
        if self.config.transcripts != "ignore" and self._timing.identity:
            models |= self._timing.models() | {"alignment": str(self.text_version)}
        return ", ".join(f"{name} {content}" for name, content in models.items() if content)

    def item_parameters(self, item: Recording) -> Any:
        """Returns the parameters of a recording's transcript: those of whisper only if whisper is needed."""
        mapped = language_of(self.config.languages, item.group, item.speaker)
        sound = marks(item, self.config.channels, self.context, mixes=not self.hears(item))
        if not self.hears(item):
            timing = self._timing.identity
            return [
                mapped or self.config.candidates or None,
                timing and [self.text_version, *timing],
                self._reading,
                *sound,
            ]
        hearing = self.config.identity()
        for name in ("languages", "transcripts", "channels", "raw"):
            del hearing[name]
        if mapped or not self.config.candidates:
            del hearing["candidates"]
        hearing |= {"align_models": self._aligners, "version": self.hearing_version}
        hearing["aligner"] = sphinx.version() if self._placer else ""
        own = ["without the other voice"] if self.config.channels == "split" else []
        return [mapped, hearing, self._whisper, self._diarisation, *sound, *own]

    @property
    def _reading(self) -> str:
        """The version of reading texts in fingerprints: one below `text_version`, as in datasets made before."""
        return str(self.text_version - 1)

    @property
    def batch_size(self) -> int:
        """Recordings per call of `process`: more on a GPU, to keep it busy."""
        return 64 if self.on_gpu else 16

    def inherit(self, tried: Self) -> None:
        """Takes over whisper and the diariser."""
        self._recogniser, self._diariser = tried._recogniser, tried._diariser

    def process(self, items: Sequence[Recording]) -> list[list[Outcome]]:
        """Turns recordings into transcripts.

        Raises:
            WeightsError: if the whisper model or the diarisation model is there but can't be used.
        """
        if any(self.hears(item) for item in items):
            self._load()
        batches = Batches(self._hear)

        def begun(item: Recording) -> list[Outcome | Waiting]:
            return [self._transcribe(part, batches) for part in parts_of(item, self.config.channels, self.context)]

        found: list[list[Outcome | Waiting]] = guarded(items, begun, root=self.context.voices)
        batches.flush()
        return [[done for outcome in outcomes for done in batches.results_of(outcome)] for outcomes in found]

    def _load(self) -> None:
        if self._recogniser or self._missing:
            return
        config = self.config
        try:
            folder = weights.find_model(config.model, download=False)
        except WeightsError as error:
            self._missing = str(error).removesuffix(f" {weights.WAYS_OUT}")
            return
        self._recogniser = Recogniser(
            folder,
            device=self.context.device,
            compute_type=config.compute_type,
            beam_size=config.beam_size,
            windows=config.windows,
            vad=config.vad,
            chunk_s=config.chunk_s,
            batch_size=config.batch_size,
            placer=self._placer,
            candidates=config.candidates,
        )
        if config.diarize:
            speakers = config.min_speakers, config.max_speakers
            self._diariser = Diariser(config.diarize_model, self.context.device, speakers)

    @cached_property
    def _diarisation(self) -> str:
        """The hash of the diarisation model; "" if it isn't a folder or isn't used."""
        folder = Path(self.config.diarize_model).expanduser()
        wanted = self.config.diarize and self.config.transcripts != "require"
        return weights.content_of(folder) if wanted and folder.is_dir() else ""

    @cached_property
    def _aligners(self) -> dict[str, str]:
        """The alignment models by language: the hash of a folder, else the name; {} if they aren't used."""
        wanted = self.config.align and self.config.transcripts != "require"
        return weights.contents_of(self.config.align_models) if wanted else {}

    @cached_property
    def _timing(self) -> Timing:
        return Timing(self.config.times, self.config.times_over_s, self.config.align_models, self.context.device)

    @cached_property
    def _placer(self) -> Placer | None:
        config = self.config
        placed = config.align and config.times != "none"
        return Placer(config.times, config.times_over_s, config.align_models, self.context.device) if placed else None

    def _transcribe(self, part: Part, batches: Batches[Outcome]) -> Outcome | Waiting:
        """Returns the outcome of what was read, or that it waits for whisperX in `batches`."""
        if unused := part.unused():
            return unused
        recording, audio = part.recording, part.heard.info
        if self.hears(recording):
            if self._recogniser is None:
                why = "its transcript is ignored" if recording.transcript else "it has no transcript"
                return Reject(recording.id, "NoTranscript", f"{why}, and {self._missing}", weights.WAYS_OUT)
            return batches.add(recording, audio, part.to_hear())
        if not recording.transcript:
            detail = "it has no transcript, and `transcribe.transcripts` is `require`."
            return Reject(recording.id, "NoTranscript", detail, weights.WAYS_OUT)
        if recording.told:
            script, source = read_told(recording.told, audio)
        else:
            path, language = self.context.source(recording.transcript), language_in(recording.transcript, recording.id)
            script, source = read_transcript(path, audio, language=language), path.suffix[1:].lower()
        own = part.own(script)
        return own if isinstance(own, Filtered) else self._written(recording, audio, own, source, part.heard.wave)

    def _hear(self, unheard: Sequence[Unheard]) -> list[list[Outcome]]:
        """Transcribes a batch of recordings with whisper."""
        recogniser = self._recogniser
        assert recogniser is not None
        told = {recording.id: self._told(recording) for recording, _, _ in unheard}
        results = recogniser.transcribe([wave for _, _, wave in unheard], list(told.values()))
        found = {r.id: (audio, wave, result) for (r, audio, wave), result in zip(unheard, results, strict=True)}

        def transcript(recording: Recording) -> list[Outcome]:
            audio, wave, result = found[recording.id]
            if isinstance(result, TextError):
                raise result
            only_english = not (recogniser.decoder.multilingual or told[recording.id])
            if reject := english.refused(recording.id, result, only_english=only_english):
                return [reject]
            content: dict[str, Any] = {"language": result.language, "segments": result.segments}
            content = self._diariser.label(content, wave) if self._diariser else content
            script = with_certainty(from_whisperx(content, audio, style="heard"), result.heard, audio.sample_rate)
            script = with_overlaps(with_unheard(script, result.unheard, audio), content.get("overlaps", ()), audio)
            source = "+".join(["whisperx", *filter(None, [result.placed_by])])
            return [self._transcript(recording, audio, script, self._language(recording, script)[0], source)]

        return guarded([recording for recording, _, _ in unheard], transcript, root=self.context.voices)

    def _told(self, recording: Recording) -> str | None:
        return self.config.language or language_of(self.config.languages, recording.group, recording.speaker)

    def _written(self, recording: Recording, audio: AudioInfo, script: Script, source: str, wave: Samples) -> Outcome:
        """Builds the transcript of an existing text; adds times if it is long and has none."""
        language, guessed = self._language(recording, script)
        placed = self._timing.place(recording.id, script, language, wave, audio)
        source = f"{source}+{placed.by}" if placed.by else source
        told = replace(placed.script, taken=script.taken, bad=script.bad)
        if not script.timed and script.segments[0].speaker is None:  # several speak, and nothing tells when
            told = replace(told, segments=tuple(replace(segment, speaker=None) for segment in told.segments))
        transcript = self._transcript(recording, audio, told, language, source)
        return replace(transcript, misfit=placed.misfit, guessed=guessed or None)

    def _language(self, recording: Recording, script: Script) -> tuple[str, bool]:
        mapped = language_of(self.config.languages, recording.group, recording.speaker)
        return told_or_guessed(script, mapped, self.config.candidates)

    def _transcript(
        self, recording: Recording, audio: AudioInfo, script: Script, language: str, source: str
    ) -> Transcript:
        speakers = speakers_of(recording.id, script)
        segments = tuple(
            replace(
                segment,
                language=normalise_code(segment.language) if segment.language else language,
                speaker=segment.speaker and speakers.get(segment.speaker, ""),
            )
            for segment in script.segments
        )
        return Transcript(
            id=recording.id,
            group=recording.group,
            speaker=recording.speaker,
            sample_rate=audio.sample_rate,
            samples=audio.samples,
            language=language,
            source=source,
            timed=script.timed,
            segments=segments,
            digest=recording.digest,
            reading=audio.reading,
            taken=script.taken or None,
            bad=script.bad or None,
        )


STAGE = Transcribe
