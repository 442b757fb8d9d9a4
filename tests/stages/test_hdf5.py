import json
from pathlib import Path

import numpy as np
import pytest

from stages.artefacts.manifest import CODEC, LEXICON
from stages.base import Context, Reject
from stages.hdf5 import Hdf5, Hdf5Config
from stages.records import Encoded
from stages.store.index import INDEX
from stages.store.reader import open_store
from tests.stages.store.test_reader import CODEC as IDENTITY
from tests.stages.store.test_reader import item


def stage(dataset: Path, **config: object) -> Hdf5:
    (dataset / "encode").mkdir(parents=True, exist_ok=True)
    (dataset / "encode" / CODEC).write_text(json.dumps(IDENTITY.to_json()))
    return Hdf5(Hdf5Config(**config), Context(Path(), dataset))


def seal(made: Hdf5, name: str, items: list[Encoded]) -> list[str]:
    folder = made.context.dataset / "hdf5"
    folder.mkdir(exist_ok=True)
    made.format.write({"h5": folder / f"{name}.h5"}, items)
    return made.finish(folder, [name])


def test_the_store_knows_its_codec(tmp_path: Path) -> None:
    made = stage(tmp_path)
    assert seal(made, "00000-of-00016", [item("a", 9)]) == [INDEX]
    assert open_store(tmp_path).codec == IDENTITY


def test_npy_files_on_request_and_none_left_over(tmp_path: Path) -> None:
    made = stage(tmp_path, npy=True)
    names = seal(made, "00000-of-00016", [item("g/s/a.wav", 9), item("g/s/b.wav#0-9", 4)])
    assert names == [INDEX, "npy/g/s/a.wav.npy", "npy/g/s/b.wav#0-9.npy"]
    codes = np.load(tmp_path / "hdf5" / names[1], allow_pickle=False)
    np.testing.assert_array_equal(codes, item("g/s/a.wav", 9).codes_KT)
    seal(made, "00000-of-00016", [item("g/s/a.wav", 9)])
    assert [path.name for path in (tmp_path / "hdf5" / "npy").rglob("*.npy")] == ["a.wav.npy"]


def test_codes_that_don_t_match_their_row_are_rejected(tmp_path: Path) -> None:
    good, bad = item("a", 9), item("b", 9)
    bad = Encoded(bad.utterance, bad.codes_KT[:, :5])
    [[kept], [reject]] = stage(tmp_path).process([good, bad])
    assert kept is good
    assert isinstance(reject, Reject)
    assert (reject.id, reject.reason) == ("b", "BadCodes")


@pytest.mark.parametrize("books", [1, 8, 32])
def test_any_number_of_codebooks(tmp_path: Path, books: int) -> None:
    seal(stage(tmp_path), "00000-of-00016", [item("a", 9, books=books)])
    assert open_store(tmp_path).codes(0).shape == (books, 9)


def test_the_index_knows_the_lexicon_of_g2p(tmp_path: Path) -> None:
    made = stage(tmp_path)
    assert made.finish_parameters() is None
    (tmp_path / "g2p").mkdir()
    (tmp_path / "g2p" / LEXICON).write_text("en\tSQL\tsˈiːkwəl\n", encoding="utf-8")
    assert made.finish_parameters() == [None, ["en\tSQL\tsˈiːkwəl"]]
    seal(made, "00000-of-00016", [item("a", 9)])
    assert open_store(tmp_path).lexicon == ["en\tSQL\tsˈiːkwəl"]
