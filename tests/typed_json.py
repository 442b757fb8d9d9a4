"""What a `--json` may not do: give a number, a truth value or nothing as a string."""

import re
from collections.abc import Iterator
from typing import Any

LOOKS_TYPED = re.compile(r"true|false|null|none|nan|[+-]?(\d[\d,_]*\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def quoted(value: Any, path: str = "") -> Iterator[str]:
    """Yields where a string stands that reads as a number, a truth value or nothing."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from quoted(part, f"{path}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from quoted(part, path)
    elif isinstance(value, str) and LOOKS_TYPED.fullmatch(value):
        yield f"{path}={value}"
