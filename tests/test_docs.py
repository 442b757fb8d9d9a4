"""The README and docs/ are true: links lead somewhere, what they show exists, and the tables are those of the code."""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
ALL = "\n".join(TEXTS.values())
PACKAGES = ("pipeline", "stages", "model")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("valle_docs", ROOT / ".setup" / "docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


DOCS = _generator()


def _slug(heading: str) -> str:
    """Returns the anchor that GitHub gives a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(text: str) -> set[str]:
    return {_slug(heading) for heading in re.findall(r"^#+ (.+)$", _without_code(text), re.MULTILINE)}


def _code_blocks(text: str) -> str:
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 12_000


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_said_twice_or_left_to_be_said(name: str) -> None:
    """A page that is put together wrongly has a part twice, or the mark where one was to come."""
    text = _without_code(TEXTS[name])
    assert "@@" not in text
    parts = [part for part in re.split(r"\n\s*\n", text) if len(part) > 200]
    assert not {part[:80] for part in parts if parts.count(part) > 1}


def test_it_counts_the_languages() -> None:
    count = len(DOCS.LANGUAGES)
    counted = f"| {count}, by espeak-ng" in TEXTS["README.md"]
    assert counted, f"write {count} in README's row Languages"


@pytest.mark.parametrize("page", PAGES)
def test_its_lines_are_short(page: str) -> None:
    assert [line for line in TEXTS[page].splitlines() if len(line) > 125 and not line.startswith("|")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _without_code(TEXTS[page]))
    for link in (link for link in links if not link.startswith(("http://", "https://"))):
        path, _, anchor = link.partition("#")
        target = (PAGES[page].parent / path).resolve() if path else PAGES[page]
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_in_the_index() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", TEXTS["docs/README.md"])) == pages


def _tree() -> set[str]:
    """Returns the folders that the README's tree names, by their indentation."""
    block = next(
        b
        for b in re.findall(r"^```\w*\n(.*?)^```$", TEXTS["README.md"], re.DOTALL | re.MULTILINE)
        if b.startswith("pip")
    )
    folders, above = set(), [""]
    for line in block.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0].rstrip("/")
        above[depth + 1 :] = [f"{above[depth]}{name}/"]
        folders.add(above[-1].rstrip("/"))
    return folders


def test_the_tree_is_the_one_on_the_disk() -> None:
    found = {
        re.sub("(?<=/spoken/languages)/.*", "", path.parent.relative_to(ROOT).as_posix())  # one of each language
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert {folder for folder in _tree() if folder.split("/")[0] in PACKAGES} == found


def test_the_tree_names_the_top_level_folders() -> None:
    assert {folder for folder in _tree() if "/" not in folder} == {
        *PACKAGES,
        "configs",
        "docs",
        "tests",
        "findings",
        ".setup",
        ".ci",
    }
    assert all((ROOT / folder).is_dir() for folder in _tree() if "/" not in folder)


@pytest.mark.parametrize("program", DOCS.PROGRAMS)
def test_every_command_and_option_it_shows_exists(program: str) -> None:
    commands = DOCS.commands(program)
    shown = re.findall(rf"(?:^|[ `/]){program} ([a-z0-9]+)([^\n`#]*)", ALL, re.MULTILINE)
    assert {name for name, _ in shown} == set(commands)
    for name, rest in shown:
        flags = {flag for option in commands[name].params for flag in (*option.opts, *option.secondary_opts)}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= flags, f"{program} {name} {rest}"


def test_every_option_it_names_exists() -> None:
    """Options that stand alone in back-ticks, such as `--guidance`, are of some command."""
    others = {
        "--help",
        "--evaluate",
        "--nthreads",
        "--resources",
        "--qos",
        "--gres",
        "--constraint",
    }  # of Dask, Slurm …
    flags = {
        flag
        for program in DOCS.PROGRAMS
        for command in DOCS.commands(program).values()
        for option in command.params
        for flag in (*option.opts, *option.secondary_opts)
    }
    assert set(re.findall(r"`(--[a-z-]+)", ALL)) - flags - others == set()


def test_every_target_of_make_it_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z0-9]+)", ALL, re.MULTILINE)) <= targets


def test_every_module_it_runs_exists() -> None:
    for name in set(re.findall(r"python -m ((?:pipeline|stages|model)[\w.]*)", ALL)):
        assert importlib.util.find_spec(name) is not None, name


def test_every_configuration_it_names_exists() -> None:
    assert all((ROOT / name).is_file() for name in re.findall(r"\bconfigs/\w+\.yaml\b", ALL))


_SUFFIXES = frozenset({"py", "csv", "tsv", "jsonl", "json", "h5", "parquet", "yaml", "safetensors"})


def test_every_key_it_names_exists() -> None:
    sections = {name: kind for name, kind in DOCS.sections().items() if name != "slurm"}
    named = re.findall(rf"\b({'|'.join(sections)})\.([a-z][a-z_0-9]*)\b(?![/(])", ALL)
    modules = {key for section, key in named if section == "model" and importlib.util.find_spec(f"model.{key}")}
    keys = [
        (section, key) for section, key in named if key not in _SUFFIXES and (section != "model" or key not in modules)
    ]
    assert keys
    for section, key in keys:
        assert key in sections[section].model_fields, f"{section}.{key}"


@pytest.mark.parametrize("page", PAGES)
def test_its_tables_are_those_of_the_code(page: str) -> None:
    assert DOCS.render(TEXTS[page]) == TEXTS[page], "run `make docs`"


def test_every_section_and_command_has_its_table() -> None:
    blocks = set(re.findall(r"<!-- ((?:keys|options): .*?) -->", ALL))
    assert {f"keys: {section}" for section in DOCS.sections()} <= blocks
    for program in DOCS.PROGRAMS:
        assert {f"options: {program} {name}" for name in DOCS.commands(program)} <= blocks


def test_every_key_says_what_it_means() -> None:
    for section, kind in DOCS.sections().items():
        meanings = kind.meanings()
        for key in kind.model_fields:
            assert meanings.get(key), f"{section}.{key}"


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("pipeline", "stages"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield node.func.id, node


def _reason(name: str, call: ast.Call) -> Any:
    at = {"Reject": 1, "Filtered": 1, "Rule": 1, "AudioError": 1}.get(name)
    given = call.args[at] if at is not None and len(call.args) > at else None
    return given.value if isinstance(given, ast.Constant) else None


def test_every_reason_is_explained() -> None:
    """What a row is filtered or rejected for stands in the table of reasons."""
    reasons = {reason for name, call in _calls() if (reason := _reason(name, call))}
    assert {"NoTranscript", "TooShort", "Truncated", "Noisy"} <= reasons
    explained = set(re.findall(r"^\| `([A-Z]\w+)` \|", TEXTS["docs/troubleshooting.md"], re.MULTILINE))
    assert reasons <= explained, sorted(reasons - explained)
