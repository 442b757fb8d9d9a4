"""Hostile file names survive every stage: from the path to the id in the store, and back to the path."""

import os
import shutil
from pathlib import Path

import pytest

from stages.audio import files as audio
from stages.ids import path_of
from stages.store.reader import open_store
from tests.faults.conftest import leftovers, prep, sync
from tests.pipeline.conftest import SHORT_S

STEMS = (
    b"with some  spaces ",
    b"new\nline",
    "smile 😀 e\u0301".encode(),
    b"latin \xe9\xff",
    b"'quoted' \"twice\" `and` $HOME",
    b"back\\slash \\xe9 \\",
    b"-r --help",
    b"#0-100",
    b"n" * 200,
    b"same",
    b"%s {0} *?[a]",
)
SPEAKERS = (b"plain", b"-- r\xfcck\n\\sprecher 'x'")


@pytest.fixture
def hostile(voices: Path, tmp_path: Path) -> list[Path]:
    """Recordings with hostile names and their transcripts; some suffixes are in capitals."""
    spoken = min(voices.rglob("en/*/*.wav"))
    wave, rate = audio.read(spoken)
    clip = tmp_path / "clip.wav"
    audio.write_wav(clip, wave[: round(SHORT_S * rate)], rate)
    made = []
    for speaker in SPEAKERS:
        folder = tmp_path / "voices \n😀" / "group" / os.fsdecode(speaker)
        folder.mkdir(parents=True)
        for number, stem in enumerate(STEMS):
            target = folder / os.fsdecode(stem + (b".WAV" if number % 2 else b".wav"))
            shutil.copy(clip, target)
            shutil.copy(spoken.with_suffix(".txt"), folder / os.fsdecode(stem + b".txt"))
            made.append(target)
    return made


def test_hostile_names_go_through_every_stage(hostile: list[Path], tmp_path: Path) -> None:
    root, out = tmp_path / "voices \n😀", tmp_path / "data set \n\\'"
    assert sync("run", root, "--out", out, "--set", "hdf5.npy=true") == 0
    store = open_store(out)
    rows = [store.row(index) for index in range(len(store))]
    assert sorted(root / path_of(row.recording) for row in rows) == sorted(hostile)
    assert len({row.id for row in rows}) == len(rows)
    assert {path_of(row.speaker) for row in rows} == {os.fsdecode(speaker) for speaker in SPEAKERS}
    written = list((out / "hdf5" / "npy").rglob("*.npy"))
    assert len(written) == len(hostile)
    assert not leftovers(out)
    assert sync("run", root, "--out", out, "--set", "hdf5.npy=true", "--set", "g2p.stress=false") == 0
    assert prep("validate", "--deep", "--out", out) == 0
    for row in rows:
        assert prep("inspect", "--quiet", "--out", out, "--", row.id) == 0
