"""Benchmarks the commands over up to a million recordings: `python -m pipeline.bench.million [--baseline CHECKOUT]`.

The files are sparse, and the stages' shards are written without doing the stages' work, so that a million recordings
take minutes to set up. All that is measured is real: each command is run in a process of its own, from its start. The
baseline is a checkout of an earlier version of this program, `git worktree add FOLDER f8e627e`.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cluster.cluster import SyncCluster
from pipeline.config import PrepConfig, stage_class, wanted_stages
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, Dataset, new_dataset, write_head
from pipeline.dataset.lock import hold
from pipeline.dataset.receipts import SETTLED_S
from pipeline.dataset.recordings import find_recordings
from pipeline.runner.plan import ShardJob
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, plan_all, run_stages
from stages.artefacts.formats import read_lines, write_lines
from stages.artefacts.manifest import ITEMS, OUT, Receipt, part_paths, read_receipt, write_shard
from stages.base import Stage
from stages.config import load_config
from stages.corpora.scan import walk
from stages.machine import cores, processor

_HOW: dict[str, Any] = {"layout": "auto", "columns": {}, "raw": False}
_SETS = ["encode.codec=embedded"]
_SPEAKERS = 1000
_ADDED = 10
_FRAMES = 3
_ROWS = {"slice", "g2p", "encode"}
"""Stages whose shards get a row a recording, as `report` reads them; the others filter all, which costs no time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took."""

    wall_s: float
    cpu_s: float
    """Processor time of its process, and of those that it started."""
    peak_mib: float
    """The most memory of its process."""


def write_files(voices: Path, numbers: Sequence[int]) -> None:
    """Writes a sparse recording and a sparse transcript for each number; nothing reads them but for their checksums."""
    for number in numbers:
        path = f"{voices}/group/speaker{number % _SPEAKERS:04d}/clip{number:07d}"
        for suffix, size in ((".wav", number % 4096 + 1), (".txt", number % 64 + 1)):
            opened = os.open(path + suffix, os.O_CREAT | os.O_WRONLY, 0o644)
            os.ftruncate(opened, size)
            os.close(opened)


def write_voices(voices: Path, count: int) -> None:
    """Writes the folders of `_SPEAKERS` speakers, and so many recordings with transcripts."""
    for speaker in range(_SPEAKERS):
        (voices / "group" / f"speaker{speaker:04d}").mkdir(parents=True, exist_ok=True)
    write_files(voices, range(count))


def stand_in(job: ShardJob) -> Receipt:
    """Writes a shard with a row for each recording, or with none, as `_ROWS` says; the `make` of a `Run`."""
    folder = job.context.dataset / job.stage
    stage: type[Stage[Any, Any, Any]] = stage_class(job.stage)
    first = read_receipt(job.context.dataset / "recordings", job.shard)
    before = read_receipt(job.context.dataset / stage.needs, job.shard)
    assert first
    assert before
    paths = part_paths(folder, f".{job.shard}.tmp", [*stage.format.parts, OUT, ITEMS])
    stage.format.write(paths, [])
    for part in (OUT, ITEMS):
        write_lines(paths[part], [])
    given, made = before.outputs, 0
    if job.stage in _ROWS:
        made = given
        lines = list(read_lines(job.context.dataset / "recordings" / f"{job.shard}.rows.jsonl"))
        frames = _FRAMES if job.stage == "encode" else 0
        write_lines(paths["rows.jsonl"], (_row(line, frames, phonemes=job.stage != "slice") for line in lines))
        if "codes.npy" in paths:
            with paths["codes.npy"].open("wb") as file:
                np.save(file, np.zeros((made * _FRAMES, 8), np.uint16), allow_pickle=False)
    outputs = given if job.stage in _ROWS or job.stage == "transcribe" else 0
    receipt = Receipt(
        stage=job.stage,
        shard=job.shard,
        fingerprint=job.fingerprint,
        upstream=job.upstream,
        inputs=given,
        pieces=given,
        outputs=outputs,
        filtered={} if outputs else {"StandIn": given},
        rejected={},
        audio_s=4.0 * outputs,
        files={},
    )
    return write_shard(folder, receipt, paths)


def _row(line: Mapping[str, Any], frames: int, *, phonemes: bool) -> dict[str, Any]:
    row = {"id": line["id"], "recording": line["id"], "group": line["group"], "speaker": line["speaker"]}
    row |= {"language": "en", "start_samples": 0, "end_samples": 96_000, "sample_rate": 24_000}
    row |= {"text": f"This is {line['id']}.", "phonemes": "ðɪs ɪz" if phonemes else "", "frames": frames}
    return row | {"digest": line["digest"], "gain_db": 0.0}


def fill(voices: Path, out: Path) -> None:
    """Makes a dataset of a folder of recordings, with shards by `stand_in`."""
    config = load_config(PrepConfig, None, _SETS)
    names = wanted_stages(config)
    reporter = Reporter(quiet=True)
    dataset = new_dataset(out, voices)
    out.mkdir(parents=True, exist_ok=True)
    with hold(out, reporter.say) as token, DigestCache(out / DIGESTS) as cache:
        run = Run(
            dataset, config, "cpu", SyncCluster(), cache, reporter, token, scanned=_scan(dataset, cache), make=stand_in
        )
        run_stages(run, names, plan_all(run, names))
        write_head(dataset, config, names)


def _scan(dataset: Dataset, cache: DigestCache) -> bool:
    found = find_recordings(
        dataset,
        cache,
        walk=partial(walk, **_HOW),
        limit=None,
        threads=cores(),
        progress=lambda _done, _total: None,
        told=_HOW,
    )
    return found.recordings > 0


def scan_and_plan(voices: str, out: str) -> int:
    """Scans and plans as `valle-prep run` does, and makes nothing; returns the number of shards to make."""
    config = load_config(PrepConfig, None, _SETS)
    dataset = new_dataset(Path(out), Path(voices))
    dataset.folder.mkdir(exist_ok=True)
    with DigestCache(dataset.folder / DIGESTS) as cache:
        run = Run(dataset, config, "cpu", SyncCluster(), cache, Reporter(quiet=True), scanned=_scan(dataset, cache))
        plan = run.plan("transcribe", verified=run.verified(()))
    return len(plan.todo)


_MEASURED = """
import json, runpy, sys
try:
    {call}
    code = 0
except SystemExit as ended:
    code = ended.code or 0
lines = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
open({told!r}, "w").write(json.dumps([int(code), peak]))
"""
_COMMAND = "sys.argv = ['valle-prep', *{arguments!r}]; runpy.run_module('pipeline.cli', run_name='__main__')"


def taken(scratch: Path, call: str, checkout: Path | None = None) -> Taken:
    """Runs Python code in a new process; returns what it took.

    Args:
        scratch: A folder for the process's answer.
        call: The code.
        checkout: The folder whose packages it imports; None for those of this process.

    Raises:
        RuntimeError: if the process fails.
    """
    told = scratch / "told.json"
    told.unlink(missing_ok=True)
    packages = checkout or Path(__file__).resolve().parents[2]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with (scratch / "said.txt").open("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", _MEASURED.format(call=call, told=str(told))],
            cwd=packages,
            env={**environment, "PYTHONPATH": str(packages)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, _, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        said.seek(0)
        text = said.read()
    code, peak = json.loads(told.read_text()) if told.is_file() else (1, 0)
    if code:
        raise RuntimeError(f"`{call}` failed: {text[-2000:]}")
    return Taken(wall_s, usage.ru_utime + usage.ru_stime, peak)


def command(*arguments: object) -> str:
    """Returns the code that runs a `valle-prep` command."""
    return _COMMAND.format(arguments=list(map(str, arguments)))


def measure(scratch: Path, count: int) -> Iterator[tuple[str, Taken]]:
    """Yields what each command takes over so many recordings, by name."""
    voices, out = scratch / f"voices{count}", scratch / f"dataset{count}"
    write_voices(voices, count)
    module = "from pipeline.bench import million; million"
    yield "a first scan", taken(scratch, f"{module}.scan_and_plan({str(voices)!r}, {str(out)!r})")
    taken(scratch, f"from pathlib import Path; {module}.fill(Path({str(voices)!r}), Path({str(out)!r}))")
    run = command("run", voices, "--out", out, "--quiet", "--set", *_SETS)
    time.sleep(SETTLED_S)
    taken(scratch, run)  # the first compiles modules, keeps the receipts, and fills the caches of the kernel
    yield "run, nothing to do", taken(scratch, run)
    yield "status", taken(scratch, command("status", "--out", out, "--quiet"))
    yield "validate", taken(scratch, command("validate", "--out", out, "--quiet"))
    yield "report", taken(scratch, command("report", "--out", out, "--quiet"))
    write_files(voices, range(count, count + _ADDED))
    yield "ten more: scan, plan", taken(scratch, f"{module}.scan_and_plan({str(voices)!r}, {str(out)!r})")


_OF_BEFORE = """
from pathlib import Path
try:
    from pipeline.bench.runner import idle, run_idle
    from pipeline.cluster.cluster import SyncCluster
except ImportError:
    from pipeline.bench import idle, run_idle
    from pipeline.cluster import SyncCluster
idle()
run_idle(Path({voices!r}), Path({out!r}), {names!r}, SyncCluster())
"""
"""Makes a dataset with an earlier version of this program."""


def before(scratch: Path, checkout: Path, count: int) -> Taken:
    """Returns what a run with nothing to do takes an earlier version of this program."""
    voices, out = scratch / f"voices{count}", scratch / "before"
    if not voices.is_dir():
        write_voices(voices, count)
    names = wanted_stages(load_config(PrepConfig, None, _SETS))
    code = _OF_BEFORE.format(voices=str(voices), out=str(out), names=list(names))
    taken(scratch, f"exec({code!r})", checkout)
    run = command("run", voices, "--out", out, "--quiet", "--set", *_SETS)
    taken(scratch, run, checkout)
    return taken(scratch, run, checkout)


def slope(smaller: float, larger: float, counts: tuple[int, int]) -> float:
    """Returns the power by which a figure grows with the number of recordings: 1 if it grows as they do, 0 if not."""
    return math.log(larger / smaller) / math.log(counts[1] / counts[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.bench.million", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="recordings")
    parser.add_argument("--baseline", type=Path, help="a checkout of an earlier version, for its time of 100,000")
    parser.add_argument("--of", type=int, default=100_000, help="recordings that the baseline gets")
    parser.add_argument("--scratch", type=Path, help="where to write the files; by default a temporary folder")
    options = parser.parse_args(arguments)
    print(f"{processor()}, {cores()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        scratch = Path(folder)
        found: dict[str, dict[int, Taken]] = {}
        for count in sorted(options.sizes):
            for name, took in measure(scratch, count):
                found.setdefault(name, {})[count] = took
                print(
                    f"{name:<22} {count:>9,}  {took.wall_s:7.2f} s  {took.cpu_s:7.2f} s of the processor"
                    f"  {took.peak_mib:6.1f} MiB",
                    flush=True,
                )
        sizes = min(options.sizes), max(options.sizes)
        if sizes[0] < sizes[1]:
            print(f"\ngrowth from {sizes[0]:,} to {sizes[1]:,} (power of the number): processor time, memory")
            for name, by_count in found.items():
                low, high = by_count[sizes[0]], by_count[sizes[1]]
                powers = slope(low.cpu_s, high.cpu_s, sizes), slope(low.peak_mib, high.peak_mib, sizes)
                print(
                    f"{name:<22} {powers[0]:5.2f}  {powers[1]:5.2f}   memory {high.peak_mib / low.peak_mib:.2f} x",
                    flush=True,
                )
        if options.baseline:
            then = before(scratch, options.baseline.resolve(), options.of)
            now = found["run, nothing to do"][sizes[1]]
            print(f"\nbefore, {options.of:,}: {then.wall_s:.2f} s, {then.cpu_s:.2f} s of the processor")
            print(
                f"now, {sizes[1]:,}: {now.wall_s / then.wall_s:.2f} x the time, {now.cpu_s / then.cpu_s:.2f} x the"
                " processor's (asked for: 2 x)"
            )


if __name__ == "__main__":
    main()
