"""`--help` of both programs and of all their commands: it answers, and loads nothing heavy.

`python -m pipeline.bench.stages startup` measures how long it takes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby

import pytest
import typer

HEAVY = (
    "torch",
    "torchaudio",
    "dask",
    "distributed",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "h5py",
    "librosa",
    "soundfile",
    "gradio",
    "jinja2",
    "rapidfuzz",
)

SHOW_HELP = """
import json, os, sys, traceback
from {module} import main

for argv in json.load(sys.stdin):
    sys.stdout.flush()
    if os.fork() == 0:
        sys.argv = argv
        try:
            code = main() or 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            code = traceback.print_exc(file=sys.stdout) or 1
        print("LOADED", *({heavy} & sys.modules.keys()), flush=True)
        os._exit(code)
    print("ENDED", os.waitstatus_to_exitcode(os.wait()[1]))
"""
"""Shows the help of each command in a process of its own, forked from one that has loaded nothing but the program."""


def commands(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))


def all_commands() -> list[tuple[str, ...]]:
    programs = {"valle-prep": "pipeline.cli", "valle": "model.cli"}
    return [
        (module, *words)
        for program, module in programs.items()
        for words in commands(typer.main.get_command(import_module(module).app), (program,))
    ]


@pytest.fixture(scope="module")
def shown() -> dict[tuple[str, ...], list[str]]:
    """What each command prints, the heavy modules it has loaded, and how it ended."""
    found = {}
    for module, told in groupby(all_commands(), key=lambda command: command[0]):
        argvs = [[*argv, "--help"] for _, *argv in told]
        script = SHOW_HELP.format(module=module, heavy=set(HEAVY))
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, input=json.dumps(argvs), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = iter(done.stdout.splitlines())
        for argv in argvs:
            found[module, *argv[:-1]] = list(iter(lines.__next__, "ENDED 0"))
    return found


@pytest.mark.parametrize("command", all_commands(), ids=lambda command: " ".join(command[1:]))
def test_help_answers_and_loads_nothing_heavy(
    command: tuple[str, ...], shown: dict[tuple[str, ...], list[str]]
) -> None:
    *lines, loaded = shown[command]
    assert "Usage:" in lines[0] + lines[1], lines
    assert loaded == "LOADED", f"`{' '.join(command[1:])} --help` must import none of these"
