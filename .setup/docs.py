"""Writes the generated tables of docs/ from the code: configuration keys, command options and the code's own tables.

    python .setup/docs.py [--check]

A table replaces the text between `<!-- keys: slice -->`, `<!-- options: valle synth -->` or
`<!-- table: languages -->` and the next `<!-- end -->`. `--check` writes nothing and fails if a page is out of date.
To add a table of the code, add a row to `_TABLES`.
"""

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typer.main import get_command

import model.cli
import pipeline.cli
from model.config import TrainConfig
from pipeline.cluster.slurm import SlurmConfig
from pipeline.config import PrepConfig
from pipeline.options import Options
from stages.cleaning.table import CLEANERS
from stages.codecs.table import CODECS
from stages.config import Config
from stages.corpora.layouts.table import LAYOUTS
from stages.exchange.filelists.table import TRAINERS
from stages.exchange.table import EXPORTS
from stages.text.languages import LANGUAGES
from stages.transcripts.table import FORMATS

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {"valle-prep": pipeline.cli.app, "valle": model.cli.app}

_BLOCK = re.compile(r"(<!-- (keys|options|table): ([^\n]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
_BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}
_TYPES = {int: "int", float: "float", bool: "true or false", str: "text"}


def sections() -> dict[str, type[Config]]:
    """Returns name -> section, for all configurations."""
    found: dict[str, type[Config]] = {"slurm": SlurmConfig}
    for config in (PrepConfig, TrainConfig):
        found |= {name: field.annotation for name, field in config.model_fields.items()}  # type: ignore[misc]
    return found


def commands(program: str) -> Mapping[str, Any]:
    """Returns name -> command of `valle-prep` or `valle`."""
    found: Mapping[str, Any] = get_command(PROGRAMS[program]).commands  # type: ignore[attr-defined]
    return found


def render(page: str) -> str:
    """Returns a page with all its blocks rendered again."""

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}\n{_RENDERERS[found[2]](found[3]).strip()}\n\n{found[4]}"

    return _BLOCK.sub(block, page)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table without its empty columns."""
    all_rows = [[_cell(text) for text in row] for row in rows]
    used = [index for index, name in enumerate(head) if any(row[index] for row in all_rows)]
    lines = [[head[index] for index in used], ["---"] * len(used)]
    lines += [[row[index] for index in used] for row in all_rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Returns a text on one line, with `|` and `<` escaped for a Markdown table."""
    line = " ".join(text.split()).replace("|", r"\|")
    parts = line.split("`")  # every second part is code, where `<` needs no escape
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def _code(text: Any) -> str:
    return f"`{text}`"


def _keys(section: str) -> str:
    """Renders the keys of a configuration section."""
    kind, rows = sections()[section], []
    meanings = kind.meanings()
    own = inspect.get_annotations(kind)
    for name, field in sorted(kind.model_fields.items(), key=lambda item: item[0] not in own):
        if name == "item_timeout_s" and not meanings.get(name, "").startswith("As in"):
            continue
        extra = field.json_schema_extra
        mark = r"\*" if isinstance(extra, Mapping) and extra.get("runtime") else ""
        rows.append(
            (
                f"{_code(name)}{mark}",
                _type(field.annotation, field.metadata),
                "required" if field.is_required() else _value(field.get_default(call_default_factory=True)),
                meanings.get(name, ""),
            )
        )
    return _table(("key", "type", "default", "meaning"), rows)


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Describes a type: its choices, or its name with bounds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " ".join(_code(_plain(choice)) for choice in arguments)
    if origin in (Union, UnionType):
        return _type(next(kind for kind in arguments if kind is not NoneType), metadata)
    if origin is list:
        return "list"
    if origin is dict:
        return "mapping"
    if origin is tuple:
        return f"{len(arguments)} × {_type(arguments[0])}"
    bounds = [
        text.format(f"{getattr(rule, name):g}")
        for rule in metadata
        for name, text in _BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return f"{_TYPES[annotation]} {', '.join(bounds)}".strip()


def _value(value: Any) -> str:
    """Formats a default as in YAML."""
    return "not set" if value is None else _code(_plain(value))


def _plain(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case dict():
            return f"{{{', '.join(f'{key}: {_plain(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_plain, value))}]"
        case float() if value and abs(value) < 1e-3:
            return f"{value:g}"
    return str(value)


def _options(command: str) -> str:
    """Renders the arguments and options of `PROGRAM COMMAND`, or those that all commands of `PROGRAM` share."""
    program, _, name = command.partition(" ")
    found = commands(program)[name or "run"]
    parameters = [parameter for parameter in found.params if _is_shared(program, parameter) != bool(name)]
    return f"{_sentence(found.help)}\n\n{_parameters(parameters)}" if name else _parameters(parameters)


def _is_shared(program: str, parameter: Any) -> bool:
    return program == "valle-prep" and parameter.name in Options.__dataclass_fields__


def _parameters(parameters: Sequence[Any]) -> str:
    rows = []
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            name, default = parameter.metavar or parameter.name.upper(), ""
        else:
            name = " / ".join([*parameter.opts, *parameter.secondary_opts])
            value = parameter.default
            default = "" if value is None or value is False else _code(_plain(value))
            if parameter.required:
                default = "required"
        choices = getattr(parameter.type, "choices", ())
        kind = " ".join(_code(_plain(choice)) for choice in choices)
        rows.append((_code(name), default, kind, getattr(parameter, "help", "") or ""))
    return _table(("option", "default", "values", "meaning"), rows) if rows else ""


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def _languages() -> str:
    rows = [(_code(row.code), row.name, _code(row.espeak), row.prepare) for row in LANGUAGES.values()]
    return _table(("code", "language", "voice of espeak-ng", "besides"), rows)


def _codecs() -> str:
    rows = ((_code(name), row.summary, row.licence) for name, row in CODECS.items())
    return _table(("`encode.codec`", "what it is", "licence of its weights"), rows)


def _cleaners() -> str:
    rows = ((_code(name), row.help, row.licence) for name, row in CLEANERS.items())
    return _table(("`clean.cleaner`", "what it does", "licence"), rows)


def _layouts() -> str:
    rows = (
        (
            _code(name),
            " ".join(map(_code, row.tables)),
            "left out" if row.complete else "kept",
        )
        for name, row in LAYOUTS.items()
        if row.tables
    )
    return _table(("layout", "recognised by", "recordings that the tables don't name"), rows)


def _speakers() -> str:
    return _table(("layout", "speakers and groups"), ((_code(name), row.speakers) for name, row in LAYOUTS.items()))


def _transcripts() -> str:
    rows = (
        (name, " ".join(map(_code, row.suffixes)), " ".join(map(_code, row.within)), row.tells)
        for name, row in FORMATS.items()
    )
    return _table(("format", "suffix", "known by content in", "also holds"), rows)


def _exports() -> str:
    return _table(("format", "what it does"), ((_code(name), row.summary) for name, row in EXPORTS.items()))


def _filelists() -> str:
    rows = ((_code(name), f"{row.sample_rate} Hz", row.summary) for name, row in TRAINERS.items())
    return _table(("trainer", "waves", "lists"), rows)


def _commands(program: str) -> str:
    found = commands(program).items()
    rows = ((f"[`{program} {name}`](#{program}-{name})", _sentence(command.help)) for name, command in found)
    return _table(("command", "what it does"), rows)


_TABLES: Mapping[str, Callable[[], str]] = {
    "languages": _languages,
    "cleaners": _cleaners,
    "codecs": _codecs,
    "layouts": _layouts,
    "speakers": _speakers,
    "transcripts": _transcripts,
    "exports": _exports,
    "filelists": _filelists,
    "commands of valle-prep": lambda: _commands("valle-prep"),
    "commands of valle": lambda: _commands("valle"),
}
_RENDERERS: Mapping[str, Callable[[str], str]] = {
    "keys": _keys,
    "options": _options,
    "table": lambda name: _TABLES[name](),
}


def main(arguments: Sequence[str]) -> int:
    """Renders every page and returns the exit code."""
    stale = 0
    for path in sorted((ROOT / "docs").glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (new := render(page)) == page:
            continue
        stale += 1
        if "--check" in arguments:
            diff = difflib.unified_diff(page.splitlines(), new.splitlines(), str(path), "generated", lineterm="")
            print(*diff, sep="\n")
        else:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    return int(stale > 0 and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
