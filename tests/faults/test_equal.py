"""The bytes of a dataset are the same from one process or four, in one run or resumed, on any cluster."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stages.artefacts.manifest import list_shards
from tests.faults.conftest import EMBEDDED, PROGRAM, command, digests, leftovers, poison, prep, sync
from tests.limits import HANG_S

OTHER_BATCHES = ("--set", "encode.batch_size=3", "--set", "transcribe.batch_size=1", "--set", "mix.batch_size=5")


def test_four_workers(voices: Path, reference: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    with command(tmp_path, "run", voices, "--out", out, "--jobs", 4, "--quiet", *EMBEDDED, *OTHER_BATCHES) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    assert digests(out) == reference


def test_shifted_pitches_by_two_workers(copy: Path, tmp_path: Path) -> None:
    alone, shift = Path(shutil.copytree(copy, tmp_path / "alone")), ("mix", "--set", "mix.shift=true", "--out")
    with command(tmp_path, *shift, copy, "--jobs", 2, "--quiet", *EMBEDDED, *OTHER_BATCHES) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    assert sync(*shift, alone) == 0
    assert digests(copy) == digests(alone)


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """Starts a Dask scheduler and workers; yields the scheduler's address."""
    file = folder / "scheduler.json"
    dask = PROGRAM.with_name("dask")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    name = ("--scheduler-file", file)
    started = [subprocess.Popen([dask, "scheduler", *name, "--port", "0", "--no-dashboard"], cwd=folder, **quiet)]
    try:
        for _ in range(workers):
            line = [dask, "worker", *name, "--nthreads", "1", "--local-directory", folder, "--no-dashboard"]
            started.append(subprocess.Popen(line, cwd=folder, **quiet))
        give_up = time.monotonic() + HANG_S
        while not file.exists():
            assert time.monotonic() < give_up
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                process.kill()


def test_killed_under_one_and_resumed_by_a_cluster_of_two(
    voices: Path, reference: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    run_all = ("run", voices, "--out", out, *EMBEDDED)
    with command(tmp_path, *run_all, "--jobs", 1, **poison(SLOW_S=0.3)) as run:
        run.until("g2p: ")
        while len(list_shards(out / "g2p")) < 3:
            assert run.process.poll() is None
            time.sleep(0.02)
        run.signal(signal.SIGKILL)
        run.end()
    with cluster(tmp_path, 2) as address:
        assert address.startswith("tcp://")
        assert prep(*run_all, "--scheduler", address, "--quiet") == 0
    assert digests(out) == reference
    assert not leftovers(out)


def test_stage_by_stage_in_odd_batches(voices: Path, reference: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    assert sync("transcribe", voices, "--out", out, *OTHER_BATCHES) == 0
    for stage in ("slice", "g2p", "encode", "hdf5", "metadata", "similar", "mix"):
        assert sync(stage, "--out", out, *OTHER_BATCHES) == 0
    assert digests(out) == reference


def test_a_configuration_is_what_it_says_and_not_how_it_is_written(
    voices: Path, copy: Path, reference: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "prep.yaml"
    moved = Path(shutil.copytree(voices, tmp_path / "moved"))
    for text in (
        "encode: {codec: embedded}",
        "# a comment\nencode:\n\n  codec: 'embedded'  # another\nslice: {min_s: 1}\n",
    ):
        config.write_text(text)
        assert prep("run", moved, "--out", copy, "--config", config, "--scheduler", "sync") == 0
        assert "nothing to do" in capsys.readouterr().err
    assert digests(copy) == reference
