"""The simulation of sleeping workers, and the benchmark of a million recordings, on few."""

from pathlib import Path

import pytest

from pipeline.bench import million, sleeping
from pipeline.bench.sleeping import SleepingCluster, answer, work
from stages.artefacts import disk, manifest


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_workers_sleep_at_once(tmp_path: Path, workers: int) -> None:
    cluster = SleepingCluster(workers, 100, 0.0)
    work(cluster, tmp_path, 100, 64, answer)
    ideal_s = 64 * 100 * sleeping._SECONDS_AN_ITEM / workers
    assert ideal_s <= cluster.wall_s <= ideal_s + cluster.client_s + 100 * sleeping._SECONDS_AN_ITEM / 10
    assert 0 < cluster.client_s < cluster.wall_s


def test_a_slow_client_is_told(tmp_path: Path) -> None:
    cluster = SleepingCluster(64, 1, 10.0)
    work(cluster, tmp_path, 1, 64, answer)
    assert cluster.client_s >= 640
    assert cluster.client_s / cluster.wall_s > 0.99


def test_a_dataset_of_stand_ins_has_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(million, "_SPEAKERS", 3)
    for module in (disk, manifest):
        monkeypatch.setattr(module, "sync", lambda _: None)  # no power fails here, and disks are slow
    million.write_voices(tmp_path / "voices", 40)
    million.fill(tmp_path / "voices", tmp_path / "dataset")
    assert million.scan_and_plan(str(tmp_path / "voices"), str(tmp_path / "dataset")) == 0
    million.write_files(tmp_path / "voices", [40])
    assert million.scan_and_plan(str(tmp_path / "voices"), str(tmp_path / "dataset")) == 1
    assert million.slope(2.0, 20.0, (10, 1000)) == pytest.approx(0.5)
