"""`--help` of both programs and of all their commands: it answers, and loads nothing heavy.

Times are printed, not asserted: `pytest tests/test_help.py -rP -n 0`.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module

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
import sys
from {module} import main
sys.argv = {argv}
try:
    main()
finally:
    print("LOADED", *({heavy} & sys.modules.keys()))
"""


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


@pytest.mark.parametrize("command", all_commands(), ids=lambda command: " ".join(command[1:]))
def test_help_answers_and_loads_nothing_heavy(command: tuple[str, ...]) -> None:
    module, *argv = command
    script = SHOW_HELP.format(module=module, argv=[*argv, "--help"], heavy=set(HEAVY))
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    print(f"{' '.join(argv)} --help: {time.perf_counter() - start:.2f} s")
    assert done.returncode == 0, done.stderr
    *shown, loaded = done.stdout.splitlines()
    assert "Usage:" in shown[0] + shown[1]
    assert loaded == "LOADED", f"`{' '.join(argv)} --help` must import none of these"
