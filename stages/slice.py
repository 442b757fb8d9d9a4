"""slice: cuts recordings into utterances of a usable length.

A short recording of one utterance stays whole; only long silence at its ends is trimmed. Any other recording is cut at
its segments' borders: short segments are joined to a neighbour, long ones are split between words. Cuts don't overlap,
and no cut holds a neighbour's speech. Segments that can't be cut this way are filtered, with the reason.

Each cut is measured (`stages.utterances.measures`) and compared with the thresholds (`stages.utterances.filters`). The
measures are kept with every row, filtered ones too: when only thresholds or the loudness change, `revise` decides again
without reading any audio.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.artefacts.formats import Rows
from stages.artefacts.manifest import digest_of, file_digest
from stages.audio import files as audio
from stages.audio.loudness import gain_db
from stages.audio.silence import EDGE_S, SILENCE_DB, trimmed
from stages.base import Filtered, Stage, guarded
from stages.config import runtime
from stages.errors import WeightsError
from stages.hearing.again import Hearings, SecondHearing, identity, problem
from stages.listeners.dnsmos import Dnsmos
from stages.listeners.silero import SAMPLE_RATE, voice_share
from stages.machine import on_gpu
from stages.records import UNKNOWN, Segment, Transcript, Utterance, Wave
from stages.transcripts.languages import in_language, read_languages
from stages.utterances import cuts
from stages.utterances.borders import at_quiet_points, searched_between_all
from stages.utterances.bounds import clear_of, cropped, is_apart, no_text, refused_segments, where, why_unsplit
from stages.utterances.duplicates import DUPLICATES, DUPLICATES_VERSION, NEAR, write_duplicates
from stages.utterances.filters import SLICE_RULES, above, broken, in_other_language
from stages.utterances.finish import finished
from stages.utterances.hallucinations import hallucinated
from stages.utterances.measures import measure
from stages.utterances.misheard import compared
from stages.utterances.overlaps import lone, marks_of, parted, several_speak
from stages.utterances.rows import Outcome, measured_row, place_of_cut, row_of, unchecked
from stages.utterances.thresholds import Thresholds

_log = logging.getLogger(__name__)

_CHEAP = frozenset({"loudness_lufs", "same_language", "drop_hallucinated", *(rule.key for rule in SLICE_RULES)})
"""Keys that affect neither the cuts nor their measures."""


class SliceConfig(Thresholds):
    """How recordings are cut into utterances."""

    mode: Literal["auto", "segments", "file"] = "auto"
    """`file`: each recording is one utterance; `segments`: cut at the segments of the transcript; `auto`: keep a
    short recording whole (silence at its ends trimmed) if its text has no times or is a single segment, else cut."""
    min_s: float = Field(1.0, gt=0)
    """Seconds. Shorter utterances are filtered (`TooShort`)."""
    max_s: float = Field(20.0, gt=0, validate_default=True)
    """Seconds. Longer segments are split between words; those that can't be split are filtered (`TooLong`)."""
    join_s: float = Field(3.0, ge=0)
    """Seconds. Shorter segments are joined to a neighbour, as long as the result stays within `max_s`."""
    join: Literal["short", "sentences"] = "short"
    """What is joined. `short`: segments shorter than `join_s`; `sentences`: also those of one speaker that end within a
    sentence, to the ones that go on with it, as long as the result stays within `max_s`."""
    max_gap_s: float = Field(1.5, ge=0)
    """Seconds. Segments with a longer pause between them are never joined."""
    margin_s: float = Field(0.1, ge=0)
    """Seconds of audio kept before and after a cut; at most half of the pause to the neighbouring speech."""
    search_s: float = Field(0.3, ge=0)
    """Seconds. Where segments without word times touch, the cut is moved to the quietest point within this distance."""
    finish_s: float = Field(1.0, ge=0)
    """Seconds. A cut whose segment begins or ends in the middle of sound is widened to the next pause within this
    distance, but never into another segment: the times of captions are often too narrow. 0: no cut is."""
    edge_s: float = Field(EDGE_S, ge=0)
    """Seconds of silence kept at each end of a whole recording; the rest is trimmed."""
    silence_db: float = Field(SILENCE_DB, gt=0)
    """Audio this many dB below the recording's level counts as silence when its ends are trimmed."""
    item_timeout_s: float = runtime(3600.0, ge=0)
    """As in every stage, but longer: a recording of twelve hours is decoded two or three times."""

    @field_validator("max_s")
    @classmethod
    def _above_min(cls, max_s: float, info: ValidationInfo) -> float | None:
        return above(max_s, "slice.min_s", info.data.get("min_s"))


class Slice(Stage[SliceConfig, Transcript, Utterance]):
    """Cuts recordings into utterances."""

    name: ClassVar[str] = "slice"
    needs: ClassVar[str] = "transcribe"
    version: ClassVar[int] = 7
    format = Rows(Utterance)
    one_to_one: ClassVar[bool] = False
    borrows: ClassVar[tuple[tuple[str, str], ...]] = (("transcribe", "verify"),)

    _dnsmos: Dnsmos | None = None
    _second: SecondHearing | None = None
    _hearings: Hearings | None = None
    """The cuts of the current batch that are heard again."""

    def revision(self) -> str:
        """Returns the identity of `_tools`, and of the languages decided for short texts, if there are any."""
        return self._tools + (f"languages {digest_of(self._languages)[:12]}" if self._languages else "")

    @cached_property
    def _languages(self) -> dict[str, str]:
        """Languages of short texts by recording, where not those in their transcripts."""
        return read_languages(self.context.dataset / self.needs)

    @cached_property
    def _tools(self) -> str:
        """The identities of the models that are set, and a mark where cuts changed in 0.2."""
        searched = "searched" if searched_between_all(self.config.search_s, self.config.margin_s) else ""
        again = f", again {self._again}" if self.context.verify else ""
        again += ", srmr" if self.config.min_srmr is not None else ""
        again += ", edges" if self.config.max_edge_db is not None else ""
        if self.config.dnsmos is None:
            return searched + again
        path = Path(self.config.dnsmos).expanduser()
        return searched + (file_digest(path)[:12] if path.is_file() else "missing") + again

    @cached_property
    def _again(self) -> str:
        return identity(self.context.verify)

    def check(self, items: Iterable[Transcript]) -> list[str]:  # noqa: ARG002
        """Returns the problems with the weights of DNSMOS and of `transcribe.verify`."""
        problems = [problem(self.context.verify)] if self.context.verify else []
        try:
            self._load_dnsmos()
        except WeightsError as error:
            problems.append(str(error))
        return list(filter(None, problems))

    def setup(self) -> None:
        """Loads the models that are set."""
        self._load_dnsmos()
        if self.context.verify:
            self._second = SecondHearing(self.context.verify, self.context.device)

    def _load_dnsmos(self) -> None:
        if self.config.dnsmos is not None:
            self._dnsmos = Dnsmos(Path(self.config.dnsmos).expanduser(), "slice.dnsmos")

    @property
    def on_gpu(self) -> bool:
        """Whether cuts are heard again on a GPU."""
        return bool(self.context.verify) and on_gpu(self.context.device)

    @property
    def batch_size(self) -> int:
        """Recordings per call of `process`: one where a slow model hears them, so that little is lost by a kill."""
        return 1 if self.context.verify and not self.on_gpu else 16

    @property
    def imports(self) -> tuple[str, ...]:
        """What hears."""
        return ("faster_whisper",) if self.context.verify else ()

    @cached_property
    def _basis(self) -> Any:
        cutting = {key: value for key, value in self.config.identity().items() if key not in _CHEAP}
        if cutting["join"] == "short":  # as in datasets made before the key
            del cutting["join"]
        return [cutting, self._tools]

    def basis(self, item: Transcript) -> Any:
        """Returns the parameters of the cuts and their measures."""
        return self._with_language(item, self._basis)

    def item_parameters(self, item: Transcript) -> Any:
        """Returns the parameters of a recording's rows."""
        return self._with_language(item, self._whole_identity)

    @cached_property
    def _whole_identity(self) -> list[Any]:
        return [self.config.identity(), self._tools]

    def _with_language(self, item: Transcript, parameters: list[Any]) -> list[Any]:
        code = self._languages.get(item.id)
        return [*parameters, code] if code else parameters

    def revise(self, item: Transcript, earlier: Sequence[Outcome]) -> list[Outcome]:  # noqa: ARG002
        """Applies the thresholds again to cuts that are measured already."""
        revised = [outcome if (row := measured_row(outcome)) is None else self._admitted(row) for outcome in earlier]
        return sorted(revised, key=place_of_cut)

    def process(self, items: Sequence[Transcript]) -> list[list[Outcome]]:
        """Cuts each recording into utterances, in the order of time.

        Every segment is in exactly one outcome; repeated segments count once.

        Filtered:
            `NoSpeech`, `TooShort`, `TooLong`; `UnknownWord`: a word isn't spelt (`<unk>`); `Misfit`: the text lacks
            some of the speech; `NoText`: a segment without text that overlaps none with text; `MixedLanguages`,
            `MixedSpeakers`: segments in several languages or of several speakers overlap; `Overlap`: diarisation hears
            two speak; and by threshold, see `stages.utterances.filters`.

        Rejected:
            `BadTimes`: a segment lies outside its recording, or has no length or no end; `BadSegment`: another fault of
            one; `UnreadableAudio`.
        """
        self._hearings = Hearings(self._second) if self._second else None
        found: list[list[Outcome]] = guarded(items, self._outcomes, root=self.context.voices)
        if self._hearings:
            self._hearings.flush()
        return [[self._judged(one) if isinstance(one, Utterance) else one for one in outcomes] for outcomes in found]

    def finish_parameters(self) -> int | None:
        """Returns the version of the files of duplicates; None if nothing is measured."""
        return DUPLICATES_VERSION if self.config.measure else None

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes which utterances are copies, if they are measured; logs which weren't heard again."""
        if self.context.verify and (others := unchecked(folder, shards)):
            _log.warning("kept unheard by `transcribe.verify`, which doesn't know their language: %s", others)
        if not self.config.measure:
            return []
        write_duplicates(folder, shards)
        return [DUPLICATES, NEAR]

    def _outcomes(self, transcript: Transcript) -> list[Outcome]:
        transcript = in_language(transcript, self._languages.get(transcript.id))
        spoken = cuts.without_repeats([segment for segment in transcript.segments if segment.text.strip()])
        if not spoken:
            return [Filtered(transcript.id, "NoSpeech", "the transcript holds no text")]
        if transcript.misfit is not None:
            row = row_of(transcript, cuts.merged(spoken), (0, transcript.samples), transcript.id)
            why = "its text lacks some of the speech; the log of `transcribe` says where"
            return [Filtered(transcript.id, "Misfit", why, row), *refused_segments(transcript)]
        marks = marks_of(transcript)
        if self._is_utterance(transcript, spoken, marks):
            whole = self._whole(transcript, parted(spoken, marks))
            if whole is not None:
                return [whole, *refused_segments(transcript)]
        inside, outside = cropped(transcript, spoken)
        limits = self._limits(transcript.sample_rate)
        clear = parted(cuts.without_overlap(inside), marks)
        pieces = [piece for segment in clear for piece in cuts.split(segment, limits)]
        silent = [s for s in transcript.segments if not s.text.strip() and s not in marks]
        textless = [s for s in silent if is_apart(s, spoken)]
        others = [*textless, *marks, *(mark for bad in transcript.bad or () if (mark := where(bad)))]
        read = partial(audio.read, self.context.place(transcript.id))
        rate = transcript.sample_rate
        search = round(self.config.search_s * rate)
        pieces = at_quiet_points(cuts.join(pieces, limits, others), read, limits, search=search, rate=rate)
        if reach := round(self.config.finish_s * rate):
            longest = limits.longest
            pieces = finished(pieces, others, transcript, lambda *s: read(*s)[0], reach=reach, longest=longest)
        borders = cuts.widened(pieces, transcript.samples, limits)
        outcomes = [
            self._piece(transcript, piece, clear_of(others, cut, piece))
            for piece, cut in zip(pieces, borders, strict=True)
        ]
        unsaid = [*(no_text(transcript, s) for s in textless), *lone(transcript, marks, spoken)]
        return [*outcomes, *outside, *refused_segments(transcript), *unsaid]

    def _limits(self, rate: int) -> cuts.Limits:
        return cuts.Limits(
            shortest=round(self.config.min_s * rate),
            longest=round(self.config.max_s * rate),
            join=round(self.config.join_s * rate),
            gap=round(self.config.max_gap_s * rate),
            margin=round(self.config.margin_s * rate),
            sentences=self.config.join == "sentences",
        )

    def _is_utterance(self, transcript: Transcript, spoken: Sequence[Segment], marks: Sequence[Segment]) -> bool:
        """Returns whether a recording is one utterance, unless it turns out to be too long."""
        if self.config.mode != "auto":
            return self.config.mode == "file"
        room = self.config.edge_s * transcript.sample_rate
        start, end = spoken[0].start_samples, spoken[-1].end_samples
        return not transcript.timed or (
            len(spoken) == 1 and not marks and start <= room and end >= transcript.samples - room
        )

    def _whole(self, transcript: Transcript, spoken: Sequence[Segment]) -> Outcome | None:
        """Returns the outcome of a whole recording; None if it must be cut: too long even with its ends trimmed."""
        piece = cuts.merged(spoken)
        piece = replace(piece, language=piece.language or transcript.language)
        row = row_of(transcript, piece, (0, transcript.samples), transcript.id)
        if refused := self._refused(row, piece, transcript):
            return refused
        heard = audio.listen(self.context.place(transcript.id))
        left = trimmed(heard.wave, heard.sample_rate, silence_db=self.config.silence_db, edge_s=self.config.edge_s)
        if left is None:
            return Filtered(transcript.id, "NoSpeech", "the recording is silent", row)
        row = replace(row, start_samples=left[0], end_samples=left[1])
        if (too_long := self._too_long(row)) and self.config.mode != "file":
            return None
        return (
            self._refused(row, piece, transcript)
            or too_long
            or self._measured(row, heard.wave[row.start_samples : row.end_samples])
        )

    def _piece(self, transcript: Transcript, piece: Segment, borders: tuple[int, int]) -> Outcome:
        row = row_of(transcript, piece, borders, f"{transcript.id}#{borders[0]}-{borders[1]}")
        too_long = self._too_long(row, f", {why_unsplit(transcript, piece)}")
        return self._refused(row, piece, transcript) or too_long or self._measured(row)

    def _too_long(self, row: Utterance, why_unsplit: str = "") -> Filtered | None:
        if row.end_samples - row.start_samples <= self._limits(row.sample_rate).longest:
            return None
        why = f"{row.duration_s:.2f} s, over `slice.max_s` ({self.config.max_s:g} s){why_unsplit}"
        return Filtered(row.id, "TooLong", why, row)

    def _refused(self, row: Utterance, piece: Segment, transcript: Transcript) -> Filtered | None:
        """Filters a cut by its language, speaker or shortness, before anything is measured."""
        if not row.language:
            why = "segments in several languages overlap, so they can't be cut apart"
            return Filtered(row.id, "MixedLanguages", why, row)
        if piece.speaker is None:
            return several_speak(row, piece, marks_of(transcript))
        if UNKNOWN in row.text:
            why = f"a word of it isn't spelt (`{UNKNOWN}`): `{row.text[:60]}`"
            return Filtered(row.id, "UnknownWord", why, row)
        if row.end_samples - row.start_samples < self._limits(row.sample_rate).shortest:
            why = f"{row.duration_s:.2f} s, under `slice.min_s` ({self.config.min_s:g} s)"
            return Filtered(row.id, "TooShort", why, row)
        return None

    def _measured(self, row: Utterance, wave: Wave | None = None) -> Utterance:
        """Measures a cut, and adds it to those that are heard again; reads its wave if none is given."""
        if wave is None and (self.config.measure or self._hearings):
            wave, _ = audio.read(self.context.place(row.recording), row.start_samples, row.end_samples)
        if wave is None:
            return row
        heard = audio.resample(wave, row.sample_rate, SAMPLE_RATE) if row.certainty or self._hearings else wave
        if self.config.measure:
            asked = {
                "reverberation": self.config.min_srmr is not None,
                "edges": self.config.max_edge_db is not None,
            }
            measures = measure(wave, row.sample_rate, self._dnsmos, **asked)
            row = replace(
                row, measures=replace(measures, voice=round(voice_share(heard), 3)) if row.certainty else measures
            )
        if self._hearings:
            self._hearings.add(row.id, heard, row.language)
        return row

    def _judged(self, row: Utterance) -> Outcome:
        """Compares a cut with what was heard in it, and applies the thresholds."""
        heard = self._hearings.results.get(row.id) if self._hearings else None
        return self._admitted(row if heard is None else replace(row, again=compared(row.text, heard, row.language)))

    def _admitted(self, row: Utterance) -> Outcome:
        """Returns the utterance with its gain, or filtered by the first threshold that it breaks."""
        left_out = hallucinated(row) if self.config.drop_hallucinated else None
        left_out = left_out or broken(row, SLICE_RULES, self.config, self.name)
        if left_out is None and self.config.same_language:
            left_out = in_other_language(row)
        return left_out or replace(row, gain_db=self._gain_db(row))

    def _gain_db(self, row: Utterance) -> float:
        target, measures = self.config.loudness_lufs, row.measures
        if target is None or measures is None or measures.loudness_lufs is None:
            return 0.0
        return gain_db(measures.loudness_lufs, measures.peak, target)


STAGE = Slice
