"""An item that kills, hangs or crashes its worker is found and named; its neighbours in the batch are unaffected."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import PrepConfig, build_stage
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import Dataset
from pipeline.dataset.lock import hold
from pipeline.runner.plan import plan_stage
from pipeline.runner.shard import run_shard
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import shard_index
from stages.audio import files as audio
from stages.base import Context
from tests.faults.conftest import EMBEDDED, Ended, command, digests, leftovers, poison, sync

REASONS = {"xkill": "WorkerKilled", "xnull": "WorkerKilled", "xhang": "TimedOut", "xmemory": "OutOfMemory"}
NEIGHBOURS = 63
RATE, SEGMENT_S = 8_000, 1.25
LOOSE = ("--set", "slice.join_s=0", "--set", "slice.min_s=0.5")


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recording per poison, each in its own shard, with 64 segments: one batch."""
    folder = tmp_path_factory.mktemp("lectures") / "voices"
    folder.mkdir()
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, round((NEIGHBOURS + 1) * SEGMENT_S * RATE)).astype(np.float32)
    for number, word in enumerate(REASONS):
        audio.write_wav(folder / f"{word}.wav", noise, RATE)
        texts = [f"this is sentence {n}" for n in range(NEIGHBOURS + 1)]
        texts[17 + 9 * number] = f"here comes {word} again"
        segments = [
            {"start": n * SEGMENT_S, "end": n * SEGMENT_S + 1, "text": text, "language": "en"}
            for n, text in enumerate(texts)
        ]
        (folder / f"{word}.json").write_text(json.dumps({"segments": segments}))
    assert len({shard_index(f"{word}.wav", 16) for word in REASONS}) == len(REASONS)
    return folder


@pytest.fixture(scope="module")
def sliced(lectures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sliced") / "dataset"
    assert sync("transcribe", lectures, "--out", folder) == 0
    assert sync("slice", "--out", folder, *LOOSE) == 0
    assert len(rows(folder, "slice")) == len(REASONS) * (NEIGHBOURS + 1)
    return folder


@pytest.fixture(scope="module")
def poisoned(sliced: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, Counter[str]]:
    """The dataset after g2p with all poisons, the result of the command, and how often each poison took effect."""
    root = tmp_path_factory.mktemp("poisoned")
    out, log = Path(shutil.copytree(sliced, root / "dataset")), root / "log"
    arguments = ("g2p", "--out", out, "--jobs", 2, "--set", "g2p.item_timeout_s=2", *EMBEDDED)
    with command(root, *arguments, **poison(LOG=log)) as run:
        ended = run.end()
    return out, ended, Counter(line.split()[1] for line in log.read_text().splitlines())


def rows(dataset: Path, stage: str) -> list[dict[str, object]]:
    return [row for path in sorted((dataset / stage).glob("*.rows.jsonl")) for row in read_lines(path)]


def test_the_poisoned_items_are_named_and_no_others(poisoned: tuple[Path, Ended, Counter[str]]) -> None:
    out, ended, _ = poisoned
    assert ended.code == 3, ended.err
    assert not leftovers(out)
    rejects = list(read_lines(out / "g2p" / "rejects.jsonl"))
    assert {row["path"].removesuffix(".wav"): row["reason"] for row in rejects} == REASONS
    texts = {row["id"]: row["text"] for row in rows(out, "slice")}
    assert all(row["path"].removesuffix(".wav") in texts[row["id"]] for row in rejects)
    assert all(row["message"] and f"valle-prep retry --reason {row['reason']}" in row["hint"] for row in rejects)


def test_the_neighbours_are_there(poisoned: tuple[Path, Ended, Counter[str]]) -> None:
    made = Counter(row["recording"] for row in rows(poisoned[0], "g2p"))
    assert made == {f"{word}.wav": NEIGHBOURS for word in REASONS}


def test_few_workers_die_of_them(poisoned: tuple[Path, Ended, Counter[str]]) -> None:
    effects = poisoned[2]
    assert effects["xkill"] == effects["xnull"] == 4
    assert effects["xhang"] == effects["xmemory"] == 2


def test_a_retry_without_the_poison_makes_good_for_it(
    poisoned: tuple[Path, Ended, Counter[str]], sliced: Path, tmp_path: Path
) -> None:
    honest = Path(shutil.copytree(sliced, tmp_path / "honest"))
    assert sync("g2p", "--out", honest, "--set", "g2p.item_timeout_s=2") == 0
    mended = Path(shutil.copytree(poisoned[0], tmp_path / "mended"))
    assert sync("retry", "--reason", "WorkerKilled", "--out", mended) == 3
    assert {row["reason"] for row in read_lines(mended / "g2p" / "rejects.jsonl")} == {"TimedOut", "OutOfMemory"}
    assert sync("retry", "--out", mended) == 0
    assert digests(mended) == digests(honest)


def test_what_is_sealed_is_not_made_again_when_its_result_is_lost(sliced: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(sliced, dataset)
    with hold(dataset, print) as token:
        stage = build_stage("g2p", PrepConfig(), Context(tmp_path, dataset))
        plan = plan_stage(stage, Dataset(dataset, tmp_path), DigestCache(dataset / ".digests.sqlite"))
        (dataset / "g2p").mkdir()
        job = next(plan.jobs(token))
        receipt = run_shard(job)
        sealed = (dataset / "g2p" / f"{job.shard}.json").stat()
        assert run_shard(job) == receipt
        assert (dataset / "g2p" / f"{job.shard}.json").stat() == sealed
