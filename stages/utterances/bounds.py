"""Keeps segments within their recording, and cuts clear of sound without text."""

from collections.abc import Sequence
from dataclasses import replace

from stages.base import Filtered, Reject
from stages.records import BadSegment, Segment, Transcript, Word


def segment_id(transcript: Transcript, segment: Segment) -> str:
    """Returns the id of a segment that isn't cut: `recording#start-end` in samples."""
    return f"{transcript.id}#{segment.start_samples}-{segment.end_samples}"


def cropped(transcript: Transcript, segments: Sequence[Segment]) -> tuple[list[Segment], list[Reject]]:
    """Crops segments to their recording.

    Returns:
        The segments that overlap the recording, with their language filled in; a reject for each of the others. A
        segment loses its words if one of them lies outside.
    """
    inside: list[Segment] = []
    outside: list[Reject] = []
    for segment in segments:
        start, end = max(0, segment.start_samples), min(transcript.samples, segment.end_samples)
        if start < end:
            language, words = segment.language or transcript.language, _words_inside(transcript, segment)
            inside.append(replace(segment, start_samples=start, end_samples=end, language=language, words=words))
        else:
            detail = f"the segment must lie within the recording's {transcript.samples} samples, but doesn't"
            hint = "mend the times in the transcript"
            outside.append(Reject(segment_id(transcript, segment), "BadTimes", detail, hint))
    return inside, outside


def _words_inside(transcript: Transcript, segment: Segment) -> tuple[Word, ...]:
    inside = all(word.start_samples >= 0 and word.end_samples <= transcript.samples for word in segment.words)
    return segment.words if inside else ()


def where(bad: BadSegment) -> Segment | None:
    """Returns where a segment that can't be used begins, or may lie, as one without text; None if that isn't known."""
    at = bad.start_samples
    return None if at is None else Segment(at, at if bad.end_samples is None else bad.end_samples, "", "")


def refused_segments(transcript: Transcript) -> list[Reject]:
    """Returns a reject for each segment that can't be used."""
    hint = "mend it in the transcript"
    return [Reject(f"{transcript.id}#{bad.name}", bad.reason, bad.why, hint) for bad in transcript.bad or ()]


def no_text(transcript: Transcript, segment: Segment) -> Filtered:
    """Returns the outcome of a segment without text."""
    return Filtered(segment_id(transcript, segment), "NoText", "the segment holds no text")


def why_unsplit(transcript: Transcript, piece: Segment) -> str:
    """Returns why a cut that is too long can't be split, and what to do."""
    if piece.words:
        return "and has no pause between two words to split it at"
    if transcript.source.startswith("whisperx"):
        return "and its words have no times to split it by: set `transcribe.align` to true, or lower `chunk_s`"
    what = "its words have no times" if transcript.timed else "its text has no times"
    return f"and {what} to split it by: give an aligner (`transcribe.align_models`; for English the extra `align`)"


def is_apart(segment: Segment, others: Sequence[Segment]) -> bool:
    """Returns whether a segment overlaps none of the others."""
    return all(segment.end_samples <= o.start_samples or segment.start_samples >= o.end_samples for o in others)


def clear_of(others: Sequence[Segment], cut: tuple[int, int], piece: Segment) -> tuple[int, int]:
    """Trims the margins of a cut where they would reach into other segments.

    Args:
        others: Segments that the cut must not include; those that overlap `piece` are ignored.
        cut: Start and end of the cut, in samples.
        piece: The segment that is cut; never trimmed.

    Returns:
        Start and end of the trimmed cut.
    """
    starts = [other.end_samples for other in others if other.end_samples <= piece.start_samples]
    ends = [other.start_samples for other in others if other.start_samples >= piece.end_samples]
    return max([cut[0], *starts]), min([cut[1], *ends])
