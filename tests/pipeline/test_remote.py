"""Recordings in a store: the same rows as from a folder; faults of the store; what is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.remote import errors, files
from tests.pipeline.conftest import EMBEDDED, prep
from tests.stages.audio.kinds import BY_AV, BY_SOUNDFILE, write
from tests.stages.corpora.layouts.shapes import write_tar
from tests.stages.remote.server import BUCKET, Served, serving

pytest.importorskip("s3fs")

SUFFIX = {"vorbis": "ogg", "sph-mu-law": "sph", "adts": "aac", "mp3-without-length": "mp3", "rf64": "wav"}
SECRET = "very-s3cret-key"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache, waits and stores of its own for each test."""
    for name, value in {
        "VALLE_CACHE": tmp_path / "cache",
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": tmp_path / "none",
        "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "none",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(errors, "FIRST_WAIT_S", 0.01)
    forget()
    yield
    forget()


def forget() -> None:
    """Lets go of what this process keeps of stores, as if it were another."""
    from s3fs import S3FileSystem

    from stages.remote.stores import _store

    _store.cache_clear()
    S3FileSystem.clear_instance_cache()
    files._cache.cache_clear()
    files._attached.clear()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serving() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served
        assert not served.key_id or SECRET not in "".join(served.asked)


@pytest.fixture
def corpus(voices: Path, tmp_path: Path) -> Path:
    """Recordings of every kind, with odd names, tables, a tar file, and faults."""
    folder, clips = tmp_path / "corpus", sorted(voices.rglob("*.wav"))
    for number, name in enumerate(("ä ö/ß ü/eins zwei.wav", "a#b?c%20d/e+f&g/h%.wav", "Case/x/a.wav", "case/x/a.wav")):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(clips[number], folder / name)
        shutil.copy(clips[number].with_suffix(".txt"), (folder / name).with_suffix(".txt"))
    (folder / "kinds/all").mkdir(parents=True)
    for kind in (*BY_SOUNDFILE, *BY_AV):
        write(kind, folder / f"kinds/all/{kind}.{SUFFIX.get(kind, kind)}")
    (folder / "faults/one").mkdir(parents=True)
    (folder / "faults/one/empty.wav").touch()
    (folder / "faults/one/noise.flac").write_bytes(bytes(range(256)) * 40)
    (folder / "faults/one/short.wav").write_bytes(clips[0].read_bytes()[:20_000])
    for path in [*(folder / "kinds").rglob("*"), *(folder / "faults").rglob("*")]:
        if path.is_file():
            path.with_name(f"{path.name}.txt").write_text("One two three four.")
    (folder / ".hidden").write_text("no")
    (folder / "notes.pdf").write_text("no")
    (folder / "lj/wavs").mkdir(parents=True)
    for number in range(2):
        shutil.copy(clips[number], folder / f"lj/wavs/c{number}.wav")
    (folder / "lj/metadata.csv").write_text("c0|Text.|The text of a clip.\nc1|Text.|Another text.\nc2|None.|None.\n")
    inside = {f"anna/{n}.wav": clips[n].read_bytes() for n in (4, 5)} | {"anna/4.txt": b"Text in a tar.", "x/5.txt": b"No."}
    write_tar(folder / "more/part.tar", inside)
    return folder


def rows_of(dataset: Path) -> dict[str, Any]:
    """Returns all that a dataset holds but checksums of recordings and what is computed from them."""
    found: dict[str, Any] = {}
    for path in sorted(dataset.rglob("*")):
        name = str(path.relative_to(dataset))
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            for row in rows:
                for key in ("digest", "transcript_digest", "fingerprint", "basis"):
                    row.pop(key, None)
            found[name] = rows
        elif path.is_file() and path.suffix not in {".json", ".sqlite"}:
            found[name] = path.read_bytes()
    return found


def run(voices: object, out: Path, *more: object) -> int:
    return prep("run", voices, "--out", out, "--scheduler", "sync", "--quiet", *EMBEDDED, "--set", "transcribe.transcripts=require", *more)


def test_a_folder_and_a_store_give_the_same_rows(corpus: Path, s3: Served, tmp_path: Path, capsys: Any) -> None:
    s3.take(corpus, "a b/")
    s3.objects |= {"a b/": b"", "a b/empty folder/": b"", "a b/x//y.wav": b"never read", "elsewhere/z.wav": b"no"}
    local, remote = tmp_path / "local", tmp_path / "remote"
    assert run(corpus, local) == 3
    assert run(f"s3://{BUCKET}/a b/", remote) == 3
    assert rows_of(local) == rows_of(remote)
    assert len(rows_of(local)) > 20
    asked = len(s3.asked)
    assert run(f"s3://{BUCKET}/a b", remote) == 3
    assert all(line.startswith("LIST") for line in s3.asked[asked:])
    assert prep("validate", "--deep", "--out", remote, "--quiet") == 0
    assert not [path for path in remote.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
