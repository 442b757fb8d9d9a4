"""`valle-prep import`: pickled codes become a dataset for all later commands, and no code in the pickles is run."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import PrepConfig
from pipeline.doctor.check import Setup
from pipeline.verbs.importing import Importer, walk
from stages.artefacts.formats import read_lines
from stages.base import Context, Filtered
from stages.config import load_config
from stages.g2p import G2p
from stages.records import Recording
from stages.store.reader import open_store
from stages.text.phonemes import phonemize
from tests.pipeline.conftest import digests, prep
from tests.stages.genuine_codecs import save_dac, save_encodec


class Hostile:
    """An object that pickles as a call of a shell command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def write(path: Path, codes: np.ndarray, **metadata: object) -> None:
    """Writes a file of codes as the reference system does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, {"codes": codes, "metadata": metadata}, allow_pickle=True)


def codes_of(seed: int, frames: int, books: int = 8, size: int = 1024) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, size, (1, books, frames)).astype(np.uint16)


GOOD = {
    "LibriTTS/84/a_00000.enc": "Hello there.",
    "LibriTTS/84/a_00001.enc": "A second one.",
    "Emilia/DE_1/b.enc": "Guten Tag.",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of usable and unusable files of codes, and weights."""
    folder = tmp_path_factory.mktemp("world")
    training = folder / "training"
    for seed, (name, text) in enumerate(GOOD.items()):
        language, frames = ("de" if "DE" in name else "en"), 90 + seed
        about = {"original_length": frames * 294, "sample_rate": 22_050, "text": text, "language": language}
        write(training / name, codes_of(seed, frames), **about, phonemes="ðɛɹ (en)x")
    proof = folder / "proof"
    write(training / "Noise/wind/c.enc", codes_of(9, 50), original_length=1, sample_rate=24_000)
    write(training / "LibriTTS/84/hostile.enc", codes_of(9, 50), text=Hostile(f"touch {proof}"))
    write(training / "LibriTTS/84/other.enc", codes_of(9, 50, books=4), text="Four codebooks.", language="en")
    (training / "LibriTTS/84/torn.enc").write_bytes((training / "LibriTTS/84/other.enc").read_bytes()[:300])
    (training / "missing.json").write_text("{}")
    save_encodec(folder)
    return folder


@pytest.fixture(scope="module")
def imported(world: Path) -> Path:
    """The dataset imported from `world`. Read only."""
    before = {path: path.stat().st_mtime_ns for path in (world / "training").rglob("*")}
    weights = ("--set", f"encode.weights={world / 'encodec.th'}")
    code = prep("import", world / "training", "--out", world / "dataset", "--scheduler", "sync", "--quiet", *weights)
    assert code == 3, "some were rejected"
    assert {path: path.stat().st_mtime_ns for path in (world / "training").rglob("*")} == before
    assert not (world / "proof").exists()
    return world / "dataset"


def test_the_codes_and_what_is_said_come_over(world: Path, imported: Path) -> None:
    store = open_store(imported)
    assert sorted(store.ids) == sorted(GOOD)
    assert (store.codec.name, store.codec.num_codebooks) == ("encodec", 8)
    for seed, (name, text) in enumerate(GOOD.items()):
        index = list(store.ids).index(name)
        row = store.row(index)
        np.testing.assert_array_equal(store.codes(index), codes_of(seed, 90 + seed)[0])
        assert (row.group, row.speaker) == tuple(name.split("/")[:2])
        assert (row.text, row.language) == (text, "de" if "DE" in name else "en")
        assert row.phonemes == phonemize([text], row.language)[0], "as `valle synth` will make them"
        assert row.duration_s == pytest.approx((90 + seed) / 75, abs=0.001)
        assert row.sample_rate == 22_050


def test_every_file_is_accounted_for(imported: Path, capsys: pytest.CaptureFixture) -> None:
    reasons = {row["id"]: row["reason"] for row in read_lines(imported / "encode" / "rejects.jsonl")}
    assert reasons == {
        "Noise/wind/c.enc": "NoTranscript",
        "LibriTTS/84/hostile.enc": "UnsafePickle",
        "LibriTTS/84/other.enc": "BadCodes",
        "LibriTTS/84/torn.enc": "NotCodes",
    }
    assert prep("status", "--out", imported, "--json") == 3
    stages = {stage["stage"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    assert (stages["encode"]["inputs"], stages["encode"]["outputs"]) == (7, 3)
    assert stages["hdf5"]["outputs"] == stages["metadata"]["outputs"] == stages["similar"]["outputs"] == 3


def test_other_commands_take_it(world: Path, imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert prep("validate", "--deep", "--out", imported, "--json") == 0, capsys.readouterr()
    capsys.readouterr()
    assert prep("inspect", "b.enc", "--out", imported, "--json") == 0
    stages = {stage["stage"]: stage["state"] for stage in json.loads(capsys.readouterr().out)["stages"]}
    assert {name for name, state in stages.items() if state == "done"} == {"encode", "hdf5", "metadata", "similar"}
    assert prep("metadata", "--out", imported, "--scheduler", "sync", "--set", "metadata.validation=0.5") == 0
    assert prep("export", "parquet", tmp_path / "out", "--out", imported, "--no-audio") == 0
    assert prep("export", "parquet", tmp_path / "other", "--out", imported) == 2
    assert "Add `--no-audio`" in capsys.readouterr().err
    assert prep("decode", "b.enc", tmp_path / "b.wav", "--out", imported) == 0
    assert [n for n in open_store(imported).similar(0) if n >= 0] or len(open_store(imported).speakers) == 3
    for command in ("encode", "g2p", "slice", "mix", "retry"):
        assert prep(command, "--out", imported, "--scheduler", "sync") == 2
        told = capsys.readouterr().err
        assert f"To add or replace files, run `valle-prep import {world / 'training'} --out {imported}`" in told
    assert len(open_store(imported)) == 3
    assert Setup(PrepConfig(), imported).hears is False


def test_again_changes_nothing_and_what_is_new_is_added(
    world: Path, imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from shutil import copytree

    copytree(world / "training", tmp_path / "training")
    common = ("--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet")
    weights = ("--set", f"encode.weights={world / 'encodec.th'}")
    (tmp_path / "training" / "Emilia/DE_1/b.enc").rename(tmp_path / "b.enc")
    take = ("import", tmp_path / "training", *common, *weights, "--json")
    assert prep(*take, "--dry-run") == 0
    assert json.loads(capsys.readouterr().out) == {"files": 6, "codec": "encodec"}
    assert prep(*take) == 3
    told = json.loads(capsys.readouterr().out)
    assert [row["stage"] for row in told["stages"]] == ["encode", "hdf5", "metadata", "similar"]
    assert all(row["shards_made"] and not row["shards_kept"] and row["seconds"] for row in told["stages"])
    assert len(open_store(tmp_path / "dataset")) == 2
    (tmp_path / "b.enc").rename(tmp_path / "training" / "Emilia/DE_1/b.enc")
    assert prep("import", tmp_path / "training", *common, *weights) == 3
    stages = ("recordings", "encode", "hdf5")
    made, expected = (
        {k: v for k, v in digests(d).items() if k.startswith(stages)} for d in (tmp_path / "dataset", imported)
    )
    assert made == expected, "in two parts or at once: the same bytes"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "dataset" / "encode").iterdir()}
    assert prep("import", tmp_path / "training", *common, *weights) == 3
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dataset" / "encode").iterdir()} == before


def test_dac_with_its_own_phonemes(tmp_path: Path) -> None:
    weights = save_dac(tmp_path)
    write(
        tmp_path / "in" / "anna" / "a.dac",
        codes_of(0, 40, 3, 256),
        text="Hello.",
        language="en",
        phonemes=["h", "(en)ə"],
    )
    common = ("--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet", "--set", f"encode.weights={weights}")
    assert prep("import", tmp_path / "in", *common, "--dry-run") == 0
    assert not (tmp_path / "dataset").exists()
    assert prep("import", tmp_path / "in", "--keep-phonemes", *common) == 0
    store = open_store(tmp_path / "dataset")
    assert store.row(0).phonemes == "hə"
    assert (store.row(0).speaker, store.codec.name, store.codes(0).dtype) == ("anna", "dac", np.uint8)


def test_a_threshold_of_g2p_filters_and_its_version_counts(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = ["encode.codec=encodec", f"encode.weights={world / 'encodec.th'}", "g2p.max_phonemes_per_s=1"]
    config = load_config(PrepConfig, None, sets)
    importer = Importer(config, Context(world / "training"), keep_phonemes=False)
    name = next(iter(GOOD))
    [[left_out]] = importer.process([Recording(name, "LibriTTS", "84", "")])
    assert isinstance(left_out, Filtered)
    assert (left_out.id, left_out.reason) == (name, "ManyPhonemes")
    before = importer.parameters()
    monkeypatch.setattr(G2p, "version", G2p.version + 1)
    assert Importer(config, importer.context, keep_phonemes=False).parameters() != before


def test_files_are_found_as_recordings_are(tmp_path: Path) -> None:
    for name in ("in/g/anna/deep/a.enc", "in/g/anna/._a.enc", "in/.trash/b.enc", "elsewhere/ben/c.ENC", "in/d.enc"):
        write(tmp_path / name, codes_of(0, 9), text="x")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "ben" / "back").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "g" / "notes.txt").touch()
    ignored: Counter[str] = Counter()
    found = {one.id: (one.group, one.speaker) for one in walk(tmp_path / "in", ignored)}
    assert found == {
        "d.enc": ("", "in"),
        "g/anna/deep/a.enc": ("g", "anna"),
        "linked/ben/c.ENC": ("linked", "ben"),
    }
    assert ignored == {".txt": 1}


@pytest.mark.parametrize(
    ("files", "sets", "problem"),
    [
        ((), (), "must contain `.enc` or `.dac` files, but contains no files"),
        (("a.txt",), (), "but contains 1 .txt"),
        (("a.enc", "b.dac"), (), "must contain files of one codec"),
        (("a.enc",), ("encode.codec=embedded",), "`encode.codec` must be `encodec`"),
        (("a.enc",), ("encode.weights=gone.th",), "gone.th"),
        (("a.enc",), ("g2p.unique=true",), "`g2p.unique` compares audio"),
    ],
)
def test_what_stops_it_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture, files: tuple[str, ...], sets: tuple[str, ...], problem: str
) -> None:
    (tmp_path / "in").mkdir()
    for name in files:
        write(tmp_path / "in" / name, codes_of(0, 9), text="x")
    options = [part for one in sets for part in ("--set", one)]
    assert prep("import", tmp_path / "in", "--out", tmp_path / "dataset", *options) in {1, 2}
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "dataset").exists()
