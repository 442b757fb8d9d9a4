"""What a command prints of a few values."""

import json
from collections.abc import Mapping

import typer

Values = Mapping[str, float | int | str | list[str]]


def show(values: Values, as_json: bool) -> None:
    """Prints values in lines, or as JSON."""
    typer.echo(json.dumps(values, ensure_ascii=False) if as_json else in_lines(values))


def in_lines(values: Values) -> str:
    """Returns a line for each value, names and values in two columns."""
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {_in_words(value)}" for name, value in values.items())


def _in_words(value: float | str | list[str]) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:,}"
