from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import ArtefactError, CodecError, MissingInputError
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store.index import INDEX, write_index
from stages.store.reader import open_store, rows_digest
from stages.store.shards import StoreShards

CODEC = CodecIdentity("embedded", 24_000, 75.0, 8, 1024, "abc")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def item(name: str, frames: int, *, text: str = "hello", phonemes: str = "həlˈoʊ", books: int = 8) -> Encoded:
    codes = np.random.default_rng(frames).integers(0, 1024, (books, frames)).astype(np.uint16)
    row = Utterance(name, "a.wav", "g", "s", "en", 5, 1605, 16_000, text, phonemes, frames)
    return Encoded(row, codes)


def write(folder: Path, shards: list[list[Encoded]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, items in enumerate(shards):
        StoreShards().write({"h5": folder / f"{number}.h5"}, items)
    write_index(folder, [f"{number}.h5" for number in range(len(shards))], CODEC, "fingerprint")


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(st.integers(1, 40), TEXTS, TEXTS), max_size=4), max_size=4))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, shapes: list) -> None:
    dataset = tmp_path_factory.mktemp("dataset")
    shards = [
        [item(f"{s}/{n}é", t, text=text, phonemes=ph) for n, (t, text, ph) in enumerate(rows)]
        for s, rows in enumerate(shapes)
    ]
    write(dataset / "hdf5", shards)
    store = open_store(dataset)
    items = [one for shard in shards for one in shard]
    assert list(store.ids) == [one.id for one in items]
    assert store.codec == CODEC
    assert store.frames.tolist() == [one.utterance.frames for one in items]
    assert store.symbols == sorted({symbol for one in items for symbol in one.utterance.phonemes})
    for index, one in enumerate(items):
        assert store.row(index) == one.utterance
        assert store.phonemes(index) == one.utterance.phonemes
        np.testing.assert_array_equal(store.codes(index), one.codes_KT)
    for number, shard in enumerate(shards):
        back = StoreShards().read({"h5": dataset / "hdf5" / f"{number}.h5"})
        assert [one.utterance for one in back] == [one.utterance for one in shard]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, [[item("x", 30), item("y", 7)]])
    for file in ("0.h5", INDEX):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("index", [-1, -3, 3, 4, np.int64(-1)])
@pytest.mark.parametrize("read", ["row", "phonemes", "codes", "similar", "mixture"])
def test_a_row_number_out_of_range_is_refused(tmp_path: Path, read: str, index: int) -> None:
    write(tmp_path / "hdf5", [[item("a", 5), item("b", 7)], [item("c", 9)]])
    write(tmp_path / "mix", [[item(f"{name}@noisy", frames)] for name, frames in (("a", 5), ("b", 7), ("c", 9))])
    store = open_store(tmp_path)
    (tmp_path / "similar").mkdir()
    numbers = np.zeros((3, 1), np.int64)
    np.savez(tmp_path / "similar" / "neighbours.npz", neighbours=numbers, rows=np.array(rows_digest(store.ids)))
    reader = partial(store.mixture, "noisy") if read == "mixture" else getattr(store, read)
    for known in range(3):
        reader(known)
    with pytest.raises(
        IndexError, match=f"^the row must be at least 0 and less than 3 in `[^\n]*`, but is {index}[.]$"
    ):
        reader(index)


def test_a_column_counts_from_the_end_as_a_list_does(tmp_path: Path) -> None:
    write(tmp_path / "hdf5", [[item("a", 5), item("b", 7)], [item("c", 9)]])
    ids = open_store(tmp_path).ids
    assert [ids[n] for n in range(-3, 3)] == ["a", "b", "c"] * 2
    assert ids[np.int64(-1)] == "c"
    assert ids[-2:] == ids[1:9] == ["b", "c"]
    for index in (-4, 3):
        with pytest.raises(IndexError, match=f"^the row must be one of the column's 3, but is {index}[.]$"):
            ids[index]


def test_gains_are_stored_only_if_there_are_some(tmp_path: Path) -> None:
    louder = item("b", 4)
    louder = replace(louder, utterance=replace(louder.utterance, gain_db=-2.125))
    write(tmp_path / "hdf5", [[item("a", 3)], [item("a2", 3), louder]])
    store = open_store(tmp_path)
    assert [store.row(n).gain_db for n in range(3)] == [0.0, 0.0, -2.125]
    assert StoreShards().read({"h5": tmp_path / "hdf5" / "1.h5"})[1].utterance == louder.utterance


def test_codes_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "hdf5", [[item("x", 30)]])
    codes = open_store(tmp_path).codes(0)
    assert codes.base is not None
    assert codes.dtype == np.uint16
    with pytest.raises(ValueError, match="read-only"):
        codes[0, 0] = 1


def test_a_missing_or_damaged_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="Run `valle-prep hdf5"):
        open_store(tmp_path)
    write(tmp_path / "hdf5", [[item("x", 30)]])
    (tmp_path / "hdf5" / "0.h5").write_bytes(b"torn")
    with pytest.raises(ArtefactError, match="valle-prep hdf5"):
        open_store(tmp_path).codes(0)
    (tmp_path / "hdf5" / INDEX).write_bytes(b"torn")
    with pytest.raises(ArtefactError, match="valle-prep hdf5"):
        open_store(tmp_path)


def test_neighbours_of_other_rows_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "hdf5", [[item("x", 30)]])
    assert open_store(tmp_path).similar(0) == ()
    (tmp_path / "similar").mkdir()
    np.savez(tmp_path / "similar" / "neighbours.npz", neighbours=np.zeros((1, 2), np.int64), rows=np.array("other"))
    with pytest.raises(ArtefactError, match="valle-prep similar"):
        open_store(tmp_path).similar(0)


def test_mixtures_are_found_beside_the_store(tmp_path: Path) -> None:
    write(tmp_path / "hdf5", [[item("a", 5), item("b", 7)], [item("c", 9)]])
    bare = open_store(tmp_path)
    assert not bare.has_mixture("noisy").any(), "none where `mix` hasn't run"
    assert bare.mixtures_fingerprint == ""
    write(tmp_path / "mix", [[item("c@noisy", 9), item("c@noise", 9)], [item("a@noisy", 5), item("gone@noisy", 3)]])
    store = open_store(tmp_path)
    assert store.has_mixture("noisy").tolist() == [True, False, True]
    assert store.has_mixture("noise").tolist() == [False, False, True]
    assert not store.has_mixture("shifted").any()
    assert store.mixtures_fingerprint == "fingerprint"
    np.testing.assert_array_equal(store.mixture("noisy", 0), item("a@noisy", 5).codes_KT)
    np.testing.assert_array_equal(store.mixture("noisy", 2), item("c@noisy", 9).codes_KT)
    with pytest.raises(KeyError, match="b@noisy"):
        store.mixture("noisy", 1)


def test_mixtures_of_other_utterances_or_codecs_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "hdf5", [[item("a", 5)]])
    write(tmp_path / "mix", [[item("a@noisy", 6)]])
    with pytest.raises(ArtefactError, match="Run `valle-prep mix` again"):
        open_store(tmp_path).has_mixture("noisy")
    StoreShards().write({"h5": tmp_path / "mix" / "0.h5"}, [item("a@noisy", 5)])
    write_index(tmp_path / "mix", ["0.h5"], replace(CODEC, revision="other"), "fingerprint")
    with pytest.raises(CodecError, match="`revision` must be 'abc', but is 'other'"):
        open_store(tmp_path).has_mixture("noisy")


def test_what_is_said_is_kept_where_it_differs_from_the_text(tmp_path: Path) -> None:
    said = [(item("a", 2), None), (item("b", 3, text="5"), "five")]
    first = [replace(one, utterance=replace(one.utterance, spoken=spoken)) for one, spoken in said]
    write(tmp_path, [first, [item("c", 2)]])
    store = open_store(tmp_path)
    assert [store.row(row).spoken for row in range(3)] == [None, "five", None]
    assert StoreShards().read({"h5": tmp_path / "0.h5"})[1].utterance.spoken == "five"
    assert store.lexicon == []
