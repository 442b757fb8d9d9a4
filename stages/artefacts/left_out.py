"""Counts what the stages of a dataset left out."""

from collections import Counter
from pathlib import Path

from stages.artefacts.manifest import list_shards, read_receipt


def left_out(dataset: Path) -> dict[str, dict[str, int]]:
    """Returns how many items each stage filtered or rejected, by reason; {} if nothing was, or there is no dataset."""
    found: dict[str, dict[str, int]] = {}
    for folder in sorted(path for path in dataset.glob("*") if path.is_dir()):
        counts: Counter[str] = Counter()
        for shard in list_shards(folder):
            if receipt := read_receipt(folder, shard):
                counts.update(receipt.filtered)
                counts.update(receipt.rejected)
        if counts:
            found[folder.name] = dict(sorted(counts.items()))
    return found
