"""Draws the utterances that a report shows, and finds their shards again: in memory that hardly grows with the dataset.

An utterance takes 12 bytes. Of each speaker only those are kept that may still be drawn.
"""

import hashlib
from array import array
from bisect import insort
from collections.abc import Iterable
from itertools import zip_longest

import numpy as np

_Drawn = tuple[bytes, str]
"""The hash by which utterances are ordered, and an id."""


class Drawing:
    """Draws utterances from all speakers in turn, by a hash of their ids.

    Args:
        count: How many to draw.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[str, list[_Drawn]] = {}
        self._added = 0
        self._depth = count
        """How many of a speaker may still be drawn."""
        self._hashes = array("Q")
        self._shards = array("L")
        self._names: dict[str, int] = {}

    def add(self, uid: str, speaker: str, shard: str) -> None:
        """Adds an utterance."""
        order = _hash(uid)
        self._hashes.append(int.from_bytes(order, "big"))
        self._shards.append(self._names.setdefault(shard, len(self._names)))
        kept = self._kept.setdefault(speaker, [])
        insort(kept, (order, uid))
        del kept[self._depth :]
        self._added += 1
        if self._added % 1024 == 0:
            self._prune()

    def _prune(self) -> None:
        """Finds the depth to which turns can go, which only becomes less as utterances come, and keeps no more."""
        lengths = sorted(map(len, self._kept.values()), reverse=True)
        while self._depth > 1 and sum(min(length, self._depth - 1) for length in lengths) >= self._count:
            self._depth -= 1
        for kept in self._kept.values():
            del kept[self._depth :]

    def drawn(self) -> list[str]:
        """Returns the ids that are drawn, in their order."""
        in_turn = zip_longest(*(kept for _, kept in sorted(self._kept.items())))
        return [entry[1] for turn in in_turn for entry in turn if entry is not None][: self._count]

    def shards(self, uids: Iterable[str]) -> list[str]:
        """Returns the shards in which utterances may be, sorted: rarely one too many, where two ids have one hash."""
        wanted = np.array([int.from_bytes(_hash(uid), "big") for uid in uids], np.uint64)
        found = np.isin(np.frombuffer(self._hashes, np.uint64), wanted)
        numbers = set(np.frombuffer(self._shards, f"u{self._shards.itemsize}")[found].tolist())
        return sorted(name for name, number in self._names.items() if number in numbers)


def _hash(uid: str) -> bytes:
    return hashlib.blake2b(uid.encode("utf-8", "replace"), digest_size=8).digest()


def rows_of(uids: Iterable[str], ids: Iterable[str]) -> dict[str, int]:
    """Returns the row number of each of some utterances that is there.

    Args:
        uids: The utterances.
        ids: The ids of all rows, in order.
    """
    wanted = set(uids)
    return {uid: row for row, uid in enumerate(ids) if uid in wanted}
