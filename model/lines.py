"""What a command prints of a few values."""

from collections.abc import Mapping

Values = Mapping[str, float | int | str | list[str]]


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
