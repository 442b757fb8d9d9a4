"""Writes cards: Markdown with a YAML front matter, as the Hugging Face hub reads them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def card(front: Mapping[str, Any], body: str) -> str:
    """Returns a card; empty values are left out of the front matter."""
    import yaml

    kept = {key: value for key, value in front.items() if value}
    return f"---\n{yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)}---\n{body.strip()}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table; "" if it has no rows."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines])


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")


def reasons(left_out: Mapping[str, Mapping[str, int]]) -> str:
    """Returns what was left out in a table, by stage and reason; "" if nothing was."""
    rows = [(stage, reason, count) for stage, counts in left_out.items() for reason, count in counts.items()]
    return table(["stage", "reason", "left out"], rows)


def size_category(rows: int) -> str:
    """Returns the hub's name for a number of rows, such as `1K<n<10K`."""
    bounds = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    for number, bound in enumerate(bounds):
        if rows < bound:
            return f"n<{names[0]}" if not number else f"{names[number - 1]}<n<{names[number]}"
    return "1B<n<10B"
