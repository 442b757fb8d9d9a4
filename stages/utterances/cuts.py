"""Decides where to cut a transcript: arithmetic on timed segments in whole samples, without any audio.

A segment is split only between its timed words: never inside a word, and never where text without times is spoken.
"""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from stages.records import UNKNOWN, Certainty, Segment, Word
from stages.text.languages import CLOSING_MARKS, SENTENCE_ENDS, is_spaced

_OPENING = frozenset({"Ps", "Pi", "Sc"})
"""Unicode categories of characters that belong to the word after them: brackets, quotes, currency signs."""

UNSURE = -0.65
"""Mean log-probability below which whisper's text is often of no speech or of another language: `slice` leaves it out
by default."""
_FAR_SURER = 0.4
"""Difference of mean log-probabilities: of two voices, or of two languages, one may be heard so much better."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a cut, in samples."""

    shortest: int
    longest: int
    join: int
    """Pieces shorter than this are joined to a neighbour."""
    gap: int
    """The longest pause inside a joined piece."""
    margin: int
    """Room added at both ends of a cut."""
    sentences: bool = False
    """Whether pieces are joined until a sentence ends."""


def length(segment: Segment) -> int:
    """Returns the length of a segment in samples."""
    return segment.end_samples - segment.start_samples


def merged(segments: Sequence[Segment]) -> Segment:
    """Merges segments into one, their texts in order.

    If their languages differ, its language is ""; if their speakers differ, its speaker is None. It has words only if
    all of them have, and it is as sure as the least sure of them.
    """
    languages = {segment.language for segment in segments}
    speakers = {segment.speaker for segment in segments}
    language = languages.pop() if len(languages) == 1 else ""
    return Segment(
        min(segment.start_samples for segment in segments),
        max(segment.end_samples for segment in segments),
        (" " if is_spaced(language) else "").join(segment.text.strip() for segment in segments),
        language,
        tuple(word for segment in segments for word in segment.words) if all(s.words for s in segments) else (),
        speakers.pop() if len(speakers) == 1 else None,
        _least_sure([segment.certainty for segment in segments if segment.certainty]),
    )


def _least_sure(known: Sequence[Certainty]) -> Certainty | None:
    """Returns the worst values of any; None if none is known."""
    if not known:
        return None
    probable = [(one.language_probability, one.language) for one in known if one.language_probability is not None]
    probability, language = min(probable, default=(None, known[0].language))
    return Certainty(
        min(one.avg_logprob for one in known),
        max(one.no_speech_prob for one in known),
        max(one.compression_ratio for one in known),
        language,
        probability,
    )


def without_repeats(segments: Sequence[Segment]) -> list[Segment]:
    """Drops segments that repeat the text, times and speaker of another."""
    first: dict[Hashable, Segment] = {}
    for segment in segments:
        stretch = segment.start_samples, segment.end_samples
        first.setdefault((stretch, segment.text.strip(), segment.speaker), segment)
    return list(first.values())


def without_overlap(segments: Sequence[Segment]) -> list[Segment]:
    """Sorts segments by time and merges those that overlap, since no cut can separate them."""
    pieces: list[Segment] = []
    for segment in sorted(map(_tightened, segments), key=lambda s: (s.start_samples, s.end_samples)):
        if pieces and segment.start_samples < pieces[-1].end_samples:
            pieces[-1] = _tightened(merged([pieces[-1], segment]))
        else:
            pieces.append(segment)
    return pieces


def _tightened(segment: Segment) -> Segment:
    """Moves a segment's borders to its words' times; drops the words if their times or texts aren't consistent."""
    words = tuple(word for word in segment.words if word.text.strip())
    times = [time for word in words for time in (word.start_samples, word.end_samples)]
    starts, ends = times[::2], times[1::2]
    in_order = (
        starts == sorted(starts) and ends == sorted(ends) and all(s <= e for s, e in zip(starts, ends, strict=True))
    )
    if not words or not in_order or _positions(replace(segment, words=words)) is None:
        return replace(segment, words=())
    start, end = starts[0], ends[-1]
    if _letters("".join(word.text for word in words)) < _letters(segment.text):
        start, end = min(start, segment.start_samples), max(end, segment.end_samples)
    return replace(segment, words=words, start_samples=start, end_samples=end)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _positions(segment: Segment) -> list[tuple[int, int]] | None:
    """Returns the start and end of each word in the text; None if a word isn't found."""
    positions: list[tuple[int, int]] = []
    at = 0
    for word in segment.words:
        text = word.text.strip()
        start = segment.text.find(text, at)
        if start < 0:
            return None
        at = start + len(text)
        positions.append((start, at))
    return positions


def split(segment: Segment, limits: Limits) -> list[Segment]:
    """Splits a segment between its words until no piece is longer than allowed.

    Each split is at the pause with the greatest weighted length: the weight is 1 in the middle of the segment and falls
    to 0 at its ends. A piece that can't be split stays too long.
    """
    done: list[Segment] = []
    pending = [segment]
    while pending:
        piece = pending.pop()
        halves = _halves(piece, limits) if length(piece) > limits.longest else None
        if halves is None:
            done.append(piece)
        else:
            pending += reversed(halves)
    return done


def _halves(segment: Segment, limits: Limits) -> tuple[Segment, Segment] | None:
    borders = [(i, at) for i, at in _borders(segment) if _both_long(segment, i, limits)] or _borders(segment)
    if not borders:
        return None
    middle, half = (segment.start_samples + segment.end_samples) / 2, length(segment) / 2

    def weighted(border: tuple[int, int]) -> tuple[float, float]:
        before, after = segment.words[border[0]].end_samples, segment.words[border[0] + 1].start_samples
        distance = abs((before + after) / 2 - middle)
        return (after - before) * (1 - distance / half), -distance

    i, at = max(borders, key=weighted)
    left, right = segment.words[: i + 1], segment.words[i + 1 :]
    return (
        replace(segment, text=segment.text[:at].strip(), words=left, end_samples=left[-1].end_samples),
        replace(segment, text=segment.text[at:].strip(), words=right, start_samples=right[0].start_samples),
    )


def _both_long(segment: Segment, i: int, limits: Limits) -> bool:
    left = segment.words[i].end_samples - segment.start_samples
    right = segment.end_samples - segment.words[i + 1].start_samples
    return min(left, right) >= limits.shortest


def _borders(segment: Segment) -> list[tuple[int, int]]:
    """Returns the possible splits: the index of the word before each, and where in the text its second half begins."""
    positions = _positions(segment) or []
    borders = []
    for i in range(len(positions) - 1):
        (_, end), (start, _) = positions[i : i + 2]
        pause = segment.words[i + 1].start_samples - segment.words[i].end_samples
        if pause >= 0 and not _letters(segment.text[end:start]):
            while start > end and unicodedata.category(segment.text[start - 1]) in _OPENING:
                start -= 1
            borders.append((i, start))
    return borders


def parted(segment: Segment, groups: Sequence[Hashable]) -> list[Segment]:
    """Parts a segment between neighbouring words of different groups, where its text lets it.

    Args:
        segment: With or without words.
        groups: The group of each word.
    """
    pieces: list[Segment] = []
    first = begin = 0
    for i, at in _borders(segment):
        if groups[i] != groups[i + 1]:
            pieces.append(_of_words(segment, segment.text[begin:at], segment.words[first : i + 1]))
            first, begin = i + 1, at
    return [*pieces, _of_words(segment, segment.text[begin:], segment.words[first:])] if pieces else [segment]


def _of_words(segment: Segment, text: str, words: tuple[Word, ...]) -> Segment:
    start, end = words[0].start_samples, words[-1].end_samples
    return replace(segment, text=text.strip(), words=words, start_samples=start, end_samples=end)


def join(pieces: Sequence[Segment], limits: Limits, others: Sequence[Segment] = ()) -> list[Segment]:
    """Joins short pieces to each other, else to the nearer neighbour; with `limits.sentences`, sentences too.

    Only pieces of one language and one speaker are joined, within `limits.gap` and `limits.longest`, and none with an
    unknown word, or heard with far more doubt, or with so little certainty that it is left out, where the other isn't:
    it would take its neighbour with it. None of `others`, which have no text, may lie between them.
    """
    others = sorted(others, key=lambda other: other.start_samples)
    starts = [other.start_samples for other in others]

    def fits(left: Segment, right: Segment) -> bool:
        return (
            left.language == right.language != ""
            and left.speaker == right.speaker is not None
            and right.start_samples - left.end_samples <= limits.gap
            and right.end_samples - left.start_samples <= limits.longest
            and (min(length(left), length(right)) < limits.join or goes_on(left))
            and UNKNOWN not in left.text + right.text
            and not much_surer(left, right)
            and not holds_other(left, right)
        )

    def much_surer(left: Segment, right: Segment) -> bool:
        known = [piece.certainty.avg_logprob for piece in (left, right) if piece.certainty]
        return len(known) == 2 and (max(known) - min(known) > _FAR_SURER or min(known) < UNSURE <= max(known))

    def holds_other(left: Segment, right: Segment) -> bool:
        first, last = bisect_left(starts, left.end_samples), bisect_right(starts, right.start_samples)
        return any(other.end_samples <= right.start_samples for other in others[first:last])

    def goes_on(left: Segment) -> bool:
        return limits.sentences and not left.text.rstrip().rstrip(CLOSING_MARKS).endswith(SENTENCE_ENDS)

    def belongs_right(left: Segment, piece: Segment, right: Segment) -> bool:
        if length(left) < limits.join or goes_on(left) or not fits(piece, right):
            return False
        pause_left = piece.start_samples - left.end_samples
        return length(right) < limits.join or right.start_samples - piece.end_samples < pause_left

    joined: list[Segment] = []
    for i, piece in enumerate(pieces):
        alone = not joined or not fits(joined[-1], piece)
        if alone or (i + 1 < len(pieces) and belongs_right(joined[-1], piece, pieces[i + 1])):
            joined.append(piece)
        else:
            joined[-1] = merged([joined[-1], piece])
    return joined


def widened(pieces: Sequence[Segment], samples: int, limits: Limits) -> list[tuple[int, int]]:
    """Widens each piece by a margin of at most half the pause to its neighbour.

    Args:
        pieces: Sorted by time, without overlap.
        samples: Length of the recording. Before the first piece and after the last, all of the room may be used.
        limits: A cut isn't widened beyond `longest`.

    Returns:
        The first sample of each cut, and one past its last.
    """
    if not pieces:
        return []
    # The first and last piece get mirrored neighbours: half the pause to these is all of the room.
    ends = [-pieces[0].start_samples, *(piece.end_samples for piece in pieces)]
    starts = [*(piece.start_samples for piece in pieces[1:]), 2 * samples - pieces[-1].end_samples]
    cuts = []
    for piece, before, after in zip(pieces, ends, starts, strict=False):
        spare = max(0, limits.longest - length(piece))
        left = min(limits.margin, (piece.start_samples - before) // 2)
        right = min(limits.margin, (after - piece.end_samples) // 2)
        left = min(left, max(spare // 2, spare - right))
        right = min(right, spare - left)
        cuts.append((piece.start_samples - left, piece.end_samples + right))
    return cuts
