"""Finds near copies among the sketches of many cuts, in memory and time that grow with their number only."""

from array import array

import numpy as np
import numpy.typing as npt

from stages.utterances.sketch import SIZE, hashes_of

_FEWEST_SHARED = 8
"""Hashes that near copies share at least. Of different recordings, the most that was ever seen is 4."""
_APART_S = 0.25
"""Largest difference in length of near copies, in seconds."""
_AT_ONCE = 1 << 22
"""Hashes that are sorted at once, about."""
_NEXT = 4
"""Rows of a hash are compared with as many next ones by length. A pair shares eight, so this misses nothing that
matters, and a hash that very many rows have costs no more than others."""

Int64s = npt.NDArray[np.int64]


class NearCopies:
    """Groups rows by their sketches and by the hashes of their audio. Needs 220 bytes of memory per row."""

    def __init__(self) -> None:
        self._sketches, self._starts = array("I"), array("Q", [0])
        self._seconds, self._hashes = array("f"), array("Q")

    def add(self, audio_hash: int, seconds: float, sketch: str | None) -> None:
        """Adds a row.

        Args:
            audio_hash: Hash of its audio, 64 bits: rows with the same are copies.
            seconds: Its length.
            sketch: Its sketch, by `stages.utterances.sketch`; None if it has none.
        """
        if sketch:
            self._sketches.frombytes(hashes_of(sketch).tobytes())
        self._starts.append(len(self._sketches))
        self._seconds.append(seconds)
        self._hashes.append(audio_hash)

    def equal(self) -> Int64s:
        """Returns the first row with the same audio as each row; of most it is itself. `[N]`."""
        _, first, group_of = np.unique(np.frombuffer(self._hashes, np.uint64), return_index=True, return_inverse=True)
        return first[group_of]

    def groups(self) -> Int64s:
        """Returns the first row that is a copy of each row, directly or through others; of most it is itself. `[N]`."""
        parents = self.equal()
        hashes, starts = (
            np.frombuffer(self._sketches, np.uint32),
            np.frombuffer(self._starts, np.uint64).astype(np.int64),
        )
        row_of = np.repeat(np.arange(len(parents), dtype=np.int32), np.diff(starts))
        seconds = np.frombuffer(self._seconds, np.float32)
        parts = 1 + len(hashes) // _AT_ONCE
        for part in range(parts):
            places = np.flatnonzero(hashes % np.uint32(parts) == part)
            pairs = _neighbours(hashes[places], row_of[places], seconds)
            for start in range(0, len(pairs), 1 << 16):
                some = pairs[start : start + (1 << 16)]
                for one, other in some[_shared(hashes, starts, some) >= _FEWEST_SHARED]:
                    _join(parents, int(one), int(other))
        return np.array([_root(parents, row) for row in range(len(parents))], np.int64)


def _neighbours(
    hashes: npt.NDArray[np.uint32], rows: npt.NDArray[np.int32], seconds: npt.NDArray[np.float32]
) -> Int64s:
    """Returns the pairs of rows that share a hash and are about as long, `[pairs, 2]`, each once."""
    order = np.lexsort((rows, seconds[rows], hashes))
    hashes, rows = hashes[order], rows[order].astype(np.int64)
    found = [np.zeros((0, 2), np.int64)]
    for step in range(1, _NEXT + 1):
        one, other = rows[:-step], rows[step:]
        alike = (hashes[:-step] == hashes[step:]) & (seconds[other] - seconds[one] <= _APART_S)
        found.append(np.sort(np.stack([one[alike], other[alike]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _shared(hashes: npt.NDArray[np.uint32], starts: Int64s, pairs: Int64s) -> Int64s:
    """Counts the hashes that the rows of each pair share, `[pairs]`."""
    both = np.full((len(pairs), 2 * SIZE), -1, np.int64)
    for side in (0, 1):
        rows = pairs[:, side]
        places = starts[rows][:, None] + np.arange(SIZE)
        held = places < starts[rows + 1][:, None]
        # What is missing is a negative number that occurs once.
        both[:, side * SIZE : (side + 1) * SIZE] = -1 - np.arange(side * SIZE, (side + 1) * SIZE)
        both[:, side * SIZE : (side + 1) * SIZE][held] = hashes[places[held]]
    both.sort(axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1), np.int64)


def _root(parents: Int64s, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def _join(parents: Int64s, one: int, other: int) -> None:
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)
