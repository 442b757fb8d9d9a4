import hashlib
from itertools import zip_longest

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report import drawing
from pipeline.report.drawing import Drawing, rows_of


def plainly(utterances: list[tuple[str, str, str]], count: int) -> list[str]:
    """Sorts all utterances of each speaker, and takes one of each in turn."""
    by_speaker: dict[str, list[tuple[bytes, str]]] = {}
    for uid, speaker, _ in utterances:
        order = hashlib.blake2b(uid.encode(), digest_size=8).digest()
        by_speaker.setdefault(speaker, []).append((order, uid))
    turns = zip_longest(*(sorted(rows) for _, rows in sorted(by_speaker.items())))
    return [entry[1] for turn in turns for entry in turn if entry is not None][:count]


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 600), min_size=1, max_size=8), count=st.integers(0, 400), seed=st.randoms())
def test_what_is_drawn_is_what_sorting_all_would_draw(sizes, count, seed):
    utterances = [
        (f"s{speaker}/{number}", f"s{speaker}", f"{number % 7}-of-7")
        for speaker, size in enumerate(sizes)
        for number in range(size)
    ]
    seed.shuffle(utterances)
    drawn = Drawing(count)
    for utterance in utterances:
        drawn.add(*utterance)
    assert drawn.drawn() == plainly(utterances, count)


def test_few_are_kept_of_many():
    many = Drawing(50)
    for number in range(40_000):
        many.add(f"s{number % 20}/{number}", f"s{number % 20}", "a")
    assert sum(map(len, many._kept.values())) <= 50 + 20 + 1024


def test_shards_are_found_again_also_where_two_ids_have_one_hash(monkeypatch):
    some = Drawing(3)
    for number in range(300):
        some.add(f"id{number}", "s", f"{number % 30:02d}")
    assert some.shards(["id7", "id67", "id8", "not there"]) == ["07", "08"]
    assert some.shards([]) == []
    assert Drawing(3).shards(["id1"]) == []
    monkeypatch.setattr(drawing, "_hash", lambda uid: uid[-1:].encode() * 8)
    same = Drawing(3)
    same.add("a1", "s", "first")
    same.add("b1", "s", "second")
    assert same.shards(["a1"]) == ["first", "second"]


def test_rows_are_numbered_in_the_order_of_the_store():
    assert rows_of(["c", "a", "x"], ["a", "b", "c"]) == {"a": 0, "c": 2}
