"""Benchmarks the runner at scale: `python -m pipeline.bench.runner`, part of `make bench`.

The stages do no work; everything around them is real: the scan, digests, plans, shards, receipts and the cluster. Each
figure is printed with its upper bound.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cluster.cluster import Cluster, DaskCluster, SyncCluster
from pipeline.cluster.scheduler import parse_scheduler
from pipeline.config import PrepConfig, wanted_stages
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, new_dataset, write_head
from pipeline.dataset.lock import hold
from pipeline.dataset.recordings import find_recordings
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, plan_all, run_stages
from pipeline.runner.tally import Tally
from stages.config import load_config
from stages.corpora.scan import walk
from stages.encode import Encode
from stages.g2p import G2p
from stages.machine import cores, processor
from stages.records import Encoded, Recording, Segment, Transcript, Utterance
from stages.similar import Feature, Similar
from stages.slice import Slice
from stages.transcribe import Transcribe

_RATE, _SECONDS, _FRAMES = 24_000, 4, 300
_SPEAKERS = 1000
_EMBEDDED = ["encode.codec=embedded"]
_CODES = np.zeros((8, _FRAMES), np.uint16)


def _transcript(item: Recording) -> Transcript:
    end = _RATE * _SECONDS
    segments = (Segment(0, end, f"This is {item.id}.", "en"),)
    who = item.group, item.speaker
    return Transcript(item.id, *who, _RATE, end, "en", "txt", timed=False, segments=segments, digest=item.digest)


def _utterance(item: Transcript) -> Utterance:
    who = item.group, item.speaker
    return Utterance(item.id, item.id, *who, "en", 0, item.samples, _RATE, item.segments[0].text, digest=item.digest)


def _feature(item: Encoded) -> Feature:
    vector = np.frombuffer(item.id.encode()[-20:].rjust(20), np.uint8).astype(np.float32)
    return Feature(item.id, item.utterance.recording, item.utterance.speaker, vector)


IDLE: dict[type[Any], Callable[[Any], Any]] = {
    Transcribe: _transcript,
    Slice: _utterance,
    G2p: lambda item: replace(item, phonemes="ðɪs ɪz"),
    Encode: lambda item: Encoded(replace(item, frames=_FRAMES), _CODES),
    Similar: _feature,
}
"""Stage -> a stand-in for its work; stages without one do almost nothing anyway."""


def idle() -> None:
    """Replaces the stages' work by the stand-ins of `IDLE`, in this process."""
    for stage, work in IDLE.items():
        stage.process = lambda _, items, work=work: [[work(item)] for item in items]
        stage.setup = lambda _: None


def write_voices(folder: Path, count: int) -> None:
    """Writes `count` small files with transcripts; the files contain no audio, since nothing reads it."""
    for speaker in range(_SPEAKERS):
        (folder / "group" / f"speaker{speaker:04d}").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = f"{folder}/group/speaker{number % _SPEAKERS:04d}/clip{number:07d}"
        for suffix, content in ((".wav", f"{number}"), (".txt", f"text {number}")):
            with open(path + suffix, "w") as file:  # noqa: PTH123 (a million of them)
                file.write(content)


def run_idle(voices: Path, out: Path, names: Sequence[str], cluster: Cluster) -> list[Tally]:
    """Scans a folder and runs stages after `idle` was called."""
    out.mkdir(parents=True, exist_ok=True)
    dataset = new_dataset(out, voices)
    config = load_config(PrepConfig, None, _EMBEDDED)
    reporter = Reporter(quiet=True)
    with hold(out, reporter.say) as token, DigestCache(out / DIGESTS) as cache:
        scan = partial(walk, layout="voices")
        find_recordings(dataset, cache, walk=scan, limit=None, threads=cores(), progress=lambda _done, _total: None)
        run = Run(dataset, config, "cpu", cluster, cache, reporter, token, scanned=True)
        tallies = run_stages(run, names, plan_all(run, names))
        write_head(dataset, config, names)
    return tallies


def second_run(voices: Path, out: Path) -> float:
    """Returns the wall-clock seconds of a process that runs the pipeline with nothing to do.

    The first such run isn't counted: it compiles the program's modules to bytecode.
    """
    program = [sys.executable, "-m", "pipeline.cli", "run", str(voices), "--out", str(out), "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):
        started = time.perf_counter()
        done = subprocess.run(
            [*program, "--set", *_EMBEDDED], check=True, capture_output=True, text=True, env=environment
        )
        seconds = time.perf_counter() - started
    made = [stage["shards_made"] for stage in json.loads(done.stdout)["stages"]]
    if any(made):
        raise RuntimeError(f"a run with nothing to do must make no shards, but made {made} (by stage)")
    return seconds


def scheduling(voices: Path, out: Path) -> float:
    """Returns the milliseconds per item of an idle stage on two workers, overhead included."""
    with DaskCluster(parse_scheduler("local", jobs=2, device="cpu")) as cluster:
        cluster.on_workers(idle)
        *_, last = run_idle(voices, out, ["transcribe", "slice", "g2p"], cluster)
    return 1000 * last.seconds / last.inputs


def memory(voices: Path, out: Path) -> float:
    """Returns the client's peak memory in MiB for the scan, the plan and the run of an idle stage."""
    code = f"from pipeline.bench.runner import client; client({str(voices)!r}, {str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def client(voices: str, out: str) -> None:
    """Runs an idle stage and prints the peak memory; the subprocess of `memory`."""
    with DaskCluster(parse_scheduler("local", jobs=2, device="cpu")) as cluster:
        cluster.on_workers(idle)
        run_idle(Path(voices), Path(out), ["transcribe"], cluster)
    sys.stdout.write(str(_peak_kib() / 1024))


def _peak_kib() -> int:
    """Returns this process's peak memory. `getrusage` would include that of its parent."""
    peak = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if peak is None:
        raise RuntimeError("`/proc/self/status` has no `VmHWM`: this kernel doesn't report peak memory")
    return int(peak[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, help="recordings of the dataset for the times")
    parser.add_argument(
        "--small", type=int, default=10_000, help="recordings of the small dataset for the client's memory"
    )
    parser.add_argument(
        "--large", type=int, default=1_000_000, help="recordings of the large dataset for it; 0 skips both"
    )
    options = parser.parse_args(arguments)
    print(f"{processor()}, {cores()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        voices = folder / "voices"
        write_voices(voices, options.items)
        _row("a stage that does nothing, an item", scheduling(voices, folder / "a"), "ms", 0.15)
        idle()
        run_idle(voices, folder / "b", wanted_stages(PrepConfig()), SyncCluster())
        _row(f"a run with nothing to do, {options.items:,} recordings", second_run(voices, folder / "b"), "s", 3.0)
        if options.large:
            sizes = {}
            for count in (options.small, options.large):
                write_voices(folder / f"voices{count}", count)
                sizes[count] = memory(folder / f"voices{count}", folder / f"c{count}")
                _row(f"the client's memory, {count:,} recordings", sizes[count], "MiB")
            _row("  of the large to that of the small", sizes[options.large] / sizes[options.small], "", 1.1)


def _row(name: str, value: float, unit: str, limit: float | None = None) -> None:
    bound = "" if limit is None else f"{'≤' if value <= limit else 'ABOVE'} {limit:g} {unit}"
    print(f"{name:<60} {value:>9.3f} {unit:<4} {bound}", flush=True)


if __name__ == "__main__":
    main()
