"""Real clusters, started and joined; stand-ins for GPUs and Slurm where a test says so."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.cluster import scheduler as schedulers
from pipeline.cluster import start as starting
from pipeline.cluster.scheduler import Scheduler, parse_scheduler
from pipeline.cluster.slurm import SlurmConfig, dask_setup, slurm_cluster
from pipeline.cluster.start import cuda_options, gpu_problem, start
from stages.errors import ConfigError, UsageError, ValleError
from tests.limits import HANG_S

GPU = {"GPU": 1}
SLURM = {"memory": "2GB", "walltime": "00:10:00"}


@contextmanager
def started(scheduler: Scheduler) -> Iterator[Any]:
    client, cluster = start(scheduler)
    try:
        yield client
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def parse(text: str, *, jobs: int | None = None, device: str = "cpu") -> Scheduler:
    return parse_scheduler(text, jobs=jobs, device=device)


def workers_of(client: Any) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def until(ready: Callable[[], bool], *, wait_s: float = HANG_S) -> None:
    end = time.monotonic() + wait_s
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def page_faults() -> int:
    """Counts the page faults of a hundred arrays of 1 MiB, each freed before the next is made."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


class TestParsing:
    def test_each_kind_is_told_apart(self, tmp_path: Path) -> None:
        file = tmp_path / "scheduler.json"
        file.write_text('{"address": "tcp://127.0.0.1:1"}')
        slurm = write_slurm(tmp_path)
        found = [parse(text) for text in ("sync", "local", "tcp://host:8786", str(file), f"slurm:{slurm}")]
        assert [one.kind for one in found] == ["sync", "local", "address", "file", "slurm"]
        assert [one.where for one in found] == ["", "", "tcp://host:8786", str(file), str(slurm)]
        assert [one.wait_s for one in found] == [60, 60, 60, 60, 3600]
        assert found[-1].option == f"--scheduler slurm:{slurm}"

    def test_on_its_own_gpu_a_worker_computes_on_plain_cuda(self) -> None:
        assert parse("cuda", device="cuda:1").worker_device == "cuda"
        assert parse("local", device="cuda:1").worker_device == "cuda:1"

    @pytest.mark.parametrize(
        ("text", "device", "message"),
        [
            ("lokal", "cpu", "Did you mean `local`"),
            ("no/such/file", "cpu", "must be `sync`, `local`, `cuda`"),
            ("cuda", "cpu", "--device cuda"),
            ("slurm:", "cpu", "must name a YAML file"),
            ("slurm:no/such.yaml", "cpu", "`no/such.yaml` isn't a file"),
        ],
    )
    def test_anything_else_is_refused(self, text: str, device: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            parse(text, device=device)

    def test_a_file_without_an_address_is_refused(self, tmp_path: Path) -> None:
        for content in ("", "[]", '{"address": 1}', "jobs: 3"):
            (tmp_path / "file").write_text(content)
            with pytest.raises(UsageError, match="slurm:FILE"):
                parse(str(tmp_path / "file"))

    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            ({"partition": "gpu"}, r"`partition` is not a known key.*file\.yaml, line \d"),
            ({"wall_time": "1"}, "did you mean `walltime`"),
            ({"memory": "16"}, "`memory` must be a number with a unit, such as 16GB, but is `16`"),
            ({"walltime": "8h"}, "`walltime` must be a time as Slurm writes it"),
            ({"gpus": 2}, r"`gpus` must be at most `cores` \(1\), one worker per GPU, but is 2"),
            ({"jobs": 0}, "`jobs` must be greater than or equal to 1, but is 0"),
            ({"directives": ["#SBATCH --qos=long"]}, "without `#SBATCH`"),
        ],
    )
    def test_a_wrong_slurm_file_is_refused(self, extra: dict[str, Any], message: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=message):
            parse(f"slurm:{write_slurm(tmp_path, **extra)}")

    def test_a_slurm_file_must_say_how_much_and_how_long(self, tmp_path: Path) -> None:
        (tmp_path / "file.yaml").write_text("jobs: 2\n")
        with pytest.raises(ConfigError, match=r"`memory` must be given.*\n.*`walltime` must be given"):
            parse(f"slurm:{tmp_path / 'file.yaml'}")

    def test_gpus_of_slurm_and_the_device_go_together(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="`gpus` is 0"):
            parse(f"slurm:{write_slurm(tmp_path)}", device="cuda")
        with pytest.raises(UsageError, match="the job decides"):
            parse(f"slurm:{write_slurm(tmp_path, gpus=1)}", device="cuda:1")
        assert parse(f"slurm:{write_slurm(tmp_path, gpus=1)}", device="cuda").on_gpu


SHARE = """
import json, os, sys
import psutil
from pipeline.cluster.scheduler import parse_scheduler; from pipeline.cluster.start import start

def told():
    return os.getppid(), psutil.Process(os.getppid()).num_threads(), "torch" in sys.modules, "scipy" in sys.modules

client, cluster = start(parse_scheduler("local", jobs=2, device="cpu"), ["torch", "no.such.module"])
first = list(client.run(told).values())
client.restart()
print(json.dumps([first, list(client.run(told).values())]))
client.close()
cluster.close()
"""


class TestLocal:
    @pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
    def test_workers_share_what_their_server_has_imported(self) -> None:
        found = subprocess.run([sys.executable, "-c", SHARE], capture_output=True, text=True, check=True).stdout
        first, later = json.loads(found)
        assert len(first) == len(later) == 2
        assert [server for server, *_ in first + later] == [first[0][0]] * 4, (
            "those in place of others come from it too"
        )
        assert [rest for _, *rest in first + later] == [[1, True, False]] * 4, "it has one thread: a fork is safe"

    def test_workers_have_one_thread_each_and_share_the_gpu(self) -> None:
        scheduler = parse("local", jobs=2, device="cuda:0")
        with started(scheduler) as client:
            workers = workers_of(client)
            assert [worker["nthreads"] for worker in workers] == [1, 1]
            assert [worker["resources"] for worker in workers] == [GPU, GPU]
            assert gpu_problem(client, scheduler) == ""
            assert client.submit(os.getpid, resources=GPU).result(timeout=HANG_S) != os.getpid()
            threads = client.run(lambda: [os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")])
            assert list(threads.values()) == [["1", "1"]] * 2
            faults = client.run(page_faults)
            assert max(faults.values()) < 10_000, "what was freed is used again: by Dask's own setting it is 25,600"
            assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 0

    def test_what_a_killed_worker_leaves_is_removed(self) -> None:
        with started(parse("local", jobs=1)) as client:
            ((folder, worker),) = client.run(lambda: (tempfile.mkdtemp(), os.getpid())).values()
            assert Path(folder).is_dir()
            os.kill(worker, signal.SIGKILL)
            give_up = time.monotonic() + HANG_S
            while Path(folder).exists():  # until the worker in its place has begun
                assert time.monotonic() < give_up
                time.sleep(0.1)

    def test_what_a_worker_leaves_is_removed(self) -> None:
        with started(parse("local", jobs=1)) as client:
            ((folder,),) = [client.run(tempfile.mkdtemp).values()]
            assert Path(folder).is_dir()
        assert not Path(folder).exists()

    def test_without_a_gpu_device_none_is_offered(self) -> None:
        scheduler = parse("local", jobs=1)
        with started(scheduler) as client:
            assert gpu_problem(client, scheduler) == ""
            problem = gpu_problem(client, parse("tcp://host:8786", device="cuda"))
            assert 'dask worker tcp://host:8786 --nthreads 1 --resources "GPU=1"' in problem
            assert "none of the 1" in problem
            assert "--device cpu" in problem


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `dask …` and stops it in the end."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        return process

    yield run
    for process in reversed(running):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class TestJoining:
    def test_two_workers_by_address_and_by_file(self, spawn: Any, tmp_path: Path) -> None:
        file = tmp_path / "scheduler.json"
        spawn("scheduler", "--host", "127.0.0.1", "--port", 0, "--dashboard-address", ":0", "--scheduler-file", file)
        until(file.exists)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            spawn("worker", address, "--nthreads", 1, "--no-dashboard", "--resources", "GPU=1")
        for text in (address, str(file)):
            scheduler = parse(text, device="cuda")
            client, cluster = start(scheduler)
            with client:
                assert cluster is None
                client.wait_for_workers(2, timeout=HANG_S)
                assert client.gather(client.map(abs, range(-9, 0))) == list(range(9, 0, -1))
                assert gpu_problem(client, scheduler) == ""
        with started(parse(address)) as client:
            assert len(workers_of(client)) == 2, "leaving a cluster that isn't ours must not stop it"

    def test_no_scheduler(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(starting, "_CONNECT_S", 1)
        with pytest.raises(UsageError, match=r"`dask scheduler`.*`dask worker tcp://127.0.0.1:1 --nthreads 1`"):
            start(parse("tcp://127.0.0.1:1"))
        file = tmp_path / "s.json"
        file.write_text('{"address": "tcp://127.0.0.1:1"}')
        commands = f"`dask scheduler --scheduler-file {file}`.*`dask worker --scheduler-file {file} --nthreads 1`"
        with pytest.raises(UsageError, match=commands):
            start(parse(str(file)))

    @pytest.mark.parametrize(
        ("address", "message"),
        [("nonsense://host:1", "nonsense"), ("tcp://127.0.0.1", "port"), ("tls://127.0.0.1:1", "certificates")],
    )
    def test_an_address_that_cant_be(self, address: str, message: str) -> None:
        with pytest.raises(UsageError, match=f"must name a Dask scheduler that runs, but: .*{message}"):
            start(parse(address))

    def test_no_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from distributed import LocalCluster

        monkeypatch.setattr(schedulers, "_WAIT_S", 0.5)
        with LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp://") as cluster:
            address = cluster.scheduler_address
            with pytest.raises(UsageError, match=f"no worker for 0.5 s.*`dask worker {address} --nthreads 1`"):
                start(parse(address))
            until(lambda: len(cluster.scheduler.clients) <= 1)


class TestCuda:
    def test_jobs_and_device_choose_among_the_gpus(self) -> None:
        def chosen(jobs: int | None, device: str) -> list[str]:
            options = cuda_options(parse("cuda", jobs=jobs, device=device), ["4", "5", "7"])
            return list(options["CUDA_VISIBLE_DEVICES"])

        assert chosen(None, "cuda") == ["4", "5", "7"]
        assert chosen(2, "cuda") == ["4", "5"]
        assert chosen(None, "cuda:2") == ["7"]
        with pytest.raises(UsageError, match="it sees 3"):
            chosen(None, "cuda:3")

    def test_no_gpu_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
        monkeypatch.setitem(sys.modules, "dask_cuda", stand_in())
        with pytest.raises(UsageError, match="it sees 0"):
            start(parse("cuda", device="cuda"))

    def test_without_dask_cuda(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dask_cuda", None)
        with pytest.raises(UsageError, match="make setup EXTRAS=dev,cuda"):
            start(parse("cuda", device="cuda"))

    def test_a_worker_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No GPU and no dask-cuda: a stand-in with real workers takes our arguments."""
        monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-8f")
        monkeypatch.setitem(sys.modules, "dask_cuda", stand_in())
        scheduler = parse("cuda", device="cuda")
        with started(scheduler) as client:
            assert [(one["nthreads"], one["resources"]) for one in workers_of(client)] == [(1, GPU)] * 2
            assert set(client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"]).values()) == {"3", "GPU-8f"}
            assert gpu_problem(client, scheduler) == ""

    def test_the_workers_that_dask_cuda_itself_would_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No GPU, but dask-cuda's own class: its questions to the driver are answered here, and nothing starts."""
        local = pytest.importorskip(
            "dask_cuda.local_cuda_cluster", reason="dask-cuda is not installed (extra `cuda`)", exc_type=ImportError
        )
        monkeypatch.setattr(local, "parse_device_memory_limit", lambda *_, **__: 0)
        monkeypatch.setattr(local, "nvml_device_index", lambda *_: 0)
        monkeypatch.setattr(local, "worker_data_function", lambda **_: lambda _: dict)
        monkeypatch.setattr(local, "worker_plugins", lambda **_: [])
        monkeypatch.setattr(local.LocalCUDACluster, "scale", lambda self, n: self.asked.append(n))
        monkeypatch.setattr(local.LocalCUDACluster, "asked", [], raising=False)
        options = cuda_options(parse("cuda", device="cuda"), ["0", "1"])
        with local.LocalCUDACluster(**options) as cluster:
            spec = cluster.new_worker_spec()
            assert cluster.asked == [2]
        assert spec[0]["options"]["env"] == {"CUDA_VISIBLE_DEVICES": "0,1"}
        assert spec[0]["options"]["nthreads"] == 1
        assert spec[0]["options"]["resources"] == GPU

    @pytest.mark.gpu
    def test_on_real_gpus(self) -> None:
        torch = pytest.importorskip("torch")
        pytest.importorskip("dask_cuda", reason="dask-cuda is not installed (extra `cuda`)", exc_type=ImportError)
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        with started(parse("cuda", device="cuda")) as client:
            assert len(workers_of(client)) == torch.cuda.device_count()
            assert client.submit(lambda: torch.ones(3, device="cuda").sum().item(), resources=GPU).result() == 3


def stand_in() -> ModuleType:
    """A module named dask_cuda whose cluster takes the same arguments and starts a worker for each named GPU."""
    from distributed import LocalCluster

    class LocalCUDACluster(LocalCluster):  # type: ignore[misc]
        def __init__(self, CUDA_VISIBLE_DEVICES: list[str], **options: Any) -> None:
            self.unused = list(CUDA_VISIBLE_DEVICES)
            super().__init__(n_workers=0, processes=True, **options)
            self.scale(len(self.unused))
            self.sync(self._correct_state)

        def new_worker_spec(self) -> dict[Any, Any]:
            ((name, spec),) = super().new_worker_spec().items()
            spec = {**spec, "options": {**spec["options"], "env": {"CUDA_VISIBLE_DEVICES": self.unused.pop()}}}
            return {name: spec}

    module = ModuleType("dask_cuda")
    module.LocalCUDACluster = LocalCUDACluster  # type: ignore[attr-defined]
    return module


def write_slurm(folder: Path, **keys: Any) -> Path:
    path = folder / "file.yaml"
    path.write_text("\n".join(f"{key}: {json.dumps(value)}" for key, value in {**SLURM, **keys}.items()))
    return path


SBATCH = """#!/bin/sh
cp "$1" "$FAKE_SLURM/script"
CUDA_VISIBLE_DEVICES=4,5 setsid sh "$FAKE_SLURM/script" > "$FAKE_SLURM/log" 2>&1 &
echo $! > "$FAKE_SLURM/pid"
echo "Submitted batch job 1"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> "$FAKE_SLURM/cancelled"
kill -- -"$(cat "$FAKE_SLURM/pid")"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts an `sbatch` that runs the job here, and its `scancel`, before all others on PATH."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


class TestSlurm:
    def test_the_job_script(self) -> None:
        config = SlurmConfig(
            **SLURM,
            **{"queue": "gpu", "account": "speech", "gpus": 1, "directives": ["--qos=long"], "interface": "lo"},
            **{"prologue": ["module load cuda"], "python": "/opt/python", "local_directory": "/scratch"},
        )
        cluster = slurm_cluster(config, {"OMP_NUM_THREADS": 1})
        try:
            script = cluster.job_script().splitlines()
        finally:
            cluster.close()
        command = script[-1]
        for line in ("-J valle-prep", "-p gpu", "-A speech", "-n 1", "--cpus-per-task=1", "--mem=2G", "-t 00:10:00"):
            assert f"#SBATCH {line}" in script
        assert script.index("#SBATCH --gres=gpu:1") < script.index("module load cuda") < len(script) - 1
        assert {"#SBATCH --qos=long", "export OMP_NUM_THREADS=1"} <= set(script)
        assert command.startswith("/opt/python -m distributed.cli.dask_worker tcp://127.0.0.1:")
        for option in ("--nthreads 1", "--resources GPU=1", "--local-directory /scratch", "--interface lo"):
            assert option in command
        assert "--nworkers" not in command
        assert "--preload-nanny" not in command

    def test_a_worker_a_core(self) -> None:
        cluster = slurm_cluster(SlurmConfig(**SLURM, cores=4), {})
        try:
            script = cluster.job_script()
        finally:
            cluster.close()
        assert "#SBATCH --cpus-per-task=4" in script
        assert "--nthreads 1" in script
        assert "--memory-limit 476.84MiB" in script, "a quarter of 2 GB"
        assert "--nworkers 4" in script
        assert "gres" not in script
        assert "--resources" not in script

    def test_a_job_computes_and_is_cancelled_in_the_end(self, slurm: Path, tmp_path: Path) -> None:
        """The job has two cores and two GPUs: each worker gets its own."""
        scheduler = parse(f"slurm:{write_slurm(tmp_path, cores=2, gpus=2, interface='lo', wait_s=60)}", device="cuda")
        with started(scheduler) as client:
            client.wait_for_workers(2, timeout=HANG_S)
            assert client.submit(os.getpid, resources=GPU).result(timeout=HANG_S) != os.getpid()
            assert set(client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"]).values()) == {"4", "5"}
            assert [worker["nthreads"] for worker in workers_of(client)] == [1, 1]
            assert gpu_problem(client, scheduler) == ""
            assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 0
        assert (slurm / "cancelled").read_text() == "1\n"

    def test_workers_beyond_the_gpus_offer_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6")
        nannies = [SimpleNamespace(name=f"SLURMCluster-7-{n}", env={}, resources=GPU) for n in range(3)]
        for nanny in nannies:
            dask_setup(nanny)
        assert [nanny.env["CUDA_VISIBLE_DEVICES"] for nanny in nannies] == ["6", "", ""]
        assert [nanny.resources for nanny in nannies] == [GPU, None, None]

    def test_a_job_that_slurm_refuses(self, slurm: Path, tmp_path: Path) -> None:
        (slurm / "sbatch").write_text("#!/bin/sh\necho 'invalid partition specified: gpuu' >&2\nexit 1\n")
        with pytest.raises(UsageError, match=r"didn't take the job: .*invalid partition specified: gpuu"):
            start(parse(f"slurm:{write_slurm(tmp_path, queue='gpuu')}"))

    def test_a_job_that_stays_in_the_queue(self, slurm: Path, tmp_path: Path) -> None:
        (slurm / "sbatch").write_text(
            "#!/bin/sh\nsetsid sleep 9 >$FAKE_SLURM/log 2>&1 & echo $! > $FAKE_SLURM/pid; echo Submitted batch job 1\n"
        )
        with pytest.raises(UsageError, match=r"no Slurm job has brought a worker within 0\.5 s.*`squeue`"):
            start(parse(f"slurm:{write_slurm(tmp_path, wait_s=0.5)}"))
        assert (slurm / "cancelled").read_text() == "1\n"

    def test_without_slurm(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(UsageError, match="needs `sbatch`"):
            start(parse(f"slurm:{write_slurm(tmp_path)}"))

    def test_without_dask_jobqueue(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
        with pytest.raises(ValleError, match="make setup EXTRAS=dev,slurm"):
            start(parse(f"slurm:{write_slurm(tmp_path)}"))
