"""A text from which stretches are taken, and which still knows where each of its characters stood."""

import re
from collections.abc import Callable, Iterable
from typing import Self

Cut = tuple[int, int, str]
"""Start and end of a stretch, and what stands in its place."""

_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


class Edited:
    """A text that is edited step by step.

    Args:
        text: The text as it was written.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._origin = list(range(len(text)))

    def cut(self, cuts: Iterable[Cut]) -> None:
        """Replaces stretches, which are in order and don't overlap."""
        parts: list[str] = []
        origin: list[int] = []
        at = 0
        for start, end, instead in cuts:
            parts += self.text[at:start], instead
            origin += self._origin[at:start]
            origin += [self._origin[start]] * len(instead)
            at = end
        parts.append(self.text[at:])
        self.text, self._origin = "".join(parts), origin + self._origin[at:]

    def take(self, pattern: re.Pattern[str], decide: Callable[[re.Match[str]], str | None]) -> Self:
        """Replaces every match of a pattern with what `decide` returns; None leaves it as it is."""
        found = [(match, decide(match)) for match in pattern.finditer(self.text)]
        cuts = [(match.start(), match.end(), instead) for match, instead in found if instead is not None]
        if cuts:
            self.cut(cuts)
        return self

    def between(self, start: int, end: int) -> str:
        """Returns what is left of a stretch of the text as it was written."""
        return "".join(
            letter for letter, place in zip(self.text, self._origin, strict=True) if start <= place < end
        ).strip()


def gap(match: re.Match[str]) -> str:
    """Returns what a stretch leaves behind: a space, but nothing beside Chinese characters and kana."""
    text, (start, end) = match.string, match.span()
    beside = text[start - 1 : start] + text[end : end + 1]
    return "" if _CJK.search(beside) else " "
