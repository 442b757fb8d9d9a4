"""Artefacts: what a stage writes, and how one knows that it is whole.

A stage's output is a set of shards below `<dataset>/<stage>/`. A shard is one file or a few (its parts), the rows that
were left out, and a receipt: what it was made from, the counts, and the length and checksum of every file. The receipt
is written last and renamed into place: that rename is the commit, and a shard without a matching receipt isn't there.

    00003-of-00016.rows.jsonl   a part: the outputs
    00003-of-00016.out.jsonl    what was filtered or rejected, and why
    00003-of-00016.items.jsonl  the fingerprint of each input item, so that a finished row can be carried over
    00003-of-00016.json         the receipt
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stages.artefacts.disk import sync, write_text
from stages.errors import MissingInputError
from stages.records import CodecIdentity, Record

LAYOUT = 2
"""Version of the layout on disk; part of every fingerprint."""
_CHECK = "check"
"""The key of a sealed record's own checksum."""


@dataclass(frozen=True, slots=True)
class FileSeal(Record):
    """Length and checksum of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Receipt(Record):
    """The commit record of a shard."""

    stage: str
    shard: str
    fingerprint: str
    """Hash of the inputs' content, the parameters that matter, the stage's version and its weights' revision."""
    upstream: str
    """Digest of the shard that the items came from; "" where they came from outside."""
    inputs: int
    """Items taken."""
    pieces: int
    """Outcomes: `outputs` + all of `filtered` + all of `rejected`; equal to `inputs` in one-to-one stages."""
    outputs: int
    filtered: dict[str, int]
    """Counts by reason."""
    rejected: dict[str, int]
    audio_s: float
    """Seconds of audio in the outputs; 0 where they hold none."""
    files: dict[str, FileSeal]
    """By suffix."""

    @property
    def digest(self) -> str:
        """Hash of the outputs' content: what the next stage's fingerprint is made of."""
        parts = sorted((name, seal.sha256) for name, seal in self.files.items() if name not in _ASIDE)
        return digest_of(parts)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values."""
        data = Record.to_json(self)
        return {**data, "files": {name: seal.to_json() for name, seal in self.files.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the receipt and its seals."""
        files = {name: FileSeal.from_json(seal) for name, seal in data["files"].items()}
        return cls(**{**data, "files": files})


CODEC = "codec.json"
"""Beside the shards of `encode`: the identity of the codec."""
EMBEDDINGS = "embeddings.npy"
"""Beside the shards of `encode`: the codebooks' vectors, `[K, V, D]` float32."""
COMPLETE = "stage.json"
"""The commit record of a whole stage: its parameters, its totals, and the checksums of what `finish` made."""
METADATA = "metadata.parquet"
"""Beside the shards of `metadata`: the table."""
OUT, ITEMS = "out.jsonl", "items.jsonl"
_ASIDE = frozenset({OUT, ITEMS})


def read_codec(dataset: Path) -> CodecIdentity:
    """Returns the identity of the codec that made a dataset's codes.

    Raises:
        MissingInputError: if there is none yet, or it is damaged; says which command makes it.
    """
    path = dataset / "encode" / CODEC
    try:
        return CodecIdentity.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise MissingInputError(
            f"`{path}` can't be read: {why}. Run `valle-prep encode --out {dataset}` first."
        ) from error


def digest_of(value: Any) -> str:
    """Returns the SHA-256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path | str) -> str:
    """Returns the SHA-256 of a file's content."""
    with open(path, "rb") as file:  # noqa: PTH123 (the interpreter keeps the names that a Path is made of)
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> FileSeal:
    """Returns a file's length and checksum."""
    return FileSeal(path.stat().st_size, file_digest(path))


def shard_index(key: str, total: int) -> int:
    """Returns the shard, of a power of two, that a recording belongs to: by hash, whatever the other recordings are."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") * total >> 64


def shard_count(recordings: int) -> int:
    """Returns how many shards a dataset has, a power of two.

    16 at least; up to 256 they hold up to 64 recordings each, up to 1024 up to 256, and beyond that up to 1024.
    """
    least = 16
    for size, most in ((64, 256), (256, 1024)):
        count = _power_of_two(recordings, size)
        if count <= most:
            return max(least, count)
        least = most
    return max(least, _power_of_two(recordings, 1024))


def _power_of_two(recordings: int, size: int) -> int:
    """Returns how many shards of at most `size` recordings are enough, as a power of two."""
    return 1 << max(0, (recordings - 1) // size).bit_length()


def shard_name(index: int, total: int) -> str:
    """Returns the name of a shard."""
    return f"{index:05d}-of-{total:05d}"


def part_paths(folder: Path, shard: str, parts: Iterable[str]) -> dict[str, Path]:
    """Returns where a shard's files lie, by suffix."""
    return {part: folder / f"{shard}.{part}" for part in parts}


_RECEIPT = re.compile(r"\d+-of-\d+\.json")


def read_sealed(path: Path) -> dict[str, Any]:
    """Returns what `write_sealed` wrote; {} where it is missing, torn or altered: then it isn't there."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = isinstance(data, dict) and data.pop(_CHECK, None) == digest_of(data)
    return data if whole else {}


def write_sealed(path: Path, data: dict[str, Any]) -> None:
    """Writes a JSON object with its own checksum, in one atomic step."""
    write_text(path, json.dumps({**data, _CHECK: digest_of(data)}, ensure_ascii=False, indent=1) + "\n")


def read_receipt(folder: Path, shard: str) -> Receipt | None:
    """Returns a shard's receipt, or None where there is none or it can't be read (then the shard isn't there)."""
    try:
        receipt = Receipt.from_json(read_sealed(folder / f"{shard}.json"))
    except (TypeError, KeyError, AttributeError):
        return None
    return receipt if receipt.shard == shard else None


def list_shards(folder: Path) -> list[str]:
    """Returns the names of the shards that have a receipt, sorted."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (a Path for each of a million files is what would cost here)
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in names if _RECEIPT.fullmatch(name))


def write_shard(folder: Path, receipt: Receipt, parts: Mapping[str, Path]) -> Receipt:
    """Commits a shard: seals the files that lie under temporary names, moves them into place, then the receipt.

    The old receipt goes first, so that a kill in between leaves a shard that isn't there, never one that is wrong.

    Args:
        folder: The stage's folder.
        receipt: The receipt, its `files` still empty.
        parts: The temporary path of each file, by suffix.
    """
    files = {name: seal(path) for name, path in sorted(parts.items())}
    receipt = Receipt.from_json({**receipt.to_json(), "files": {n: s.to_json() for n, s in files.items()}})
    for path in parts.values():
        sync(path)
    target = folder / f"{receipt.shard}.json"
    target.unlink(missing_ok=True)
    sync(folder)
    for name, path in parts.items():
        path.replace(folder / f"{receipt.shard}.{name}")
    sync(folder)
    write_sealed(target, receipt.to_json())
    return receipt


def remove_shard(folder: Path, shard: str) -> None:
    """Removes a shard, its receipt first."""
    (folder / f"{shard}.json").unlink(missing_ok=True)
    for path in folder.glob(f"{shard}.*"):
        path.unlink(missing_ok=True)
