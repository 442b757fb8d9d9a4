"""slice: cuts recordings into utterances of a usable length.

A recording that is itself an utterance stays whole, less what silence it has too much of at its ends. Any other is cut
at the borders of its segments: short ones are joined to a neighbour, long ones are split between words. No cut overlaps
another or reaches into what a neighbour says, and a text never gets audio that isn't its own: what can't be cut so is
filtered, with the reason.

Each cut is then measured (`stages.utterances.measures`), and the thresholds that are set leave out what is noisy, clipped or read
too fast (`stages.utterances.filters`). What was measured is kept with the row, also of what is left out, and where only
thresholds or the loudness are changed, the cuts are judged anew without reading any audio (`basis`, `revise`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.artefacts.formats import Rows
from stages.artefacts.manifest import file_digest
from stages.audio import files as audio
from stages.audio.loudness import gain_db
from stages.audio.silence import quietest, sound_edges
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import StageConfig, runtime
from stages.errors import WeightsError
from stages.listeners.dnsmos import Dnsmos
from stages.records import Segment, Transcript, Utterance, Wave, Word
from stages.utterances import cuts
from stages.utterances.duplicates import DUPLICATES, DUPLICATES_VERSION, write_duplicates
from stages.utterances.filters import NEED_AUDIO, SLICE_RULES, THRESHOLD_REASONS, above, broken, in_other_language
from stages.utterances.measures import measure

Outcome = Utterance | Filtered | Reject

_CHEAP = frozenset({"loudness_lufs", "same_language", *(rule.key for rule in SLICE_RULES)})
"""Keys that decide nothing but what is made of measures."""

_TOUCHING_S = 0.02
"""Segments nearer than this have a border that was set by rounding, not by a pause."""


class SliceConfig(StageConfig):
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
    max_gap_s: float = Field(1.5, ge=0)
    """Seconds. Segments with a longer pause between them are never joined."""
    margin_s: float = Field(0.1, ge=0)
    """Seconds of audio kept before and after a cut; at most half of the pause to the neighbouring speech."""
    search_s: float = Field(0.3, ge=0)
    """Seconds. Where segments without word times touch, the cut is moved to the quietest point within this distance."""
    edge_s: float = Field(0.5, ge=0)
    """Seconds of silence kept at each end of a whole recording; the rest is trimmed."""
    silence_db: float = Field(40.0, gt=0)
    """Audio this many dB below the recording's level counts as silence when its ends are trimmed."""
    measure: bool = True
    """Whether to measure noise, clipping, silence and loudness of each cut. The report, the thresholds and
    `loudness_lufs` need it. Costs one more read of the audio."""
    dnsmos: str | None = runtime(None)
    """Path of DNSMOS P.835's `sig_bak_ovr.onnx`, to predict listening scores (needs onnxruntime). The file's
    content, not its path, enters the fingerprint."""
    loudness_lufs: float | None = Field(None, ge=-70, le=0, validate_default=True)
    """Target loudness of each cut in LUFS (ITU-R BS.1770-4), applied whenever the cut is read, as far as its peak
    stays within full scale. Recordings aren't changed. Not set: no gain. EBU R 128 uses -23."""
    min_characters_per_s: float | None = Field(None, ge=0)
    """Utterances with fewer characters of text per second are filtered (`FewCharacters`): text is probably missing."""
    max_characters_per_s: float | None = Field(None, ge=0)
    """Utterances with more are filtered (`ManyCharacters`): audio is probably missing."""
    max_clipped: float | None = Field(None, ge=0, le=1, validate_default=True)
    """Largest share of samples at full scale; above it an utterance is filtered (`Clipped`)."""
    max_silence: float | None = Field(None, ge=0, le=1, validate_default=True)
    """Largest share of silent frames; above it an utterance is filtered (`Silence`)."""
    min_snr_db: float | None = Field(None, validate_default=True)
    """Lowest signal-to-noise ratio in dB; below it an utterance is filtered (`Noisy`)."""
    min_dnsmos: float | None = Field(None, ge=1, le=5, validate_default=True)
    """Lowest overall DNSMOS P.835 score; below it an utterance is filtered (`PoorQuality`)."""
    same_language: bool = False
    """Whether to filter utterances whose text is in another language than the row says (`OtherLanguage`). Texts
    under 20 letters are too short to tell and are kept."""

    @field_validator("max_s")
    @classmethod
    def _above_min(cls, max_s: float, info: ValidationInfo) -> float | None:
        return above(max_s, "slice.min_s", info.data.get("min_s"))

    @field_validator("max_characters_per_s")
    @classmethod
    def _above_min_characters(cls, bound: float | None, info: ValidationInfo) -> float | None:
        key = "min_characters_per_s"
        return above(bound, f"slice.{key}", info.data.get(key))

    @field_validator("dnsmos", "loudness_lufs", *sorted(NEED_AUDIO))
    @classmethod
    def _is_measured(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not info.data.get("measure", True):
            raise ValueError("needs what is measured of the audio; leave `slice.measure` at true")
        if value is not None and info.field_name == "min_dnsmos" and not info.data.get("dnsmos"):
            raise ValueError("needs `slice.dnsmos`, the path of `sig_bak_ovr.onnx`; give it, or leave the bound out")
        return value


class Slice(Stage[SliceConfig, Transcript, Utterance]):
    """Cuts recordings into utterances."""

    name: ClassVar[str] = "slice"
    needs: ClassVar[str] = "transcribe"
    version: ClassVar[int] = 4
    format = Rows(Utterance)
    one_to_one: ClassVar[bool] = False

    _dnsmos: Dnsmos | None = None

    def revision(self) -> str:
        """Returns the short hash of DNSMOS's weights, where they are asked for, and a mark where cuts changed in 0.2."""
        # Before 0.2 no border between touching segments was searched for with so little margin.
        searched = "searched" if self.config.search_s and self.config.margin_s <= _TOUCHING_S / 2 else ""
        if self.config.dnsmos is None:
            return searched
        path = Path(self.config.dnsmos).expanduser()
        return searched + (file_digest(path)[:12] if path.is_file() else "missing")

    def check(self, items: Iterable[Transcript]) -> list[str]:  # noqa: ARG002
        """Returns what is wrong with DNSMOS's weights."""
        try:
            self.setup()
        except WeightsError as error:
            return [str(error)]
        return []

    def setup(self) -> None:
        """Loads DNSMOS, where it is asked for."""
        if self.config.dnsmos is not None:
            self._dnsmos = Dnsmos(Path(self.config.dnsmos).expanduser(), "slice.dnsmos")

    @cached_property
    def _basis(self) -> Any:
        return [{key: value for key, value in self.config.identity().items() if key not in _CHEAP}, self.revision()]

    def basis(self, item: Transcript) -> Any:  # noqa: ARG002
        """Returns what decides the cuts and what is measured of them."""
        return self._basis

    def revise(self, item: Transcript, earlier: Sequence[Outcome]) -> list[Outcome]:  # noqa: ARG002
        """Judges cuts anew by what was measured of them."""
        judged = [outcome if (row := _measured_row(outcome)) is None else self._admitted(row) for outcome in earlier]
        return sorted(judged, key=_place)

    def process(self, items: Sequence[Transcript]) -> list[list[Outcome]]:
        """Returns the utterances of each recording in the order of time, and what was filtered of it.

        Every segment is in exactly one outcome; what is told twice counts once. Filtered: `NoSpeech`, `Misfit` (its
        text isn't all that is said), `NoText` (a segment without any, apart from those with), `TooShort`, `TooLong`,
        `MixedLanguages` and `MixedSpeakers` where segments in several languages or of several speakers overlap, and
        what a threshold leaves out: see `stages.utterances.filters`. Rejected: `BadTimes` where a segment lies outside its
        recording, `UnreadableAudio`.
        """
        return guarded(items, self._outcomes, root=self.context.voices)

    def finish_parameters(self) -> int | None:
        """Returns the version of what is written down of equal audio."""
        return DUPLICATES_VERSION if self.config.measure else None

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes down which utterances have the same audio, as far as it was measured."""
        if not self.config.measure:
            return []
        write_duplicates(folder, shards)
        return [DUPLICATES]

    def _outcomes(self, transcript: Transcript) -> list[Outcome]:
        spoken = cuts.without_repeats([segment for segment in transcript.segments if segment.text.strip()])
        if not spoken:
            return [Filtered(transcript.id, "NoSpeech", "the transcript holds no text")]
        if transcript.misfit is not None:
            row = _row(transcript, cuts.merged(spoken), (0, transcript.samples), transcript.id)
            return [Filtered(transcript.id, "Misfit", "its text isn't all that is said; `transcribe` says where", row)]
        if self._is_utterance(transcript, spoken):
            whole = self._whole(transcript, spoken)
            if whole is not None:
                return [whole]
        inside, outside = _within(transcript, spoken)
        limits = self._limits(transcript.sample_rate)
        pieces = [piece for segment in cuts.without_overlap(inside) for piece in cuts.split(segment, limits)]
        pieces = self._at_quiet_points(transcript, cuts.join(pieces, limits), limits)
        borders = cuts.widened(pieces, transcript.samples, limits)
        textless = [one for one in transcript.segments if not one.text.strip() and _is_apart(one, spoken)]
        judged = [
            self._piece(transcript, piece, _clear(cut, piece, textless))
            for piece, cut in zip(pieces, borders, strict=True)
        ]
        return [*judged, *outside, *(_no_text(transcript, one) for one in textless)]

    def _limits(self, rate: int) -> cuts.Limits:
        return cuts.Limits(
            shortest=round(self.config.min_s * rate),
            longest=round(self.config.max_s * rate),
            join=round(self.config.join_s * rate),
            gap=round(self.config.max_gap_s * rate),
            margin=round(self.config.margin_s * rate),
        )

    def _is_utterance(self, transcript: Transcript, spoken: Sequence[Segment]) -> bool:
        """Tells whether a recording stays whole, provided that it isn't too long without the silence at its ends."""
        if self.config.mode != "auto":
            return self.config.mode == "file"
        room = self.config.edge_s * transcript.sample_rate
        start, end = spoken[0].start_samples, spoken[-1].end_samples
        return not transcript.timed or (len(spoken) == 1 and start <= room and end >= transcript.samples - room)

    def _whole(self, transcript: Transcript, spoken: Sequence[Segment]) -> Outcome | None:
        """Returns what a whole recording is; None where it must be cut: too long without the silence at its ends."""
        piece = cuts.merged(spoken)
        piece = replace(piece, language=piece.language or transcript.language)
        row = _row(transcript, piece, (0, transcript.samples), transcript.id)
        if refused := self._refused(row, piece):
            return refused
        wave, rate = audio.read(self.context.source(transcript.id))
        edges = sound_edges(wave, rate, silence_db=self.config.silence_db)
        if edges is None:
            return Filtered(transcript.id, "NoSpeech", "the recording is silent", row)
        room = round(self.config.edge_s * rate)
        row = replace(row, start_samples=max(0, edges[0] - room), end_samples=min(len(wave), edges[1] + room))
        if (too_long := self._too_long(row)) and self.config.mode != "file":
            return None
        return self._refused(row, piece) or too_long or self._judged(row, wave[row.start_samples : row.end_samples])

    def _piece(self, transcript: Transcript, piece: Segment, borders: tuple[int, int]) -> Outcome:
        row = _row(transcript, piece, borders, f"{transcript.id}#{borders[0]}-{borders[1]}")
        too_long = self._too_long(row, f", {_why_unsplit(transcript, piece)}")
        return self._refused(row, piece) or too_long or self._judged(row)

    def _too_long(self, row: Utterance, why_unsplit: str = "") -> Filtered | None:
        if row.end_samples - row.start_samples <= self._limits(row.sample_rate).longest:
            return None
        why = f"{row.duration_s:.2f} s, over `slice.max_s` ({self.config.max_s:g}){why_unsplit}"
        return Filtered(row.id, "TooLong", why, row)

    def _refused(self, row: Utterance, piece: Segment) -> Filtered | None:
        """Returns what a cut's language, speaker or being too short makes of it, before anything is measured."""
        if not row.language:
            why = "segments in several languages overlap, so that none can be cut out"
            return Filtered(row.id, "MixedLanguages", why, row)
        if piece.speaker is None:
            why = "several speak at once, or in a recording that is taken whole"
            return Filtered(row.id, "MixedSpeakers", why, row)
        if row.end_samples - row.start_samples < self._limits(row.sample_rate).shortest:
            why = f"{row.duration_s:.2f} s, under `slice.min_s` ({self.config.min_s:g})"
            return Filtered(row.id, "TooShort", why, row)
        return None

    def _judged(self, row: Utterance, wave: Wave | None = None) -> Outcome:
        """Measures a cut, whose wave may be at hand, and lets it in or not."""
        if self.config.measure:
            if wave is None:
                wave, _ = audio.read(self.context.source(row.recording), row.start_samples, row.end_samples)
            row = replace(row, measures=measure(wave, row.sample_rate, self._dnsmos))
        return self._admitted(row)

    def _admitted(self, row: Utterance) -> Outcome:
        """Returns the utterance as loud as it should be, or what the first threshold that it breaks makes of it."""
        left_out = broken(row, SLICE_RULES, self.config, self.name)
        if left_out is None and self.config.same_language:
            left_out = in_other_language(row)
        return left_out or replace(row, gain_db=self._gain_db(row))

    def _gain_db(self, row: Utterance) -> float:
        target, measures = self.config.loudness_lufs, row.measures
        if target is None or measures is None or measures.loudness_lufs is None:
            return 0.0
        return gain_db(measures.loudness_lufs, measures.peak, target)

    def _at_quiet_points(self, transcript: Transcript, pieces: Sequence[Segment], limits: cuts.Limits) -> list[Segment]:
        """Moves borders that are near each other, and have no words to be sure of, to where the recording is quietest.

        That is looked for between them, and around them where they touch.
        """
        moved = list(pieces)
        search = round(self.config.search_s * transcript.sample_rate)
        touching = _TOUCHING_S * transcript.sample_rate
        for i in range(len(moved) - 1):
            left, right = moved[i : i + 2]
            pause = right.start_samples - left.end_samples
            apart = pause > touching and pause >= 2 * limits.margin
            if not search or left.words or right.words or apart:
                continue
            reach = min(search, cuts.length(left) // 2, cuts.length(right) // 2) if pause <= touching else 0
            first = max(left.end_samples - reach, right.end_samples - limits.longest)
            last = min(right.start_samples + reach, left.start_samples + limits.longest)
            if first < last:
                wave, rate = audio.read(self.context.source(transcript.id), first, last)
                border = first + quietest(wave, rate)
                moved[i : i + 2] = replace(left, end_samples=border), replace(right, start_samples=border)
        return moved


def _within(transcript: Transcript, segments: Sequence[Segment]) -> tuple[list[Segment], list[Outcome]]:
    """Returns the segments that lie in the recording, cropped to it, and a reject for each of the others."""
    inside: list[Segment] = []
    outside: list[Outcome] = []
    for segment in segments:
        start, end = max(0, segment.start_samples), min(transcript.samples, segment.end_samples)
        if start < end:
            cropped = replace(segment, start_samples=start, end_samples=end, words=_words_within(transcript, segment))
            inside.append(replace(cropped, language=segment.language or transcript.language))
        else:
            id_ = f"{transcript.id}#{segment.start_samples}-{segment.end_samples}"
            detail = f"the segment must lie in the recording's {transcript.samples} samples, but doesn't"
            outside.append(Reject(id_, "BadTimes", detail, "mend the times in the transcript"))
    return inside, outside


def _is_apart(segment: Segment, others: Sequence[Segment]) -> bool:
    return all(segment.end_samples <= o.start_samples or segment.start_samples >= o.end_samples for o in others)


def _clear(cut: tuple[int, int], piece: Segment, others: Sequence[Segment]) -> tuple[int, int]:
    """Returns the borders of a cut, without any room that would reach into others beside its piece."""
    starts = [one.end_samples for one in others if one.end_samples <= piece.start_samples]
    ends = [one.start_samples for one in others if one.start_samples >= piece.end_samples]
    return max([cut[0], *starts]), min([cut[1], *ends])


def _no_text(transcript: Transcript, segment: Segment) -> Filtered:
    id_ = f"{transcript.id}#{segment.start_samples}-{segment.end_samples}"
    return Filtered(id_, "NoText", "the segment holds no text")


def _row(transcript: Transcript, piece: Segment, borders: tuple[int, int], id_: str) -> Utterance:
    return Utterance(
        id=id_,
        recording=transcript.id,
        group=transcript.group,
        speaker=piece.speaker or transcript.speaker,
        language=piece.language,
        start_samples=borders[0],
        end_samples=borders[1],
        sample_rate=transcript.sample_rate,
        text=piece.text,
        digest=transcript.digest,
    )


def _measured_row(outcome: Outcome) -> Utterance | None:
    """Returns the row of a cut that thresholds have looked at, as it was before; None for what was left out earlier."""
    if isinstance(outcome, Utterance):
        return replace(outcome, gain_db=0.0)
    return outcome.cut if isinstance(outcome, Filtered) and outcome.reason in THRESHOLD_REASONS else None


def _place(outcome: Outcome) -> tuple[bool, int]:
    """Returns what outcomes are in order by: the start of the cut, and last what has none."""
    row = outcome if isinstance(outcome, Utterance) else getattr(outcome, "cut", None)
    return (row is None, row.start_samples if row else 0)


def _words_within(transcript: Transcript, segment: Segment) -> tuple[Word, ...]:
    sound = all(word.start_samples >= 0 and word.end_samples <= transcript.samples for word in segment.words)
    return segment.words if sound else ()


def _why_unsplit(transcript: Transcript, piece: Segment) -> str:
    if piece.words:
        return "and has no pause between two words to split it at"
    what = "its words have no times" if transcript.timed else "its text has no times"
    return f"and {what} to split it by: give an aligner (`transcribe.align_models`; for English the extra `align`)"


STAGE = Slice
