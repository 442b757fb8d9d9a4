"""Reads the receipts of a stage's shards, and whether the shards' files match them.

A million recordings have thousands of receipts, and each has files whose checksums are looked up. Once all of them were
found whole, they are kept together in the dataset's cache, with a hash of the names and stamps of all files beside
them. As long as that hash is the same, no receipt and no file there came, went or changed, and they aren't read again.
Stamps are trusted as in `pipeline.dataset.digests`; a note that is damaged, or of another version, is read over.
"""

import json
import sqlite3
import time
from hashlib import sha256
from pathlib import Path

from pipeline.dataset.digests import DigestCache, is_whole
from pipeline.dataset.listing import folder_digest
from stages.artefacts.manifest import LAYOUT, Receipt, digest_of, list_shards, read_receipt

SETTLED_S = 2.0
"""A file written this short a time before its stamp was taken may change again and keep the stamp: the clocks of file
systems tick, the slowest every two seconds."""
_WRITTEN = digest_of([LAYOUT, *Receipt.__dataclass_fields__])
"""Identifies the format of receipts: another version of this program may write them differently."""


class Receipts:
    """The receipts in one folder, as they are when this is made.

    Args:
        folder: A stage's folder.
        cache: Known checksums; the receipts are kept there, too.
    """

    def __init__(self, folder: Path, cache: DigestCache) -> None:
        self._folder, self._cache = folder, cache
        self._note = f"receipts of {folder.name}"
        looked_ns = time.time_ns()
        digest, newest_ns = folder_digest(str(folder))  # before anything is read: what changes later is found next time
        self._seen = digest_of([_WRITTEN, digest]) if digest else ""
        self._settled = looked_ns - newest_ns > SETTLED_S * 1e9
        self._kept = self._recall()
        self._lines: dict[str, str] = {}
        self.shards = list(self._kept) or list_shards(folder)
        """The names of the shards that have a receipt, sorted."""

    def read(self, shard: str, *, verified: bool = False) -> tuple[Receipt | None, bool]:
        """Returns a shard's receipt, None if it is missing or damaged, and whether the shard's files match it.

        Args:
            shard: Its name.
            verified: Whether its files were found whole by this run: then they aren't checked again.
        """
        if line := self._kept.get(shard):
            return Receipt.from_json(json.loads(line)), True
        receipt = read_receipt(self._folder, shard)
        whole = receipt is not None and (verified or is_whole(self._folder, receipt, self._cache))
        if receipt and whole and self._settled and not verified:
            self._lines[shard] = json.dumps(receipt.to_json(), separators=(",", ":"))
        return receipt, whole

    def keep(self) -> None:
        """Keeps the receipts for the next run, if all were read and were whole."""
        if self._kept or not self._seen or not self._lines or sorted(self._lines) != self.shards:
            return
        body = "\n".join(f"{shard} {self._lines[shard]}" for shard in self.shards)
        try:
            self._cache.take_note(self._note, f"{self._seen} {_sum(body)} {body}")
        except sqlite3.DatabaseError:
            self._cache.forget()

    def _recall(self) -> dict[str, str]:
        """Returns the receipts that were kept, as JSON by shard, if nothing has changed since; {} otherwise."""
        try:
            seen, checksum, body = self._cache.note(self._note).split(" ", 2)
        except ValueError:  # no note
            return {}
        except sqlite3.DatabaseError:
            self._cache.forget()
            return {}
        if seen != self._seen or checksum != _sum(body):
            return {}
        return dict(line.split(" ", 1) for line in body.split("\n"))


def _sum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
