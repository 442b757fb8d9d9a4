"""Twelve planted faults among 2,000 real recordings: each is found and named, and no intact file is lost."""

import json
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.artefacts.formats import read_lines
from tests.faults.conftest import command, leftovers, sync, without_privileges

RECORDINGS = 2_000
REASONS = {
    "empty.wav": "EmptyFile",
    "half-a-header.wav": "BrokenHeader",
    "breaks-off.wav": "Truncated",
    "text.wav": "NotAudio",
    "nan.wav": "NotFinite",
    "silence.wav": "Silent",
    "short.wav": "TooShort",
    "locked.wav": "NoPermission",
    "dangling.wav": "NotThere",
}
USABLE = {"flac.wav", "six-channels.wav", "two-hours.wav"}
RATE = 8_000


def long_recording(path: Path, wave: np.ndarray) -> None:
    soundfile.write(path, np.resize(wave, 2 * 3600 * RATE), RATE, subtype="PCM_16")
    segments = [{"start": at, "end": at + 2, "text": "zero one two", "language": "en"} for at in (10, 3600, 7190)]
    path.with_suffix(".json").write_text(json.dumps({"segments": segments}))


def plant(folder: Path, clip: Path) -> None:
    """Writes the twelve files."""
    wave, rate = soundfile.read(clip, dtype="float32")
    assert rate == RATE
    data = clip.read_bytes()
    with_nan = wave.copy()
    with_nan[1000] = np.nan
    writers: dict[str, Callable[[Path], object]] = {
        "empty.wav": Path.touch,
        "half-a-header.wav": lambda path: path.write_bytes(data[:20]),
        "breaks-off.wav": lambda path: path.write_bytes(data[: len(data) // 3]),
        "text.wav": lambda path: path.write_text("RIFF is what this isn't\n" * 50),
        "nan.wav": lambda path: soundfile.write(path, with_nan, RATE, subtype="FLOAT"),
        "silence.wav": lambda path: soundfile.write(path, 0 * wave, RATE),
        "short.wav": lambda path: soundfile.write(path, wave[1000 : 1000 + RATE // 20], RATE),
        "locked.wav": lambda path: shutil.copy(clip, path).chmod(0),
        "dangling.wav": lambda path: path.symlink_to("nowhere.wav"),
        "flac.wav": lambda path: soundfile.write(path, wave, RATE, format="FLAC"),
        "six-channels.wav": lambda path: soundfile.write(path, np.stack([wave] * 6, axis=1), RATE),
        "two-hours.wav": lambda path: long_recording(path, wave),
    }
    assert writers.keys() == REASONS.keys() | USABLE
    for name, write in writers.items():
        write(folder / name)
        (folder / name).with_suffix(".txt").write_text("seven")


@pytest.fixture(scope="module")
def mixed(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of links to the spoken digits, and the twelve faulty files."""
    folder = tmp_path_factory.mktemp("mixed") / "voices"
    planted = folder / "fsdd" / "planted"
    planted.mkdir(parents=True)
    clips = sorted((speech / "fsdd").rglob("*.wav"))
    plant(planted, max(clips, key=lambda clip: clip.stat().st_size))
    for clip in islice(clips, RECORDINGS - len(REASONS) - len(USABLE)):
        target = folder / clip.relative_to(speech)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(clip)
        target.with_suffix(".txt").symlink_to(clip.with_suffix(".txt"))
    return folder


def test_the_planted_faults_are_found_and_nothing_else(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    english = ("--set", "transcribe.language=en")
    arguments = ("transcribe", mixed, "--out", out, "--scheduler", "sync", *english)
    with command(tmp_path, *arguments, before=without_privileges) as run:
        ended = run.end(120)
    assert ended.code == 3, ended.err
    rejects = list(read_lines(out / "transcribe" / "rejects.jsonl"))
    assert {Path(row["path"]).name: row["reason"] for row in rejects} == REASONS
    assert all(row["stage"] == "transcribe" and row["path"] in row["message"] for row in rejects)
    assert len({row["reason"] for row in rejects}) == len(REASONS), "each has a reason of its own"
    assert sync("slice", "--out", out, "--set", "slice.min_s=0.1") == 0
    made = [row for path in (out / "slice").glob("*.rows.jsonl") for row in read_lines(path)]
    recordings = {row["recording"] for row in made}
    assert len(recordings) == RECORDINGS - len(REASONS)
    assert {f"fsdd/planted/{name}" for name in USABLE} <= recordings
    assert sum(row["recording"].endswith("two-hours.wav") for row in made) == 3
    assert not leftovers(out)
