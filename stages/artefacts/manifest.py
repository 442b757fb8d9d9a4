"""The shards that a stage writes, and the receipts that prove them complete.

A stage writes its shards to `<dataset>/<stage>/`. A shard has one or more files of outputs (its parts), a file of the
items left out, and a receipt: the fingerprint of its inputs, the counts, and the length and checksum of every file.
The receipt is written last and renamed into place. That rename commits the shard: without a valid receipt it doesn't
count as written.

    00003-of-00016.rows.jsonl   a part: the outputs
    00003-of-00016.out.jsonl    the filtered and rejected items, with reasons
    00003-of-00016.items.jsonl  the fingerprint of each input item, to reuse finished rows in a later run
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
"""Version of the layout on disk. It is part of every fingerprint."""
_CHECK = "check"
"""The key under which a sealed record stores its own checksum."""


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
    """Hash of the inputs' content, the parameters that matter, the stage's version and the revision of its weights."""
    upstream: str
    """Digest of the shard that the items came from; "" if they came from outside the dataset."""
    inputs: int
    """Input items."""
    pieces: int
    """`outputs` + the sums of `filtered` and `rejected`; equal to `inputs` in one-to-one stages."""
    outputs: int
    filtered: dict[str, int]
    """Counts by reason."""
    rejected: dict[str, int]
    """Counts by reason."""
    audio_s: float
    """Seconds of audio in the outputs; 0 if they hold none."""
    files: dict[str, FileSeal]
    """Seals by file suffix."""

    @property
    def digest(self) -> str:
        """Hash of the outputs' content; the next stage's fingerprint is computed from it."""
        parts = sorted((name, seal.sha256) for name, seal in self.files.items() if name not in _ASIDE)
        return digest_of(parts)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values."""
        data = Record.to_json(self)
        return {**data, "files": {name: seal.to_json() for name, seal in self.files.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds a receipt with its seals from JSON values."""
        files = {name: FileSeal.from_json(seal) for name, seal in data["files"].items()}
        return cls(**{**data, "files": files})


CODEC = "codec.json"
"""The codec's identity, beside the shards of `encode`."""
NOT_KNOWN = "not known"
"""The licence of a codec's weights whose origin isn't known."""
EMBEDDINGS = "embeddings.npy"
"""The codebooks' vectors, `[K, V, D]` float32, beside the shards of `encode`."""
COMPLETE = "stage.json"
"""The commit record of a whole stage: parameters, totals, and the checksums of the files that `finish` wrote."""
LEXICON = "lexicon.tsv"
"""The words whose phonemes were given, in the folder of `g2p`."""
METADATA = "metadata.parquet"
"""The metadata table, beside the shards of `metadata`."""
OUT, ITEMS = "out.jsonl", "items.jsonl"
_ASIDE = frozenset({OUT, ITEMS})
"""Files of a shard that don't enter its digest."""


def read_codec(dataset: Path) -> CodecIdentity:
    """Reads the identity of the codec that made a dataset's codes.

    Raises:
        MissingInputError: if it isn't written yet or is damaged.
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
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: Any) -> str:
    """Returns a JSON value as text, equal for equal values: what `digest_of` hashes."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def file_digest(path: Path | str) -> str:
    """Returns the SHA-256 of a file's content."""
    with open(path, "rb") as file:  # noqa: PTH123 (the interpreter interns the parts of every Path and never frees them)
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> FileSeal:
    """Returns a file's length and checksum."""
    return FileSeal(path.stat().st_size, file_digest(path))


def shard_index(key: str, total: int) -> int:
    """Returns a recording's shard of `total`, a power of two. It depends on the hash of its key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") * total >> 64


def shard_count(recordings: int) -> int:
    """Returns the number of shards for so many recordings: a power of two, at least 16.

    Up to 256 shards hold at most 64 recordings each on average, up to 1024 shards at most 256, more at most 1024.
    """
    least = 16
    for size, most in ((64, 256), (256, 1024)):
        count = _power_of_two(recordings, size)
        if count <= most:
            return max(least, count)
        least = most
    return max(least, _power_of_two(recordings, 1024))


def _power_of_two(recordings: int, size: int) -> int:
    """Returns the smallest power of two of shards with at most `size` recordings each on average."""
    return 1 << max(0, (recordings - 1) // size).bit_length()


def shard_name(index: int, total: int) -> str:
    """Returns the name of a shard."""
    return f"{index:05d}-of-{total:05d}"


def part_paths(folder: Path, shard: str, parts: Iterable[str]) -> dict[str, Path]:
    """Returns the paths of a shard's files by suffix."""
    return {part: folder / f"{shard}.{part}" for part in parts}


_RECEIPT = re.compile(r"\d+-of-\d+\.json")


def read_sealed(path: Path) -> dict[str, Any]:
    """Reads a file that `write_sealed` wrote; {} if it is missing, torn or altered."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = isinstance(data, dict) and data.pop(_CHECK, None) == digest_of(data)
    return data if whole else {}


def write_sealed(path: Path, data: dict[str, Any]) -> None:
    """Writes a JSON object with its own checksum, atomically."""
    write_text(path, json.dumps({**data, _CHECK: digest_of(data)}, ensure_ascii=False, indent=1) + "\n")


def read_receipt(folder: Path, shard: str) -> Receipt | None:
    """Reads a shard's receipt; None if it is missing or damaged: the shard then counts as not written."""
    try:
        receipt = Receipt.from_json(read_sealed(folder / f"{shard}.json"))
    except (TypeError, KeyError, AttributeError):
        return None
    return receipt if receipt.shard == shard else None


def list_shards(folder: Path) -> list[str]:
    """Returns the names of the shards that have a receipt, sorted."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (building a Path for each of a million files would be slow)
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in names if _RECEIPT.fullmatch(name))


def write_shard(folder: Path, receipt: Receipt, parts: Mapping[str, Path]) -> Receipt:
    """Commits a shard: seals its temporary files, moves them into place, then writes the receipt.

    The old receipt is removed first: a kill in between leaves a shard without a receipt, never one with wrong files.
    Should the power fail before this returns, the receipt may be there without a file: its checksums tell that.

    Args:
        folder: The stage's folder.
        receipt: The receipt, with `files` still empty.
        parts: The temporary path of each file, by suffix.

    Returns:
        The receipt with `files` filled in.
    """
    files = {name: seal(path) for name, path in sorted(parts.items())}
    receipt = Receipt.from_json({**receipt.to_json(), "files": {n: s.to_json() for n, s in files.items()}})
    for name, path in parts.items():
        if files[name].bytes:  # most files of a small dataset are empty, and a sync takes milliseconds
            sync(path)
    target = folder / f"{receipt.shard}.json"
    if target.exists():
        target.unlink()
        sync(folder)
    for name, path in parts.items():
        path.replace(folder / f"{receipt.shard}.{name}")
    write_sealed(target, receipt.to_json())  # syncs the folder, too
    return receipt


def remove_shard(folder: Path, shard: str) -> None:
    """Deletes a shard's files, the receipt first."""
    (folder / f"{shard}.json").unlink(missing_ok=True)
    for path in folder.glob(f"{shard}.*"):
        path.unlink(missing_ok=True)
