"""Errors of the command line: one clear line and the right exit code."""

import json
from pathlib import Path

import pytest
import yaml

from pipeline.cli import app
from pipeline.config import STAGES, PrepConfig
from pipeline.options import Options
from stages.config import load_config
from tests.pipeline.conftest import EMBEDDED, RAN, prep
from tests.typed_json import quoted


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """Runs a command that must fail with `code` and one line of error, the last; returns it."""
    capsys.readouterr()
    assert prep(*arguments) == code
    *before, line = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert not [other for other in before if other.startswith(("error", "Traceback"))]
    return line


def test_every_stage_has_its_command_and_every_command_the_shared_options() -> None:
    from typer.main import get_command

    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if name in STAGES] == list(STAGES)
    for name in ("run", *STAGES, "status", "retry", "doctor", "inspect", "validate"):
        flags = {flag for option in commands[name].params for flag in option.opts}
        assert flags >= {"--out", "--config", "--set", "--scheduler", "--jobs", "--device", "--limit", "--dry-run"}
        assert flags >= {"--json", "--quiet", "--verbose", "--explain"}
        assert len(Options.__dataclass_fields__) == 12


def test_a_key_that_isn_t_there(capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path) -> None:
    line = error_of(capsys, "run", voices, "--out", tmp_path / "d", "--set", "slice.mins=2")
    assert line == "error: `slice.mins` is not a known key; did you mean `slice.min_s`? (--set slice.mins)."
    config = tmp_path / "prep.yaml"
    config.write_text(yaml.safe_dump({"encode": {"codec": "mp3"}}))
    line = error_of(capsys, "run", voices, "--out", tmp_path / "d", "--config", config)
    assert "`encode.codec` must be" in line
    assert f"({config}, line 2)" in line
    assert not (tmp_path / "d").exists()


def test_a_key_set_twice(capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path) -> None:
    twice = ("--set", "slice.min_s=1", "--set", "slice.min_s=2")
    line = error_of(capsys, "run", voices, "--out", tmp_path / "d", *twice)
    assert line == "error: `slice.min_s` is set twice, to `1` and `2`. Keep one of the two."
    assert not (tmp_path / "d").exists()


def test_explain_implies_dry_run(capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path) -> None:
    assert prep("run", voices, "--out", tmp_path / "d", "--scheduler", "sync", "--explain", *EMBEDDED) == 0
    assert not (tmp_path / "d").exists()


def test_a_folder_that_isn_t_there_or_holds_no_audio(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = error_of(capsys, "run", tmp_path / "none", "--out", tmp_path / "d", *EMBEDDED)
    assert "must be a folder of recordings, but is not there" in line
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.md").touch()
    line = error_of(capsys, "run", tmp_path / "empty", "--out", tmp_path / "d", *EMBEDDED)
    assert "must hold recordings" in line


def test_a_stage_without_its_input_names_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = error_of(capsys, "hdf5", "--out", tmp_path / "d")
    assert "valle-prep transcribe VOICES" in line


def test_a_stage_out_of_order_names_the_command(
    capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "d", "--scheduler", "sync")
    assert prep("transcribe", voices, *out, "--quiet") == 0
    assert "Run `valle-prep slice" in error_of(capsys, "g2p", *out)


def test_missing_weights_name_the_ways_out_before_any_work(
    capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path
) -> None:
    weights = ("--set", f"encode.weights={tmp_path / 'none.th'}")
    line = error_of(capsys, "run", voices, "--out", tmp_path / "d", "--scheduler", "sync", *weights, code=1)
    assert "none.th" in line
    bounds = ("--set", f"slice.dnsmos={tmp_path / 'none.onnx'}")
    line = error_of(capsys, "run", voices, "--out", tmp_path / "d", "--dry-run", "--scheduler", "sync", *bounds, code=1)
    assert "`slice.dnsmos` must be" in line
    assert not (tmp_path / "d" / "transcribe").exists()


def test_the_output_is_never_the_recordings(capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path) -> None:
    assert "never written to" in error_of(capsys, "run", voices, "--out", voices, *EMBEDDED)
    (tmp_path / "file").touch()
    assert "must be a folder" in error_of(capsys, "run", voices, "--out", tmp_path / "file", *EMBEDDED)


def test_an_unknown_device(capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path) -> None:
    line = error_of(capsys, "transcribe", voices, "--out", tmp_path / "d", "--device", "gpu")
    assert "`--device` must be auto, cpu, cuda or cuda:N, but is `gpu`" in line


def test_a_second_run_says_that_there_is_nothing_to_do(
    capsys: pytest.CaptureFixture[str], voices: Path, copy: Path
) -> None:
    assert prep("run", voices, "--out", copy, "--scheduler", "sync", *EMBEDDED) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_status_counts_what_is_there(capsys: pytest.CaptureFixture[str], dataset: Path) -> None:
    assert prep("status", "--out", dataset, "--json") == 0
    stages = {stage["stage"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    assert list(stages) == list(RAN)
    assert stages["encode"]["outputs"] == stages["hdf5"]["outputs"] > 0


@pytest.mark.usefixtures("probed_once")
def test_json_holds_numbers_and_truth_as_what_they_are(
    capsys: pytest.CaptureFixture[str], voices: Path, copy: Path, tmp_path: Path
) -> None:
    own = {
        "run": [voices, "--dry-run", *EMBEDDED],
        "status": [],
        "validate": ["--deep"],
        "retry": ["--scheduler", "sync"],
        "inspect": ["alder_01"],
        "decode": ["alder_01", tmp_path / "a.wav"],
        "export": ["lhotse", tmp_path / "l"],
        "report": [],
        "doctor": ["--scheduler", "sync"],
    }
    for command, arguments in own.items():
        prep(command, *arguments, "--out", copy, "--json")
        shown = json.loads(capsys.readouterr().out)
        assert "error" not in shown, command
        assert not [found for found in quoted(shown) if ".shard=" not in found], command


def test_the_similar_table_joins_the_metadata(dataset: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(dataset / "similar" / "similar.parquet").set_index("id")
    assert len(table) == len(pd.read_parquet(dataset / "metadata" / "metadata.parquet"))
    for row in table.itertuples():
        assert len(row.similar) == len(row.similar_score) == 1  # two clips a speaker
        assert table.loc[row.similar[0]].speaker == row.speaker
        assert row.Index not in row.similar


def test_the_configuration_round_trips() -> None:
    assert load_config(PrepConfig) == PrepConfig()


def test_optional_stages_are_left_out_until_they_are_asked_for(
    capsys: pytest.CaptureFixture[str], voices: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "d", "--scheduler", "sync")
    assert prep("run", voices, *out, *EMBEDDED[:2], "--dry-run", "--json") == 0
    planned = [row["stage"] for row in json.loads(capsys.readouterr().out)["plan"]]
    assert planned == [name for name in RAN if name != "mix"]
    assert prep("transcribe", voices, *out, "--quiet") == 0
    capsys.readouterr()
    assert prep("status", *out, "--json") == 0
    assert "mix" not in [row["stage"] for row in json.loads(capsys.readouterr().out)["stages"]]
    line = error_of(capsys, "mix", "--out", tmp_path / "d", "--scheduler", "sync", code=1)
    assert line == "error: `mix`: nothing to mix: set `mix.noise`, `mix.speech` or `mix.shift`"
    line = error_of(capsys, "mix", "--out", tmp_path / "d", "--set", "mix.noise=nowhere", code=1)
    assert "`nowhere` must be a folder of recordings, but is not there" in line
