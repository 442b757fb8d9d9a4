"""Sums up what was taken out of the texts of a dataset. `transcribe` writes it when all its shards are sealed."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stages.artefacts.disk import write_text
from stages.artefacts.formats import rows_of
from stages.records import Taken

TAKEN = "taken.json"
"""Beside the shards of `transcribe`: what was taken out of the texts, by kind, with the most frequent examples."""
_EXAMPLES = 20


def write_taken(folder: Path, shards: Sequence[str]) -> list[Taken]:
    """Writes the summary, and returns it: one entry a kind, its examples most frequent first."""
    counts: Counter[str] = Counter()
    examples: dict[str, Counter[str]] = {}
    for row in rows_of(folder, shards):
        for taken in map(Taken.from_json, row.get("taken", ())):
            counts[taken.kind] += taken.count
            examples.setdefault(taken.kind, Counter()).update(taken.examples)
    found = [
        Taken(kind, count, tuple(sorted(of, key=lambda text: (-of[text], text))[:_EXAMPLES]))
        for kind, count in sorted(counts.items())
        for of in [examples[kind]]
    ]
    write_text(folder / TAKEN, json.dumps([taken.to_json() for taken in found], ensure_ascii=False, indent=1) + "\n")
    return found


def read_taken(folder: Path) -> list[Taken]:
    """Reads the summary in a stage's folder; empty if there is none, as in datasets of before."""
    try:
        return [Taken.from_json(row) for row in json.loads((folder / TAKEN).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def in_one_line(found: Sequence[Taken]) -> str:
    """Returns the summary for a log: counts, with some examples."""
    return "; ".join(
        f"{taken.kind} {taken.count:,}" + (f" ({', '.join(taken.examples[:3])})" if taken.examples else "")
        for taken in found
    )
