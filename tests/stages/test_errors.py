"""How commands end with an error: a line for people, one JSON object for programs."""

import json
import sys

import pytest
import typer

from model.cli import app as valle
from model.cli import main as run_valle
from pipeline.cli import app as valle_prep
from stages.errors import StoppedError, UsageError, run_app


def ending(error: BaseException) -> typer.Typer:
    """Returns a program whose only command raises `error`."""
    program = typer.Typer(rich_markup_mode=None, add_completion=False)

    @program.command()
    def end(text: str, as_json: bool = typer.Option(False, "--json")) -> None:
        raise error

    return program


@pytest.mark.parametrize(
    ("program", "arguments", "code", "message"),
    [
        (valle_prep, ("status", "--out", "nope"), 2, "`nope` must be a dataset"),
        (valle_prep, ("decode", "zz", "zz.wav", "--out", "nope"), 2, "`nope` must hold a store"),
        (valle_prep, ("run", "nope", "--set", "slice.mx=1"), 2, "`slice.mx` is not a known key"),
        (valle_prep, ("run", "--nope"), 2, "No such option"),
        (valle_prep, ("run",), 2, "Missing argument"),
        (valle, ("export", "nope", "out.safetensors"), 2, "`nope`"),
        (valle, ("synth", "Hello."), 2, "Missing argument '[REF] OUT'"),
        (ending(UsageError("one\ntwo")), ("-",), 2, "one\ntwo"),
        (ending(StoppedError("stopped")), ("-",), 130, "stopped"),
        (ending(KeyboardInterrupt()), ("-",), 130, "interrupted"),
    ],
)
def test_every_error_is_one_json_object(
    capsys: pytest.CaptureFixture[str], program: typer.Typer, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert run_app(program, arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert run_app(program, [*arguments, "--json"]) == code
    asked = capsys.readouterr()
    found = json.loads(asked.out)
    assert asked.err == shown.err
    assert found["exit_code"] == code
    assert message in found["error"]
    assert all(line in asked.err for line in found["error"].splitlines())


def test_no_object_is_added_to_a_commands_own_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(ending(typer.Exit(3)), ["-", "--json"]) == 3
    assert run_app(ending(UsageError("one")), ["--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_only_the_first_of_several_training_processes_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["valle", "train", "nope.yaml", "--json"])
    for rank, printed in (("0", True), ("1", False)):
        monkeypatch.setenv("LOCAL_RANK", rank)
        with pytest.raises(SystemExit) as end:
            run_valle()
        assert end.value.code == 2
        assert bool(capsys.readouterr().out) is printed
