"""Finds texts that stand in more than one split: what is said in validation should never have been read in training."""

import hashlib
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

_EXAMPLES = 20


def folded(text: str) -> str:
    """Returns a text without case, punctuation and forms of letters, for comparison; as it is if nothing else is left.

    Compatible forms of a letter are the same (NFKC): full width, ligatures. Accents and vowel signs stay.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in plain)
    return " ".join(kept.split()) or text


class SharedTexts:
    """Counts the folded texts that stand in several splits. Needs 9 bytes of memory per row, and some at the end."""

    def __init__(self) -> None:
        self._hashes, self._splits = array("Q"), array("B")
        self._names: list[str] = []

    def add(self, text: str, split: str) -> None:
        """Adds a row's text."""
        if split not in self._names:
            self._names.append(split)
        self._hashes.append(_hash_of(folded(text)))
        self._splits.append(self._names.index(split))

    def found(self, rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Returns what `summary.json` says of the texts.

        Args:
            rows: Text and split of all rows again, for the examples; read only if a text stands in several splits.

        Returns:
            `different`: number of texts; `in_several_splits`: those in more than one; `utterances`: rows with these,
            by split; `examples`: the most frequent of them, each with its `text` and its rows by split.
        """
        hashes, splits = np.frombuffer(self._hashes, np.uint64), np.frombuffer(self._splits, np.uint8)
        different, text_of, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        held_in = np.zeros(len(different), np.int64)
        np.bitwise_or.at(held_in, text_of, 1 << splits.astype(np.int64))
        shared = (held_in & (held_in - 1)) != 0
        by_split = np.bincount(splits[shared[text_of]], minlength=len(self._names)).tolist() if len(hashes) else []
        places = np.flatnonzero(shared)
        most = places[np.argsort(-counts[places], kind="stable")[:_EXAMPLES]]
        return {
            "different": len(different),
            "in_several_splits": int(shared.sum()),
            "utterances": {name: n for name, n in sorted(zip(self._names, by_split, strict=False)) if n},
            "examples": _examples([int(different[place]) for place in most], rows) if len(most) else [],
        }


def warning_of(found: dict[str, Any], key: str) -> str:
    """Returns one line about texts in several splits, with a way out; "" if there are none.

    Args:
        found: What `SharedTexts.found` returned.
        key: The key that keeps equal texts together.
    """
    if not found["in_several_splits"]:
        return ""
    held = ", ".join(f"{count:,} of {split}" for split, count in found["utterances"].items())
    examples = ", ".join(f"`{one['text'][:40]}`" for one in found["examples"][:3])
    return (
        f"{found['in_several_splits']:,} of {found['different']:,} texts stand in more than one split ({held}),"
        f" such as {examples}: what is measured there was read in training. Set `{key}=text` to keep them together."
    )


def _examples(wanted: list[int], rows: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    texts: dict[int, str] = {}
    counts: dict[int, Counter[str]] = {one: Counter() for one in wanted}
    for text, split in rows:
        if (text_hash := _hash_of(folded(text))) in counts:
            texts.setdefault(text_hash, text)
            counts[text_hash][split] += 1
    return [{"text": texts[one], "splits": dict(sorted(counts[one].items()))} for one in wanted]


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
