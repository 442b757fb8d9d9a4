"""How the texts of a dataset were read: how many in other words than written, and what couldn't be read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SIGNS = 12
"""Unread signs shown of a language, the most frequent."""


@dataclass(slots=True)
class Readings:
    """The texts of one language."""

    spoken: int = 0
    """Texts that are said otherwise than they are written."""
    unread: int = 0
    """Texts that can't be read whole."""
    signs: Counter[str] = field(default_factory=Counter)
    """In how many texts each unread letter or sign stands."""
    example: str = ""
    """The id of the first of these texts."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts an utterance's row."""
        self.spoken += row.get("spoken") is not None
        if signs := row.get("unread"):
            self.unread += 1
            self.signs.update(signs)
            self.example = self.example or row["id"]


def rows_of(found: Mapping[str, Readings]) -> list[dict[str, Any]]:
    """Returns the table's rows: of the languages that have something to tell, those with most unread texts first."""
    told = [(language, one) for language, one in found.items() if one.spoken or one.unread]
    return [
        {
            "language": language,
            "spoken": one.spoken,
            "unread": one.unread,
            "signs": " ".join(sign for sign, _ in one.signs.most_common(_SIGNS)),
            "example": one.example,
        }
        for language, one in sorted(told, key=lambda item: (-item[1].unread, -item[1].spoken, item[0]))
    ]
