"""Leaves out stretches in which two speak: marks that diarisation set, and what is said in them.

A mark is a segment of a transcript without text and with several speakers (None). Words outside the marks are kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from stages.base import Filtered
from stages.records import Segment, Transcript, Utterance, Word
from stages.utterances import cuts
from stages.utterances.bounds import is_apart, segment_id

OVERLAP = "Overlap"


def marks_of(transcript: Transcript) -> list[Segment]:
    """Returns the stretches of a recording in which two speak, in order; only heard recordings have some."""
    if not transcript.source.startswith("whisperx"):
        return []
    found = (segment for segment in transcript.segments if segment.speaker is None and not segment.text.strip())
    return sorted(found, key=lambda mark: (mark.end_samples, mark.start_samples))


def parted(segments: Sequence[Segment], marks: Sequence[Segment]) -> list[Segment]:
    """Parts segments at marks, between their words; what a mark touches gets several speakers (None).

    A segment without words that a mark touches can't be parted, and gets several speakers as a whole.

    Args:
        segments: With text.
        marks: As `marks_of` returns them.
    """
    ends = [mark.end_samples for mark in marks]

    def group(piece: Segment | Word) -> tuple[int, bool]:
        """Returns how many marks end before a piece, and whether the next one touches it."""
        before = bisect_right(ends, piece.start_samples)
        return before, before < len(marks) and marks[before].start_samples < piece.end_samples

    pieces = [piece for one in segments for piece in cuts.parted(one, [group(word) for word in one.words])]
    return [replace(piece, speaker=None) if group(piece)[1] else piece for piece in pieces]


def lone(transcript: Transcript, marks: Sequence[Segment], spoken: Sequence[Segment]) -> list[Filtered]:
    """Filters the marks in which no text is said."""
    left = [mark for mark in marks if is_apart(mark, spoken)]
    return [Filtered(segment_id(transcript, mark), OVERLAP, "two speak at once") for mark in left]


def several_speak(row: Utterance, piece: Segment, marks: Sequence[Segment]) -> Filtered:
    """Filters a cut with several speakers: as an overlap if a mark touches it."""
    if is_apart(piece, marks):
        why = "several people speak at once, or in a recording that stays whole"
        return Filtered(row.id, "MixedSpeakers", why, row)
    return Filtered(row.id, OVERLAP, "two speak at once in it", row)
