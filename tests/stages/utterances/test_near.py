"""Groups of near copies, against a comparison of all pairs."""

import base64

import numpy as np
import pytest

from stages.utterances import near
from stages.utterances.near import NearCopies
from stages.utterances.sketch import SIZE


def text_of(hashes: np.ndarray) -> str:
    return base64.b64encode(np.sort(hashes).astype("<u4").tobytes()).decode()


def some(rng: np.random.Generator, count: int = SIZE) -> np.ndarray:
    return rng.choice(2**32, count, replace=False).astype(np.uint32)


def groups(*rows: tuple[int, float, str | None]) -> list[int]:
    copies = NearCopies()
    for row in rows:
        copies.add(*row)
    return copies.groups().tolist()


def test_no_rows_have_no_groups() -> None:
    assert groups() == []
    assert groups((1, 1.0, None), (2, 1.0, None)) == [0, 1]


def test_equal_audio_is_a_copy_also_without_a_sketch() -> None:
    assert groups((7, 1.0, None), (8, 1.0, None), (7, 1.0, None)) == [0, 1, 0]


@pytest.mark.parametrize("parts", [1, 5])
def test_copies_share_eight_hashes_and_are_as_long(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(near, "_AT_ONCE", 10**9 if parts == 1 else 100)
    rng = np.random.default_rng(0)
    base = some(rng)
    eight, seven, late = (np.concatenate([base[:shared], some(rng, SIZE - shared)]) for shared in (8, 7, 20))
    rows = [(base, 5.0), (eight, 5.2), (seven, 5.0), (late, 5.4), (some(rng), 5.0), (eight[:9], 5.0)]
    found = groups(*((n, seconds, text_of(hashes)) for n, (hashes, seconds) in enumerate(rows)))
    # The fourth row is too long for the first, but not for the second, with which it shares the first eight.
    assert found == [0, 0, 2, 0, 4, 0]


def test_many_rows_are_grouped_as_all_pairs_are() -> None:
    """400 sounds, of which 40 have up to 30 copies, each with a quarter of the hashes changed; in any order."""
    rng = np.random.default_rng(1)
    rows, sound_of = [], []
    for number in range(400):
        base = some(rng)
        for _ in range(int(rng.integers(2, 31)) if number < 40 else 1):
            hashes = np.where(rng.random(SIZE) < 0.25, some(rng), base)
            rows.append((len(rows), 3 + number % 7, text_of(hashes)))
            sound_of.append(number)
    order = rng.permutation(len(rows))
    found = groups(*(rows[place] for place in order))
    sounds = [sound_of[place] for place in order]
    assert found == [sounds.index(sound) for sound in sounds]


def test_a_hash_of_all_rows_joins_none() -> None:
    rng = np.random.default_rng(2)
    common = some(rng, 7)
    rows = [(n, 1.0, text_of(np.concatenate([common, some(rng, SIZE - 7)]))) for n in range(500)]
    assert groups(*rows) == list(range(500))
