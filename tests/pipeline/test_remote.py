# ruff: noqa: F401, F811 (fixtures of another folder)
"""Recordings in a store: the same rows as from a folder; faults of the store; what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import EMBEDDED, digests, prep
from tests.stages.audio.kinds import BY_AV, BY_SOUNDFILE, write
from tests.stages.corpora.layouts.shapes import write_tar
from tests.stages.remote.conftest import SECRET, alone, forget, s3
from tests.stages.remote.server import BUCKET, Served

SUFFIX = {"vorbis": "ogg", "sph-mu-law": "sph", "adts": "aac", "mp3-without-length": "mp3", "rf64": "wav"}


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
    inside = {f"anna/{n}.wav": clips[n].read_bytes() for n in (4, 5)} | {
        "anna/4.txt": b"Text in a tar.",
        "x/5.txt": b"No.",
    }
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


def made(voices: object, out: Path, *more: object, stages: tuple[str, ...] = ("slice",)) -> int:
    alone = ("--scheduler", "sync", "--quiet", "--set", "encode.codec=embedded")
    code = prep("transcribe", voices, "--out", out, *alone, "--set", "transcribe.transcripts=require", *more)
    for stage in stages if code in {0, 3} else ():
        code = max(code, prep(stage, "--out", out, *alone))
    return code


def test_a_folder_and_a_store_give_the_same_rows(
    corpus: Path, s3: Served, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    s3.take(corpus, "a b/")
    s3.objects |= {"a b/": b"", "a b/empty folder/": b"", "a b/x//y.wav": b"never read", "elsewhere/z.wav": b"no"}
    local, remote, url = tmp_path / "local", tmp_path / "remote", f"s3://{BUCKET}/a b"
    assert made(corpus, local) == 3
    assert made(f"{url}/", remote) == 3
    assert rows_of(local) == rows_of(remote)
    assert len([row for name, rows in rows_of(local).items() if name.startswith("slice/") for row in rows]) > 20
    asked = len(s3.asked)
    assert made(url, remote) == 3
    assert {line.partition(" ")[0] for line in s3.asked[asked:]} == {"LIST"}
    assert prep("validate", "--deep", "--out", remote, "--quiet") == 0
    assert not [path for path in remote.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    capsys.readouterr()
    assert prep("inspect", "Case/x/a.wav", "--out", remote, "--json") == 0
    told = json.loads(capsys.readouterr().out)["recording"]
    assert (told["path"], told["state"]) == (f"{url}/Case/x/a.wav", "unchanged")
    s3.objects["a b/Case/x/a.wav"] += b"more"
    assert prep("inspect", "Case/x/a.wav", "--out", remote, "--json") == 0
    assert json.loads(capsys.readouterr().out)["recording"]["state"] == "changed"
    assert prep("validate", "--deep", "--out", remote) == 1
    assert "Case/x/a.wav: the file has changed" in capsys.readouterr().err


ALL = ("slice", "g2p", "encode", "hdf5", "metadata")


def test_a_store_that_fails_changes_nothing(voices: Path, s3: Served, tmp_path: Path) -> None:
    """Also a run that had to stop: resumed, in another process with an empty cache, it ends with the same bytes."""
    clips = sorted(voices.rglob("*.wav"))[:4]
    for clip in clips:
        for path in (clip, clip.with_suffix(".txt")):
            s3.objects[f"v/{path.relative_to(voices)}"] = path.read_bytes()
    url, good, bad = f"s3://{BUCKET}/v", tmp_path / "good", tmp_path / "bad"
    assert made(url, good, stages=ALL) == 0
    forget()
    shutil.rmtree(tmp_path / "cache")
    kinds = iter(["503", "cut", "", "500", "429", "cut", ""] * 100)
    last = f"GET v/{clips[-1].relative_to(voices)}"
    s3.fault = lambda line: "503" if line.startswith(last) else next(kinds)
    assert made(url, bad) == 1
    s3.fault = lambda line: next(kinds)
    forget()
    assert made(url, bad, stages=ALL) == 0
    assert digests(good) == digests(bad)


def test_recordings_that_change_or_vanish_during_a_run(
    voices: Path, s3: Served, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    clips = sorted(voices.rglob("*.wav"))[:3]
    names = [f"v/{clip.relative_to(voices)}" for clip in clips]
    for name, clip in zip(names, clips, strict=True):
        s3.objects[name] = clip.read_bytes()
        s3.objects[name.replace(".wav", ".txt")] = clip.with_suffix(".txt").read_bytes()
    sound = dict(s3.objects)

    def changing(line: str) -> str:
        if not line.startswith("LIST"):
            s3.objects[names[0]] = sound[names[1]]
            s3.objects.pop(names[1], None)
        return ""

    s3.fault = changing
    out, url = tmp_path / "out", f"s3://{BUCKET}/v"
    assert made(url, out) == 3
    capsys.readouterr()
    assert prep("status", "--out", out, "--json") == 3
    transcribed = json.loads(capsys.readouterr().out)["stages"][0]
    assert transcribed["rejected"] == {"Changed": 1, "NotThere": 1}
    assert transcribed["outputs"] == 1
    s3.fault = lambda line: ""
    s3.objects |= sound
    assert made(url, out) == 3, "what a run has seen stays, until the listing differs or it is asked for"
    assert (
        prep("retry", "--reason", "Changed", "--reason", "NotThere", "--out", out, "--scheduler", "sync", "--quiet")
        == 0
    )
    fresh = tmp_path / "fresh"
    assert made(url, fresh) == 0
    assert rows_of(out) == rows_of(fresh)
    # a later stage reads what was transcribed, or nothing
    forget()
    shutil.rmtree(tmp_path / "cache")
    s3.objects[names[2]] = sound[names[0]]
    assert prep("encode", "--out", out, "--scheduler", "sync", "--quiet", "--set", "encode.codec=embedded") == 2
    assert prep("g2p", "--out", out, "--scheduler", "sync", "--quiet") == 0
    assert prep("encode", "--out", out, "--scheduler", "sync", "--quiet", "--set", "encode.codec=embedded") == 3
    assert "Changed" in "".join(path.read_text() for path in (out / "encode").glob("*.jsonl"))


def test_what_is_refused_or_planned(
    voices: Path, s3: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    s3.take(voices, "v/")
    url, out = f"s3://{BUCKET}/v", tmp_path / "out"
    assert prep("run", url, "--out", out, "--scheduler", "sync", "--dry-run", *EMBEDDED) == 0
    assert not out.exists()
    assert prep("run", f"{url}x", "--out", out, "--scheduler", "sync") == 2
    assert f"`{url}x` must be a folder of recordings, but is not there" in capsys.readouterr().err
    assert prep("run", voices, "--out", f"s3://{BUCKET}/out", "--scheduler", "sync") == 2
    assert "must be a folder on a disk" in capsys.readouterr().err
    assert prep("run", "nonsense://a/b", "--out", out, "--scheduler", "sync") == 2
    assert "must be a kind of store that fsspec knows" in capsys.readouterr().err
    assert made(url, out, stages=()) == 0
    (out / ".objects.sqlite").unlink()
    assert prep("slice", "--out", out, "--scheduler", "sync") == 2
    assert f"Run `valle-prep transcribe {url} --out {out}`" in capsys.readouterr().err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget()
    assert prep("run", url, "--out", out, "--scheduler", "sync") == 2
    err = capsys.readouterr().err
    assert "needs credentials" in err
    assert SECRET not in err
