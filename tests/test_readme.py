"""The README is true: its tree is the tree on the disk, its commands and options exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

import model.cli
import pipeline.cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = {"valle-prep": pipeline.cli.app, "valle": model.cli.app}


def tree() -> set[str]:
    """Returns the paths that the README's tree names."""
    block = next(
        block
        for block in re.findall(r"^```\w*\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
        if block.startswith("pipeline/")
    )
    paths, folder = set(), ""
    for line in block.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
        paths.add(name if folder == name else f"{folder}{name}")
    return paths


def test_the_tree_is_the_one_on_the_disk() -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pipeline", "stages", "model")
        for path in (ROOT / folder).glob("*.py")
        if path.name != "__init__.py"
    }
    assert {path for path in tree() if path.endswith(".py")} == modules
    assert all((ROOT / path).exists() for path in tree())


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_and_option_it_shows_exists(program: str) -> None:
    commands = get_command(PROGRAMS[program]).commands  # type: ignore[attr-defined]
    shown = re.findall(rf"(?:^|[ `/]){program} ([a-z0-9]+)([^\n`#]*)", README, re.MULTILINE)
    assert shown
    for name, rest in shown:
        assert name in commands, f"{program} {name}"
        flags = {flag for option in commands[name].params for flag in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= flags, f"{program} {name} {rest}"


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"^[A-Z]+_[A-Z_]+$|DEMO_|BENCH_|RUN_OUTPUT|EMBEDDED_STOI", README, re.MULTILINE)


def test_the_sections_it_names_are_keys() -> None:
    from pipeline.config import PrepConfig

    for section, key in re.findall(r"`(transcribe|slice|g2p|encode|hdf5|metadata|similar)\.([a-z_0-9]+)`", README):
        assert key in type(getattr(PrepConfig(), section)).model_fields, f"{section}.{key}"
