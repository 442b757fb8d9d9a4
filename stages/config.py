"""Configuration: the base class of every section, and the one strict YAML loader.

A section is a frozen pydantic model with a docstring under each field. A field made by `runtime()`, such as a batch
size, doesn't affect the results and isn't part of any fingerprint.
"""

import difflib
import re
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from stages.errors import ConfigError

C = TypeVar("C", bound="Config")

RUNTIME = {"runtime": True}


def runtime(default: Any, **constraints: Any) -> Any:
    """Returns a field that affects how the work is done, but not its results."""
    return Field(default, json_schema_extra=dict(RUNTIME), **constraints)


class Config(BaseModel):
    """Base of every section: frozen, without unknown keys, and without conversion of text to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """Returns the docstring under each field, its parents' included, by the field's name.

        Read from the sources when documentation asks for them: pydantic would read them at every start.
        """
        import ast
        import inspect
        import textwrap

        found: dict[str, str] = {}
        for kind in reversed(cls.__mro__):
            if not issubclass(kind, Config):
                continue
            [section] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
            assert isinstance(section, ast.ClassDef)
            for line, below in pairwise(section.body):
                match line, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = inspect.cleandoc(text)
        return found

    def identity(self) -> dict[str, Any]:
        """Returns the fields that affect the results, as plain JSON values."""
        dump = self.model_dump(mode="json")
        return {name: dump[name] for name, field in type(self).model_fields.items() if not _is_runtime(field)}


class StageConfig(Config):
    """Base of the stages' sections."""

    item_timeout_s: float = runtime(600.0, ge=0)
    """Seconds that a batch may take. A slower batch is split into its items, and an item that is too slow on its own
    is rejected as `TimedOut`. 0: no limit."""


def _is_runtime(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, Mapping) and bool(extra.get("runtime"))


class _StrictLoader(yaml.SafeLoader):
    """Reads YAML 1.2 scalars (`no` is text, `3e-4` is a number); raises `ConfigError` for a repeated key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise ConfigError(f"`{key}` must be a word to be a key ({key_node.start_mark.name}).")
            if key in seen:
                mark = key_node.start_mark
                raise ConfigError(f"`{key}` is given twice ({mark.name}, line {mark.line + 1}). Keep one of the two.")
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp) for tag, regexp in resolvers if tag.rsplit(":", 1)[1] not in {"bool", "float", "int", "timestamp"}
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+.0123456789"),
)


def _parse(text: str, name: str) -> Any:
    try:
        loader = _StrictLoader(text)
        loader.name = name
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        raise ConfigError(f"{where}: not valid YAML: {error.problem}. Mend the line.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}. Mend the file.") from error


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file as nested dictionaries; {} for an empty one.

    Raises:
        ConfigError: if the file can't be read, isn't YAML, isn't a mapping, or has a repeated key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` can't be read as a configuration: {error}. Give the path of a YAML file."
        ) from error
    data = _parse(text, str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"`{path}` must hold `section: …` keys, but holds a {type(data).__name__}.")
    return data


def apply_sets(data: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Returns a copy of `data` with every `section.key=value` of `sets` applied; values are read as YAML.

    Raises:
        ConfigError: if an item has no `=`, names a key below a value, or names a key that another one names.
    """
    merged = _copy(data)
    given: dict[str, str] = {}
    for item in sets:
        path, equals, value = item.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"`--set {item}` must read `section.key=value`.")
        key = path.strip()
        if key in given:
            raise ConfigError(f"`{key}` is set twice, to `{given[key]}` and `{value}`. Keep one of the two.")
        given[key] = value
        *parents, last = key.split(".")
        level = merged
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                raise ConfigError(f"`--set {item}`: `{parent}` is a value, not a section.")
        level[last] = _parse(value, f"--set {item}")
    return merged


def _merged(base: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Returns the sections of `base`, with the keys of `data` in place of its own."""
    both = {key: {**base.get(key, {}), **value} if isinstance(value, dict) else value for key, value in data.items()}
    return {**{key: dict(value) for key, value in base.items()}, **both}


def _copy(data: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in data.items()}


def load_config(
    kind: type[C], path: Path | None = None, sets: Sequence[str] = (), *, base: Mapping[str, Any] | None = None
) -> C:
    """Builds a configuration from a YAML file and the command line.

    Args:
        kind: The configuration's class.
        path: A YAML file; None for no file.
        sets: `section.key=value` items from the command line; they override the file.
        base: Values in place of the class's defaults, as plain JSON values.

    Raises:
        ConfigError: with one line per problem: the key's path, what is wrong, the value and the file.
    """
    read = load_yaml(path) if path else {}
    file = {key: {} if value is None else value for key, value in read.items()}
    data = apply_sets(_merged(base or {}, file), sets)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = [_describe(kind, problem, sets, path) for problem in error.errors()]
        raise ConfigError("\n".join(problems)) from error


def _describe(kind: type[Config], problem: Mapping[str, Any], sets: Sequence[str], path: Path | None) -> str:
    keys = [str(part) for part in problem["loc"]]
    dotted = ".".join(keys) or kind.__name__
    source = _source(dotted, sets, path)
    if problem["type"] == "extra_forbidden":
        return f"`{dotted}` is not a known key{_nearest(kind, keys)} ({source})."
    value = problem["input"]
    shown = "a section" if isinstance(value, dict) else repr(value)
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if problem["type"] == "value_error":
        colon = "" if message.startswith("must ") else ":"
        return f"`{dotted}`{colon} {message} ({source})."
    if problem["type"] == "missing":
        return f"`{dotted}` must be given, but is missing ({source})."
    return f"`{dotted}` must be {message}, but is {shown} ({source})."


def _source(dotted: str, sets: Sequence[str], path: Path | None) -> str:
    for item in reversed(sets):
        key = item.partition("=")[0].strip()
        if f"{dotted}.".startswith(f"{key}."):
            return f"--set {key}"
    if path is None:
        return "defaults"
    line = _line_of(path, dotted.split("."))
    return f"{path}, line {line}" if line else str(path)


def _line_of(path: Path, keys: Sequence[str]) -> int | None:
    """Returns the line of the deepest of the nested `keys` that is in the file; None if the first isn't."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line = None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((k, v) for k, v in node.value if getattr(k, "value", None) == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _nearest(kind: type[Config], keys: Sequence[str]) -> str:
    """Returns a hint: the known key most similar to the last of `keys`, else all known keys of its section."""
    section: Any = kind
    for key in keys[:-1]:
        field = getattr(section, "model_fields", {}).get(key)
        section = field.annotation if field else None
    known = list(getattr(section, "model_fields", {}))
    close = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean `{'.'.join([*keys[:-1], close[0]])}`?"
    return f"; known here: {', '.join(known)}" if known else ""
