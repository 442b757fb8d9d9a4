"""`valle-prep plan`: figures by hand, where each rate comes from, and what isn't known."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import PrepConfig
from pipeline.dataset.folder import Dataset
from pipeline.runner.estimate import Estimate
from pipeline.runner.plan import MISSING
from pipeline.verbs.planning import StageCost, Wanted, parse_rates, plan
from stages.config import load_config
from stages.errors import UsageError
from tests.pipeline.conftest import prep


def planned(folder: Path, *sets: str, **wanted: Any) -> dict[str, StageCost]:
    config = load_config(PrepConfig, None, sets)
    return {cost.stage: cost for cost in plan(Wanted(**wanted), config, Dataset(folder, folder))}


def test_the_figures_by_hand(tmp_path: Path) -> None:
    found = planned(tmp_path, "encode.codec=embedded", hours=1000, workers=64, recording_s=900.0, kbit_s=128.0)
    encode = found["encode"]
    assert encode.items == 1000 * 3600 / 5
    assert encode.shards == 64, "4,000 recordings, at most 64 each"
    assert encode.worker_hours == pytest.approx(1000 / 70.9)
    assert encode.wall_hours == pytest.approx(1000 / 70.9 / 64)
    assert encode.written_bytes == encode.items * 18_000
    assert encode.read_bytes == 1000 * 3600 * 128 * 125 + found["g2p"].written_bytes
    assert found["transcribe"].items == found["slice"].items == 4000
    assert {cost.gpu_hours for cost in found.values()} == {0.0}


def test_workers_without_a_shard_help_nobody(tmp_path: Path) -> None:
    times = [
        planned(tmp_path, "encode.codec=embedded", hours=1000, workers=workers, recording_s=900.0)["encode"].wall_hours
        for workers in (32, 48, 64, 1000)
    ]
    assert times[0] == pytest.approx(2 * (times[2] or 0))
    assert times[1] == times[0], "64 shards take 48 workers two rounds"
    assert times[3] == times[2]


def test_gpus_hear_and_encode(tmp_path: Path) -> None:
    half = planned(tmp_path, hours=700, workers=8, gpus=4, heard=0.5, rates={"encode": 350.0})
    texts = 700 * 3600 / 5 / 2 * 0.0043 / 3600
    assert half["transcribe"].gpu_hours == pytest.approx(350 / 70 + texts)
    assert half["encode"].gpu_hours == half["encode"].worker_hours == pytest.approx(2)
    assert half["slice"].gpu_hours == 0


@pytest.mark.parametrize(
    ("wanted", "stage"),
    [({"gpus": 1}, "encode"), ({"heard": 1.0}, "transcribe")],
)
def test_what_nobody_measured_is_not_known(tmp_path: Path, wanted: dict[str, Any], stage: str) -> None:
    cost = planned(tmp_path, hours=1, workers=1, **wanted)[stage]
    assert cost.worker_hours is None
    assert cost.wall_hours is None
    assert cost.gpu_hours == (None if "gpus" in wanted else 0)
    assert f"--rate {stage}=X" in cost.source
    assert cost.written_bytes > 0


def test_rates_of_the_dataset_come_first(tmp_path: Path) -> None:
    done = SimpleNamespace(
        todo=[SimpleNamespace(inputs=50, why=MISSING, previous=())] * 8,
        last_recording=None,
        stage=SimpleNamespace(name="g2p"),
    )
    Estimate(tmp_path).learn(done, 20.0, workers=4)  # type: ignore[arg-type]
    assert Estimate(tmp_path).worker_seconds("g2p") == pytest.approx(0.2)
    assert Estimate(tmp_path).worker_seconds("slice") is None
    cost = planned(tmp_path, hours=5, workers=1)["g2p"]
    assert cost.source == "measured on this dataset"
    assert cost.worker_hours == pytest.approx(3600 * 0.2 / 3600)
    Estimate(tmp_path).learn(done, 20.0, workers=100)  # type: ignore[arg-type]
    assert Estimate(tmp_path).worker_seconds("g2p") == pytest.approx(0.4), "eight shards keep eight workers busy"


@pytest.mark.parametrize("text", ["encode", "encode=fast", "encode=0", "encode=-1", "encode=inf", "nothing=3", "=1"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="STAGE=X"):
        parse_rates([text])
    assert parse_rates(["encode=100", "g2p=2.5"]) == {"encode": 100.0, "g2p": 2.5}


@pytest.mark.parametrize("wrong", [["--hours", "0"], ["--hours", "nan"], ["--hours", "1", "--heard", "2"]])
def test_wrong_figures_are_usage_errors(tmp_path: Path, wrong: list[str]) -> None:
    assert prep("plan", *wrong, "--out", tmp_path / "none") == 2


def test_as_json_and_as_a_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("plan", "--hours", 100_000, "--workers", 256, "--out", tmp_path / "none")
    assert prep(*arguments, "--json", "--set", "encode.codec=embedded") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["total"]["wall_hours"] == pytest.approx(sum(stage["wall_hours"] for stage in found["stages"]))
    assert prep(*arguments, "--gpus", 8) == 0
    table = capfd.readouterr().err
    assert "encode: not known" in table
    assert not (tmp_path / "none").exists()


def test_the_library_s_own_codes_take_longer(tmp_path: Path) -> None:
    fast, exact = (
        planned(tmp_path, "encode.codec=dac", f"encode.exact={way}", hours=10, workers=1)["encode"].worker_hours
        for way in ("false", "true")
    )
    assert fast
    assert exact
    assert exact == pytest.approx(fast * 2.71 / 0.68)
