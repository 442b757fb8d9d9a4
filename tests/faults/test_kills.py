"""SIGKILL at any moment, to any process: the next run continues, and the dataset shows no trace.

`FAULTS_KILLS=50` (set by `make faults`) makes more kills and prints a table of them; `FAULTS_SEED` draws others.
"""

import os
import re
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.conftest import SPEECH
from tests.faults.conftest import EMBEDDED, Command, command, digests, leftovers, poison, snapshot

KILLS = int(os.environ.get("FAULTS_KILLS", "10"))
SEED = int(os.environ.get("FAULTS_SEED", "7"))
VICTIMS = ("client", "group", "worker")


@pytest.fixture(scope="session")
def clips(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest recordings of three corpora, or synthetic: 40, or 13 where there are few kills."""
    folder = tmp_path_factory.mktemp("clips")
    real = (("vctk", 20), ("ljspeech", 6), ("librispeech-test-other", 14))
    for group, count in real if recordings == SPEECH else (("en", 20), ("de", 6), ("ja", 14)):
        told = [path for path in (recordings / group).rglob("*.*") if path.suffix in {".wav", ".flac"}]
        for clip in sorted(told, key=lambda path: (path.stat().st_size, path.name))[
            : count if KILLS > 10 else count // 3
        ]:
            target = folder / clip.relative_to(recordings)
            target.parent.mkdir(parents=True, exist_ok=True)
            for path in (clip, clip.with_suffix(".txt")):
                shutil.copy(path, target.parent)
    return folder


def workers(client: int) -> list[psutil.Process]:
    """Returns a client's Dask workers: what its server has forked, or itself has spawned."""
    try:
        of_client = psutil.Process(client).children()
        servers = [child for child in of_client if "forkserver" in " ".join(child.cmdline())]
        spawned = [child for child in of_client if "spawn_main" in " ".join(child.cmdline())]
        return spawned + [worker for server in servers for worker in server.children()]
    except psutil.NoSuchProcess:
        return []


def strike(run: Command, victim: str, random: Random) -> str:
    """Kills the client, its whole group, or a worker (the client if there is none yet); returns which."""
    if victim == "worker" and (targets := workers(run.process.pid)):
        with suppress(psutil.NoSuchProcess):
            random.choice(targets).kill()
        return "worker"
    if victim == "group":
        run.signal(signal.SIGKILL)
        return "group"
    run.process.kill()
    return "client"


def to_make(err: str) -> str:
    """Returns the shards that a run found missing."""
    found = re.findall(r"^(\w+): [\d,]+ items in (\d+) shards? to make", err, re.MULTILINE)
    return " ".join(f"{stage} {shards}" for stage, shards in found) or "nothing"


@dataclass(eq=False)
class Kill:
    """A row of the table."""

    at_s: float
    """Seconds from the start of the run to the kill."""
    victim: str
    made: str = ""
    """What the next run had to make; for a worker, the message of its own run."""
    next_s: float = 0.0
    """Seconds of that run, until its end or the next kill."""


def draw(whole_s: float, random: Random) -> list[Kill]:
    """Draws a moment from each slice of an undisturbed run (scan to last `finish`), and the process to kill."""
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    random.shuffle(victims)
    return [Kill(whole_s * (n + random.random()) / KILLS, victim) for n, victim in enumerate(victims)]


def choose(waiting: list[Kill], *, fresh: bool) -> list[Kill]:
    """Returns the kills for one run, in order: those of workers, then one that ends the run.

    The last one is the latest for a run from the start, and the earliest for a run that continues and will be short.
    """
    fatal = sorted((kill for kill in waiting if kill.victim != "worker"), key=lambda kill: kill.at_s)
    last = fatal[-1:] if fresh else fatal[:1]
    before = [kill for kill in waiting if kill.victim == "worker" and all(kill.at_s < one.at_s for one in last)]
    return sorted(before, key=lambda kill: kill.at_s) + last


def disturb(run: Command, chosen: list[Kill], random: Random) -> list[Kill]:
    """Kills at the chosen moments until the client is dead or done; returns the kills."""
    done: list[Kill] = []
    for kill in chosen:
        while run.seconds < kill.at_s and run.process.poll() is None:
            time.sleep(0.005)
        if run.process.poll() is not None:
            break
        kill.at_s, kill.victim = run.seconds, strike(run, kill.victim, random)
        done.append(kill)
        if kill.victim != "worker":
            break
    return done


def test_kills(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random, out, sources = Random(SEED), tmp_path / "dataset", snapshot(clips)
    shared = ("run", clips, "--jobs", 2, *EMBEDDED, "--out")
    with command(tmp_path, *shared, tmp_path / "whole") as run:
        whole = run.end()
    assert whole.code == 0, whole.err
    expected = digests(tmp_path / "whole")
    waiting, table, ends = draw(whole.seconds, random), [], 0
    while waiting or out.exists():
        fresh = not out.exists()
        with command(tmp_path, *shared, out) as run:
            done = disturb(run, choose(waiting, fresh=fresh), random)
            killed = bool(done) and done[-1].victim != "worker"
            ended = run.end()
        waiting = [kill for kill in waiting if kill not in done]
        for kill in [*([] if fresh else table[-1:]), *(kill for kill in done if kill.victim == "worker")]:
            kill.made, kill.next_s = to_make(ended.err), ended.seconds
        table += done
        if killed:
            assert ended.code == -signal.SIGKILL, ended.err
            continue
        assert ended.code == 0, ended.err
        assert digests(out) == expected
        assert not leftovers(out)
        shutil.rmtree(out)
        ends += 1
        if fresh and not done:  # faster than the one that was measured: the moments would never come
            for kill in waiting:
                kill.at_s *= 0.97 * min(1.0, ended.seconds / whole.seconds)
    assert snapshot(clips) == sources
    if "FAULTS_KILLS" in os.environ:
        with capsys.disabled():
            show(
                table, f"an undisturbed run takes {whole.seconds:.1f} s; {ends} runs came to their end, all bytes equal"
            )


def show(table: list[Kill], title: str) -> None:
    print(f"\n{title}\n{'kill':>4}  {'at s':>5}  {'victim':<7} {'next s':>6}  the next run had to make (shards)")
    for number, kill in enumerate(table, start=1):
        print(f"{number:>4}  {kill.at_s:5.1f}  {kill.victim:<7} {kill.next_s:6.1f}  {kill.made}")


def test_a_worker_that_dask_has_given_up_is_replaced(copy: Path, reference: dict[str, str]) -> None:
    shutil.rmtree(copy / "g2p")
    # A spawned worker is back later than Dask waits for it; a forked one may be back in time.
    hasty = {
        "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1 ms",
        "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "spawn",
        **poison(SLOW_S=0.5),
    }
    with command(copy.parent, "g2p", "--out", copy, "--jobs", 1, **hasty) as run:
        run.until("to make")
        strike(run, "worker", Random(SEED))
        ended = run.end()
    assert ended.code == 0, ended.err
    assert "a worker died" in ended.err
    assert digests(copy) == reference
    assert not leftovers(copy)
