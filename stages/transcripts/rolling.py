"""Makes plain segments of captions that are shown in another way than they are spoken.

* Rolling captions show each line again above the next one, and growing ones show the beginning of a line before all of
  it: automatic captions of video sites, live subtitles. Each line is kept once.
* Captions whose windows overlap are shown until after the next one appears: each ends where the next begins.

Both are judged over the whole file, since people do say things twice, and two people do speak at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from stages.transcripts.words import TimedWord

_TOUCHING_S = 0.5
"""Seconds. Captions further apart than this aren't shown together."""
_FLASH_S = 0.1
"""Seconds. A caption that is shown for less only helps the next one to roll in."""
_MOST_WORDS = 80
_SHARE = 0.5
"""Captions are taken to roll, or to overlap, if at least this share of neighbours do."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption: seconds, a text with its line breaks, and the times of its words, if it has any."""

    start: float
    end: float
    text: str
    speaker: str = ""
    language: str = ""
    words: Sequence[TimedWord] = ()
    name: str = ""
    """Its place in the transcript, for messages."""

    @property
    def tokens(self) -> list[str]:
        """The words of the text."""
        return self.text.split()


def each_line_once(cues: Sequence[Cue]) -> tuple[list[Cue], int]:
    """Takes out of captions what the one before shows already, if the file's captions roll.

    Args:
        cues: Captions, sorted by start.

    Returns:
        The captions with what is new in each, those with nothing new left out; and the number of repeats.
    """
    shared = [_shared(before, cue) for before, cue in pairwise(cues)]
    told = [_tells(before, cue, count) for (before, cue), count in zip(pairwise(cues), shared, strict=True)]
    near = [cue.start - before.end <= _TOUCHING_S and bool(before.tokens) for before, cue in pairwise(cues)]
    if not any(told) or sum(told) < _SHARE * sum(near):
        return list(cues), 0
    kept = [cues[0]]
    repeats = 0
    for cue, count, tells in zip(cues[1:], shared, told, strict=True):
        if not count or not (tells or count == len(cue.tokens)):
            kept.append(cue)
            continue
        repeats += 1
        if count < len(cue.tokens):
            kept.append(_without(cue, count))
        elif cue.end > kept[-1].end and cue.start - kept[-1].end <= _TOUCHING_S:
            kept[-1] = replace(kept[-1], end=cue.end)
    return kept, repeats


def _shared(before: Cue, cue: Cue) -> int:
    """Returns how many words at the start of a caption are those at the end of the one before."""
    if cue.start - before.end > _TOUCHING_S:
        return 0
    left = [token.casefold() for token in before.tokens[-_MOST_WORDS:]]
    right = [token.casefold() for token in cue.tokens[:_MOST_WORDS]]
    longest = min(len(left), len(right))
    return next((count for count in range(longest, 0, -1) if left[-count:] == right[:count]), 0)


def _tells(before: Cue, cue: Cue, count: int) -> bool:
    """Returns whether what two captions share shows that they roll: whole lines with more beside them, or a flash.

    Two captions that are the same show nothing: people do say a sentence twice.
    """
    if not count:
        return False
    if count == len(cue.tokens):
        return cue.end - cue.start < _FLASH_S or len(before.tokens) > count > 1
    ends, reached = set(), 0
    for line in cue.text.split("\n"):
        reached += len(line.split())
        ends.add(reached)
    return count in ends or count > 1


def _without(cue: Cue, count: int) -> Cue:
    """Returns a caption without its first words."""
    text, words = cue.text, cue.words
    for _ in range(count):
        text = text.lstrip()
        text = text[len(text.split(maxsplit=1)[0]) :]
    return replace(cue, text=text.strip(), words=words[count:] if len(words) == len(cue.tokens) else ())


def without_overlap(cues: Sequence[Cue]) -> list[Cue]:
    """Ends each caption where the next begins, if most of a file's captions overlap the next one.

    Args:
        cues: Captions, sorted by start.
    """
    pairs = list(pairwise(cues))
    over = [left.start < right.start < left.end and left.speaker == right.speaker for left, right in pairs]
    if len(over) < 2 or sum(over) < _SHARE * len(over):
        return list(cues)
    ends = [right.start if laps else left.end for (left, right), laps in zip(pairs, over, strict=True)]
    return [replace(cue, end=end) for cue, end in zip(cues, [*ends, cues[-1].end], strict=True)]
