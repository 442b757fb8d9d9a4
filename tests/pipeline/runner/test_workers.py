"""Workers that others started: which are refused, and by which name."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import LocalCluster

from pipeline.cluster.cluster import open_cluster
from pipeline.cluster.scheduler import Scheduler
from pipeline.dataset import lock
from pipeline.runner.workers import Needed, own_version, problems
from tests.limits import HANG_S

ROOT = Path(__file__).parents[3]
HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "pipeline":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Hidden())
"""


@contextmanager
def workers(address: str, **paths: Path) -> Iterator[None]:
    """Starts a worker for each name, which finds its modules in a folder of its own first."""
    dask = Path(sys.executable).with_name("dask")
    started = [
        subprocess.Popen(
            [dask, "worker", address, "--nthreads", "1", "--name", name, "--no-dashboard", "--no-nanny"],
            cwd=path,
            env={**os.environ, "PYTHONPATH": str(path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, path in paths.items()
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(HANG_S)


def test_workers_without_the_program_or_with_another_are_refused_by_name(tmp_path: Path) -> None:
    without, other, good = (tmp_path / name for name in ("without", "other", "good"))
    for folder in (without, other, good, tmp_path / "voices", tmp_path / "dataset"):
        folder.mkdir()
    (tmp_path / "voices/a.wav").touch()
    (without / "sitecustomize.py").write_text(HIDDEN)
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "stages/ids.py").write_text((other / "stages/ids.py").read_text() + "\n# changed\n")
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp://") as started:
        address = started.scheduler_address
        with (
            workers(address, without=without, other=other, good=good),
            open_cluster(Scheduler("address", address, None, "cpu")) as cluster,
            lock.hold(tmp_path / "dataset", print) as token,
        ):
            give_up = time.monotonic() + HANG_S
            while len(started.scheduler.workers) < 3:
                assert time.monotonic() < give_up
                time.sleep(0.1)
            needed = Needed(tmp_path / "dataset", tmp_path / "voices", token)
            found = sorted(problems(cluster, needed))
            assert len(found) == 2
            assert found[0].startswith("worker `other (tcp://")
            assert f"but this is {own_version()}. Install the same there" in found[0]
            assert found[1].startswith("worker `without (tcp://")
            assert "doesn't have valle-prep (No module named 'pipeline')" in found[1]
            elsewhere = Needed(tmp_path / "other", tmp_path / "voices", token)
            there = [line for line in problems(cluster, elsewhere) if "`good (" in line]
            assert len(there) == 1
            assert f"holds another folder `{tmp_path / 'other'}`: mount the dataset's" in there[0]


@pytest.mark.parametrize("kind", ["sync", "local"])
def test_own_workers_are_not_asked(kind: str, tmp_path: Path) -> None:
    with open_cluster(Scheduler(kind, "", 1, "cpu")) as cluster:
        assert problems(cluster, Needed(tmp_path, tmp_path, "")) == []
