"""slice: recordings with their transcripts become utterances of a usable length.

A recording that is itself an utterance stays whole, less what silence it has too much of at its ends. Any other is cut
at the borders of its segments: short ones are joined to a neighbour, long ones are split between words. No cut overlaps
another or reaches into what a neighbour says, and a text never gets audio that isn't its own: what can't be cut so is
filtered, with the reason.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages import audio, cuts
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import StageConfig
from stages.manifest import Rows
from stages.records import Segment, Transcript, Utterance, Word
from stages.silence import quietest, sound_edges

Outcome = Utterance | Filtered | Reject

_TOUCHING_S = 0.02
"""Segments nearer than this have a border that was set by rounding, not by a pause."""


class SliceConfig(StageConfig):
    """How recordings are cut into utterances."""

    mode: Literal["auto", "segments", "file"] = "auto"
    """`file`: each recording is one utterance; `segments`: it is cut at its segments; `auto`: whole where it is short
    enough and its text has no times or is a single segment, else cut."""
    min_s: float = Field(1.0, gt=0)
    """Seconds; shorter utterances are filtered."""
    max_s: float = Field(20.0, gt=0, validate_default=True)
    """Seconds; longer segments are split between words, and filtered where that can't be done."""
    join_s: float = Field(3.0, ge=0)
    """Seconds; segments shorter than this are joined to a neighbour, as long as `max_s` allows."""
    max_gap_s: float = Field(1.5, ge=0)
    """Seconds; segments with a longer pause between them aren't joined."""
    margin_s: float = Field(0.1, ge=0)
    """Seconds of room kept at both ends of a cut, up to half the pause before the neighbour speaks."""
    search_s: float = Field(0.3, ge=0)
    """Seconds; where segments without word times touch, the cut is made at the quietest point so near the border."""
    edge_s: float = Field(0.5, ge=0)
    """Seconds of silence kept at both ends of a whole recording; what is longer is left out."""
    silence_db: float = Field(40.0, gt=0)
    """dB under the recording's level at which that silence begins."""

    @field_validator("max_s")
    @classmethod
    def _above_min(cls, max_s: float, info: ValidationInfo) -> float:
        min_s = info.data.get("min_s", 0.0)
        if max_s <= min_s:
            raise ValueError(
                f"must be greater than `slice.min_s` ({min_s:g}), but is {max_s:g}; raise it or lower the other"
            )
        return max_s


class Slice(Stage[SliceConfig, Transcript, Utterance]):
    """Cuts recordings into utterances."""

    name: ClassVar[str] = "slice"
    needs: ClassVar[str] = "transcribe"
    version: ClassVar[int] = 1
    format = Rows(Utterance)
    one_to_one: ClassVar[bool] = False

    def process(self, items: Sequence[Transcript]) -> list[list[Outcome]]:
        """Returns the utterances of each recording in the order of time, and what was filtered of it.

        Every segment that holds text is in exactly one outcome. Filtered: `NoSpeech`, `TooShort`, `TooLong`, and
        `MixedLanguages` and `MixedSpeakers` where segments in several languages or of several speakers overlap.
        Rejected: `BadTimes` where a segment lies outside its recording, `UnreadableAudio`.
        """
        return guarded(items, self._outcomes, root=self.context.voices)

    def _outcomes(self, transcript: Transcript) -> list[Outcome]:
        spoken = [segment for segment in transcript.segments if segment.text.strip()]
        if not spoken:
            return [Filtered(transcript.id, "NoSpeech", "the transcript holds no text")]
        if self._is_utterance(transcript, spoken):
            return [self._whole(transcript, spoken)]
        inside, outside = _within(transcript, spoken)
        limits = self._limits(transcript.sample_rate)
        pieces = [piece for segment in cuts.without_overlap(inside) for piece in cuts.split(segment, limits)]
        pieces = self._at_quiet_points(transcript, cuts.join(pieces, limits), limits)
        borders = cuts.widened(pieces, transcript.samples, limits)
        return [*map(self._judged, [transcript] * len(pieces), pieces, borders), *outside]

    def _limits(self, rate: int) -> cuts.Limits:
        return cuts.Limits(
            shortest=round(self.config.min_s * rate),
            longest=round(self.config.max_s * rate),
            join=round(self.config.join_s * rate),
            gap=round(self.config.max_gap_s * rate),
            margin=round(self.config.margin_s * rate),
        )

    def _is_utterance(self, transcript: Transcript, spoken: Sequence[Segment]) -> bool:
        if self.config.mode != "auto":
            return self.config.mode == "file"
        if transcript.samples > self._limits(transcript.sample_rate).longest:
            return False
        room = self.config.edge_s * transcript.sample_rate
        start, end = spoken[0].start_samples, spoken[-1].end_samples
        return not transcript.timed or (len(spoken) == 1 and start <= room and end >= transcript.samples - room)

    def _whole(self, transcript: Transcript, spoken: Sequence[Segment]) -> Outcome:
        piece = replace(cuts.merged(spoken), start_samples=0, end_samples=transcript.samples)
        piece = replace(piece, language=piece.language or transcript.language)
        outcome = self._judged(transcript, piece, (0, transcript.samples), whole=True)
        if isinstance(outcome, Filtered):
            return outcome
        wave, rate = audio.read(self.context.source(transcript.id))
        edges = sound_edges(wave, rate, silence_db=self.config.silence_db)
        if edges is None:
            return Filtered(transcript.id, "NoSpeech", "the recording is silent")
        room = round(self.config.edge_s * rate)
        borders = max(0, edges[0] - room), min(len(wave), edges[1] + room)
        return self._judged(transcript, piece, borders, whole=True)

    def _judged(
        self, transcript: Transcript, piece: Segment, borders: tuple[int, int], *, whole: bool = False
    ) -> Outcome:
        """Returns the utterance, or what its length or its language makes of it."""
        start, end = borders
        id_ = transcript.id if whole else f"{transcript.id}#{start}-{end}"
        limits, seconds = self._limits(transcript.sample_rate), f"{(end - start) / transcript.sample_rate:.2f} s"
        if not piece.language:
            return Filtered(id_, "MixedLanguages", "segments in several languages overlap, so that none can be cut out")
        if piece.speaker is None:
            return Filtered(id_, "MixedSpeakers", "several speak at once, or in a recording that is taken whole")
        if end - start < limits.shortest:
            return Filtered(id_, "TooShort", f"{seconds}, under `slice.min_s` ({self.config.min_s:g})")
        if end - start > limits.longest:
            why = "" if whole else f", {_why_unsplit(transcript, piece)}"
            return Filtered(id_, "TooLong", f"{seconds}, over `slice.max_s` ({self.config.max_s:g}){why}")
        return Utterance(
            id=id_,
            recording=transcript.id,
            group=transcript.group,
            speaker=piece.speaker or transcript.speaker,
            language=piece.language,
            start_samples=start,
            end_samples=end,
            sample_rate=transcript.sample_rate,
            text=piece.text,
            digest=transcript.digest,
        )

    def _at_quiet_points(self, transcript: Transcript, pieces: Sequence[Segment], limits: cuts.Limits) -> list[Segment]:
        """Moves borders that only touch, and have no words to be sure of, to where the recording is quietest."""
        moved = list(pieces)
        search = round(self.config.search_s * transcript.sample_rate)
        touching = _TOUCHING_S * transcript.sample_rate
        for i in range(len(moved) - 1):
            left, right = moved[i : i + 2]
            if left.words or right.words or right.start_samples - left.end_samples > touching:
                continue
            reach = min(search, cuts.length(left) // 2, cuts.length(right) // 2)
            first = max(left.end_samples - reach, right.end_samples - limits.longest)
            last = min(right.start_samples + reach, left.start_samples + limits.longest)
            if reach and first < last:
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


def _words_within(transcript: Transcript, segment: Segment) -> tuple[Word, ...]:
    sound = all(word.start_samples >= 0 and word.end_samples <= transcript.samples for word in segment.words)
    return segment.words if sound else ()


def _why_unsplit(transcript: Transcript, piece: Segment) -> str:
    if piece.words:
        return "and has no pause between two words to split it at"
    what = "its words have no times" if transcript.timed else "its text has no times"
    return f"and {what} to split it by: give an aligner (`transcribe.align_models`; for English the extra `align`)"


STAGE = Slice
