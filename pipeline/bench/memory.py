"""Benchmarks the memory of a worker over a recording of twelve hours, against decoding it whole."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.audio import files as audio
from stages.audio.containers.mpeg import sounding
from stages.audio.tape import stretches
from stages.base import Context
from stages.corpora.scan import scan
from stages.encode import Encode, EncodeConfig
from stages.records import Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig

_HOURS = (1.0, 12.0)
_WHOLE_HOURS = (0.25, 0.5)
"""Hours of the recordings that are decoded whole, to tell from them what twelve hours would take."""
_LOOP_S = 300
"""Seconds of speech that are repeated."""
_RATE = 44_100
_TURN_S = 10.0
_SAID_S = 9.0
"""Seconds of each turn that its segment covers."""
_ENCODED = 40
"""Utterances that are encoded, from the whole length: the codec's own speed is no matter here."""
_WINDOW_S = 30
_MAKE = """
import sys, numpy, soundfile
soundfile.write(sys.argv[2], numpy.load(sys.argv[1]), int(sys.argv[3]), format="MP3")
"""
_WHOLE = """
import sys, soundfile
data, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
wave = data.mean(axis=1)
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
"""Reads a recording as the stages did before they read in blocks, and prints its peak memory in KiB."""


def memory(bench: Bench) -> Iterator[Figure]:
    """Measures the peak memory of a process that transcribes, resamples, slices and encodes a stereo MP3."""
    loop = _loop(bench)
    few, more = (_whole_mib(bench.scratch, loop, hours) for hours in _WHOLE_HOURS)
    (shorter, longer), (quarter, half) = _HOURS, _WHOLE_HOURS
    whole = few + (more - few) / (half - quarter) * (longer - quarter)
    short, _ = _worker(bench.scratch, loop, shorter)
    yield Figure(f"{shorter:g} h: peak memory of a worker", short, "MiB")
    long, spent_s = _worker(bench.scratch, loop, longer)
    name = f"decoded whole, by {quarter:g} h and {half:g} h"
    yield Figure(f"{longer:g} h: peak memory of a worker", long, "MiB", whole, name, most=0.1)
    yield Figure(f"{longer:g} h: the same", long, "MiB", short, f"{shorter:g} h", most=1.1)
    yield Figure(f"{longer:g} h: CPU seconds an hour of sound", spent_s / longer, "s")


class Loop(NamedTuple):
    """A stereo MP3 that can be repeated."""

    head: bytes
    """The frame that tells how many follow."""
    number: int
    """How many frames there are."""
    frames: bytes

    def repeated(self, times: int) -> Iterator[bytes]:
        """Yields the parts of a file that holds the frames several times, and says so in its head."""
        at = max(self.head.find(name) for name in (b"Xing", b"Info")) + 8
        size = len(self.head) + times * len(self.frames)
        told = (times * self.number).to_bytes(4, "big") + size.to_bytes(4, "big")
        yield self.head[:at] + told + self.head[at + len(told) :]
        for _ in range(times):
            yield self.frames


def _loop(bench: Bench) -> Loop:
    """Encodes `_LOOP_S` of sound: real clips, or a buzz that comes and goes."""
    samples = _LOOP_S * _RATE
    if bench.speech is None:
        time_s = np.arange(samples) / _RATE
        left = 0.3 * np.sin(2 * np.pi * 180 * time_s) * (np.sin(2 * np.pi * 1.5 * time_s) > -0.5)
    else:
        clips = [audio.read_at(path, _RATE) for path in sorted(bench.speech.rglob("*.wav"))[:30]]
        left = np.resize(np.concatenate(clips), samples)
    noise = np.random.default_rng(0).normal(0, 0.003, (samples, 2))
    waves, made = bench.scratch / "loop.npy", bench.scratch / "loop.mp3"
    np.save(waves, np.asarray(np.stack([left, 0.8 * left], axis=1) + noise, np.float32), allow_pickle=False)
    _run(["-c", _MAKE, str(waves), str(made), str(_RATE)])
    frames = [frame for _, frame in sounding(made)]
    content = made.read_bytes()
    return Loop(content[: content.index(frames[0] + frames[1])], len(frames), b"".join(frames))


def _recording(folder: Path, loop: Loop, hours: float) -> Path:
    """Writes a folder with one recording, at least as long as `hours`, and its timed transcript; returns the folder."""
    (folder / "anna").mkdir(parents=True)
    times = round(hours * 3600 / _LOOP_S)
    with (folder / "anna/book.mp3").open("wb") as file:
        file.writelines(loop.repeated(times))
    starts = np.arange(0, times * _LOOP_S, _TURN_S).tolist()
    said = [{"start": at, "end": at + _SAID_S, "text": f"This is turn number {at:.0f}."} for at in starts]
    (folder / "anna/book.json").write_text(json.dumps({"language": "en", "segments": said}), encoding="utf-8")
    return folder


def _worker(scratch: Path, loop: Loop, hours: float) -> tuple[float, float]:
    """Returns the peak memory, in MiB, and the CPU seconds of a process that works on a recording."""
    folder = _recording(scratch / f"worker-{hours:g}", loop, hours)
    peak, spent_s = json.loads(_run(["-m", "pipeline.bench.memory", str(folder)]))
    (folder / "anna/book.mp3").unlink()
    return peak, spent_s


def _whole_mib(scratch: Path, loop: Loop, hours: float) -> float:
    folder = _recording(scratch / f"whole-{hours:g}", loop, hours)
    return int(_run(["-c", _WHOLE, str(folder / "anna/book.mp3")])) / 1024


def _run(arguments: list[str]) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout


def work(folder: Path) -> None:
    """Does what workers do with a recording; raises if a stage leaves a part of it out."""
    context = Context(folder)
    [recording] = scan(folder).recordings
    transcribe = Transcribe(TranscribeConfig(transcripts="require"), context)
    [[transcript]] = transcribe.process([recording])
    assert isinstance(transcript, Transcript), transcript
    at_16k = audio.listen(context.place(recording.id)).resampled(16_000)
    for window in stretches(at_16k, _WINDOW_S * 16_000):  # as the aligners hear it
        assert window.any()
    cutter = Slice(SliceConfig(), context)
    [rows] = cutter.process([transcript])
    utterances = [row for row in rows if isinstance(row, Utterance)]
    assert sum(row.duration_s for row in utterances) > 0.8 * transcript.duration_s, rows[:3]
    encode = Encode(EncodeConfig(codec="embedded"), context)
    encode.setup()
    for row in utterances[:: max(1, len(utterances) // _ENCODED)]:
        encode.process([row])


def peak_mib() -> float:
    """Returns the most memory that this process has had, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


MEMORY = StageBench("memory", memory, 90)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
    print(json.dumps([peak_mib(), time.process_time()]))
