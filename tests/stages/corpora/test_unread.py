"""Recordings that aren't read are told of: archives, and tables that hold the sound."""

import bz2
import gzip
import io
import lzma
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from stages.corpora.scan import scan
from stages.errors import UsageError


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        member = tarfile.TarInfo("anna/a.wav")
        member.size = 4
        file.addfile(member, io.BytesIO(b"RIFF"))
    return made.getvalue()


def packed(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(name, b"RIFF")
    return made.getvalue()


SOUND = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def table(kind: str, column: str = "audio", sound: pyarrow.DataType = SOUND, *, path: str | None = "a.flac") -> bytes:
    values = [{"bytes": b"fLaC", "path": path}] * 3 if sound == SOUND else [b"fLaC"] * 3
    whole = pyarrow.table(
        {column: pyarrow.array(values, sound), "text": ["one", "two", "three"], "speaker_id": [7, 7, 8]}
    )
    made = io.BytesIO()
    if kind == "parquet":
        pyarrow.parquet.write_table(whole, made)
    else:
        new = pyarrow.ipc.new_file if kind == "file" else pyarrow.ipc.new_stream
        with new(made, whole.schema) as writer:
            writer.write_table(whole)
    return made.getvalue()


TAR = "1 compressed tar files aren't read, such as"
ARCHIVE = "1 archives aren't read, such as"
TABLE = "1 tables hold the recordings themselves, such as"
CASES = {
    "a.tar.gz": (gzip.compress(tar()), TAR),
    "a.TGZ": (gzip.compress(tar()), TAR),
    "a.tar.bz2": (bz2.compress(tar()), TAR),
    "a.tar.xz": (lzma.compress(tar()), TAR),
    "a.tar.zst": (b"\x28\xb5\x2f\xfd", TAR),
    "a.tzst": (b"\x28\xb5\x2f\xfd", TAR),
    "a.tar": (gzip.compress(tar()), TAR),  # only its content tells
    "a.zip": (packed("anna/a.WAV"), ARCHIVE),
    "broken.zip": (b"PK", ARCHIVE),
    "a.7z": (b"7z", ARCHIVE),
    "a.rar": (b"Rar!", ARCHIVE),
    "train-0.parquet": (table("parquet"), f"{TABLE} `train-0.parquet` (`audio`)"),
    "metadata.parquet": (table("parquet", "sound"), f"{TABLE} `metadata.parquet` (`sound`)"),
    "b.parquet": (table("parquet", "wav_bytes", pyarrow.large_binary()), f"{TABLE} `b.parquet` (`wav_bytes`)"),
    "data-0.arrow": (table("stream"), f"{TABLE} `data-0.arrow` (`audio`)"),
    "data-1.arrow": (table("file"), f"{TABLE} `data-1.arrow` (`audio`)"),
}


@pytest.mark.parametrize("name", CASES)
def test_they_are_told_of(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content, line = CASES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="must hold recordings that can be read, but holds none") as refused:
        scan(tmp_path)
    assert line in str(refused.value)
    (tmp_path / "anna.wav").write_bytes(b"RIFF")
    assert [recording.id for recording in scan(tmp_path).recordings] == ["anna.wav"]
    assert [record.getMessage()[: len(line)] for record in caplog.records] == [line]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.zip", packed("notes.txt")),
        ("damaged.parquet", b"PAR1 and no more"),
        ("damaged.arrow", b"no table"),
        ("vectors.parquet", table("parquet", "vector", pyarrow.binary())),
        ("empty.parquet", b""),
    ],
)
def test_others_are_only_counted(name: str, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "anna.wav").write_bytes(b"RIFF")
    assert scan(tmp_path).ignored == {Path(name).suffix: 1}
    assert not caplog.records


@pytest.mark.parametrize("path", ["a.flac", None])
def test_the_script_of_the_documentation_writes_them_out(path: str | None, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/recordings.md").read_text(encoding="utf-8")
    section = page.partition("## Parquet files with the sound inside")[2]
    script = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert script
    (tmp_path / "tables").mkdir()
    for name in ("train-0", "train-1"):
        (tmp_path / f"tables/{name}.parquet").write_bytes(table("parquet", path=path))
    out = tmp_path / "voices"
    subprocess.run([sys.executable, "-c", script[1], str(tmp_path / "tables"), str(out)], check=True)
    recordings = scan(out).recordings
    suffix = Path(path or "a.wav").suffix
    assert [recording.id for recording in recordings][:2] == [f"train-0-000000{suffix}", f"train-0-000001{suffix}"]
    assert [recording.speaker for recording in recordings] == ["7", "7", "8"] * 2
    assert '"text":"three"' in recordings[-1].told
    assert (out / recordings[0].id).read_bytes() == b"fLaC"
