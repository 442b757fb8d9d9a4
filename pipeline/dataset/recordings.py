"""Scans the voices folder and writes the recordings down, shard by shard.

The scan goes through a temporary SQLite table, so a million recordings take no more memory than a thousand.
"""

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.digests import DigestCache, Stamp, is_whole, sealed_files, stamp_of
from pipeline.dataset.folder import RECORDINGS, Dataset
from pipeline.dataset.listing import listing_digest, sources_digest
from pipeline.dataset.receipts import Receipts
from stages.artefacts.formats import Rows
from stages.artefacts.manifest import (
    LAYOUT,
    Receipt,
    digest_of,
    list_shards,
    part_paths,
    read_receipt,
    remove_shard,
    shard_count,
    shard_name,
    write_shard,
)
from stages.errors import ArtefactError, UsageError
from stages.ids import id_of, path_of
from stages.records import Recording

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

Walk = Callable[[Path, Counter[str]], Iterator[Recording]]
"""Yields the recordings of a folder, without digests, and counts the other files by suffix."""
_ROWS = Rows(Recording)
_BITS = 32
"""Bits of an id's hash that choose its shard: enough for any number of shards."""


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """Counts of a scan."""

    recordings: int
    with_transcript: int
    ignored: dict[str, int]
    """Number of other files by lower-case suffix, most frequent first."""


def find_recordings(
    dataset: Dataset,
    cache: DigestCache,
    *,
    walk: Walk,
    limit: int | None,
    threads: int,
    progress: Callable[[int, int], None],
    told: Any = None,
) -> ScanCounts:
    """Scans the voices folder, computes the digests, and writes the recordings down, shard by shard.

    Args:
        dataset: The dataset to write to.
        cache: Known digests.
        walk: Lists the recordings.
        limit: Number of recordings to take, the first by id; None for all.
        threads: Files to read at a time.
        progress: Called with the number of recordings done and their total.
        told: All that `walk` depends on besides the folder, as plain JSON values: if it, the names and the stamps of
            all files and the written recordings are as after the last scan, that scan's counts are returned. None:
            the folder is always walked.

    Raises:
        UsageError: if the voices folder is missing or has no recordings, if the dataset was made from other
            recordings, or if the limit would remove some of its recordings.
    """
    # Taken before the walk: what changes meanwhile is found by the next scan.
    listing = None if told is None else listing_digest(str(dataset.voices), threads)
    seen = listing and digest_of([listing, id_of(str(dataset.voices)), told, limit, _WRITTEN, sources_digest()])
    if seen and (outcome := _unchanged(dataset, cache, seen)):
        return outcome
    with _warnings() as warned:
        try:
            outcome, state = _find(dataset, cache, walk, limit, threads=threads, progress=progress)
        except sqlite3.DatabaseError:
            cache.forget()
            outcome, state = _find(dataset, cache, walk, limit, threads=threads, progress=progress)
    if seen and state:
        counts = [outcome.recordings, outcome.with_transcript, list(outcome.ignored.items())]
        try:
            cache.take_note(_LISTED, json.dumps([seen, state, counts, warned]))
        except sqlite3.DatabaseError:
            cache.forget()
    return outcome


_LISTED = "listed"
"""Note of the last scan's listing, output, counts and warnings: if nothing has changed, nothing is walked."""


def _unchanged(dataset: Dataset, cache: DigestCache, seen: str) -> ScanCounts | None:
    """Returns the counts of the last scan, and repeats its warnings, if it saw the same and its output is intact."""
    try:
        seen_before, state, counts, warned = json.loads(cache.note(_LISTED))
    except ValueError:  # no note
        return None
    except sqlite3.DatabaseError:
        cache.forget()
        return None
    if seen_before != seen or state is None or state != _state(dataset.stage(RECORDINGS), cache):
        return None
    for name, level, message in warned:
        logging.getLogger(name).log(level, "%s", message)
    recordings, with_transcript, ignored = counts
    return ScanCounts(recordings, with_transcript, dict(ignored))


class _Warnings(logging.Handler):
    """Keeps what is logged as pairs of a level and a message."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one message, with the name of its logger."""
        self.kept.append((record.name, record.levelno, record.getMessage()))


@contextmanager
def _warnings() -> Iterator[list[tuple[str, int, str]]]:
    """Yields a list that receives what the scan warns of."""
    handler, logger = _Warnings(), logging.getLogger("stages")
    logger.addHandler(handler)
    try:
        yield handler.kept
    finally:
        logger.removeHandler(handler)


def _find(
    dataset: Dataset,
    cache: DigestCache,
    walk: Walk,
    limit: int | None,
    *,
    threads: int,
    progress: Callable[[int, int], None],
) -> tuple[ScanCounts, str | None]:
    """Walks the folder; returns the counts, and the `_state` written, None if some file couldn't be read."""
    ignored: Counter[str] = Counter()
    seen = sha256()
    with closing(cache.database().cursor()) as cursor:
        cursor.execute("DROP TABLE IF EXISTS found")
        cursor.execute(_FOUND)
        listed = _rows(dataset.voices, walk(dataset.voices, ignored), seen)
        cursor.executemany(f"INSERT INTO found VALUES ({','.join('?' * 14)})", listed)
        _check_same_voices(dataset, cursor, limit)
        if limit is not None:
            cursor.execute("DELETE FROM found WHERE id NOT IN (SELECT id FROM found ORDER BY id LIMIT ?)", [limit])
        count, with_transcript = cursor.execute("SELECT count(*), count(nullif(transcript, '')) FROM found").fetchone()
        folder = dataset.stage(RECORDINGS)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = ScanCounts(count, with_transcript, dict(ignored.most_common()))
        listing = f"{_WRITTEN} {seen.hexdigest()} {limit}"
        seen_before, _, state = cache.note(_SCANNED).rpartition(" ")
        if seen_before == listing and state == _state(folder, cache):
            return outcome, state
        total = shard_count(count)
        names = {shard_name(index, total) for index in range(total)}
        for name in set(list_shards(folder)) - names:
            remove_shard(folder, name)
        done, all_read = 0, True
        for name, rows in _shards(cursor, total):
            names.discard(name)
            fields: list[_Fields] = []
            while some := list(islice(rows, _AT_A_TIME)):
                fields += _with_digests(dataset.voices, some, cache, threads)
            _write(folder, name, fields, cache)
            all_read = all_read and all(map(_is_read, fields))
            progress(done := done + len(fields), count)
        for name in sorted(names):
            _write(folder, name, [], cache)
    cache.save()
    if not all_read:  # the files that couldn't be read are tried again next time
        return outcome, None
    cache.take_note(_SCANNED, f"{listing} {(state_now := _state(folder, cache))}")
    return outcome, state_now


_SCANNED = "scanned"
"""Note of the last scan's input and output: if neither has changed, the scan has nothing to do."""
_WRITTEN = digest_of([LAYOUT, *Recording.__dataclass_fields__])
"""Identifies the format of the recordings: another version of this program may write them differently."""


def _state(folder: Path, cache: DigestCache) -> str | None:
    """Returns a hash of the written recordings; None if a shard is missing or damaged."""
    written, receipts = sha256(), Receipts(folder, cache)
    for shard in receipts.shards:
        receipt, whole = receipts.read(shard)
        if receipt is None or not whole:
            return None
        written.update(f"{shard} {receipt.fingerprint}\n".encode())
    receipts.keep()
    return written.hexdigest()


_FOUND = """CREATE TEMPORARY TABLE found (bits INT, id TEXT, owner TEXT, speaker TEXT, transcript TEXT,
    inode INT, size INT, mtime INT, ctime INT, t_inode INT, t_size INT, t_mtime INT, t_ctime INT, told TEXT)"""

_Row = tuple[Any, ...]
_Fields = tuple[str, ...]
"""The fields of a `Recording`, digests included."""


def _rows(voices: Path, recordings: Iterator[Recording], seen: "Hash") -> Iterator[_Row]:
    """Yields rows of the table `found`: each recording with its stamps; adds them to the hash `seen`."""
    root = str(voices)
    for recording in recordings:
        item_id, beside = recording.id, recording.transcript
        bits = int.from_bytes(sha256(item_id.encode()).digest()[: _BITS // 8], "big")
        stamp = stamp_of(f"{root}/{path_of(item_id)}") or _ABSENT
        own = beside and not recording.told  # a table's row is in `told`; its other rows don't matter here
        other = (stamp_of(f"{root}/{path_of(beside)}") if own else None) or _ABSENT
        row = bits, item_id, recording.group, recording.speaker, beside, *stamp, *other, recording.told
        seen.update(repr(row).encode())
        yield row


_ABSENT = (None,) * 4


def _check_same_voices(dataset: Dataset, cursor: sqlite3.Cursor, limit: int | None) -> None:
    """Refuses to replace a dataset made from other recordings, and to drop recordings beyond a new limit."""
    folder = dataset.folder / RECORDINGS
    taken = "SELECT id FROM found ORDER BY id LIMIT ?"
    last = None if limit is None else cursor.execute(f"SELECT max(id) FROM ({taken})", [limit]).fetchone()[0]
    old = common = kept = 0
    for shard in list_shards(folder):
        ids = [recording.id for recording in read_recordings(folder, shard)]
        old += len(ids)
        kept += len(ids) if last is None else sum(item_id <= last for item_id in ids)
        if ids and not common:
            query = "SELECT count(*) FROM found WHERE id IN (SELECT value FROM json_each(?))"
            common = cursor.execute(query, [json.dumps(ids)]).fetchone()[0]
        if last is None and common:
            return
    if old and not common:
        raise UsageError(
            f"`{dataset.voices}` holds none of the {old:,} recordings that `{dataset.folder}` was made from."
            " Name another folder with `--out`, or remove that one."
        )
    if old > kept:
        raise UsageError(
            f"`--limit {limit}` would throw away {old - kept:,} recordings that `{dataset.folder}` holds."
            " Raise it, or name another folder with `--out`."
        )


_JOINED = f"""SELECT found.*, audio.digest, beside.digest FROM found
    LEFT JOIN digests AS audio ON audio.inode = found.inode AND audio.size = found.size
        AND audio.mtime = found.mtime AND audio.ctime = found.ctime
    LEFT JOIN digests AS beside ON beside.inode = found.t_inode AND beside.size = found.t_size
        AND beside.mtime = found.t_mtime AND beside.ctime = found.t_ctime
    ORDER BY bits * ? >> {_BITS}, id"""
_AT_A_TIME = 128
"""Recordings whose digests are computed at a time: their rows take ten times the memory of what is kept."""


def _shards(cursor: sqlite3.Cursor, total: int) -> Iterator[tuple[str, Iterator[_Row]]]:
    rows = cursor.execute(_JOINED, [total])
    for index, group in groupby(rows, key=lambda row: row[0] * total >> _BITS):
        yield shard_name(index, total), group


def _with_digests(voices: Path, rows: list[_Row], cache: DigestCache, threads: int) -> list[_Fields]:
    """Returns the fields of each recording, digests included."""
    new = [(row[1], row[5:9]) for row in rows if row[14] is None and row[5] is not None]
    new += [(row[4], row[9:13]) for row in rows if row[15] is None and row[9] is not None]
    files: list[tuple[str, Stamp | None]] = [(f"{voices}/{path_of(item_id)}", stamp) for item_id, stamp in new]
    read = dict(zip((item_id for item_id, _ in new), cache.digests(files, threads=threads), strict=True))
    return [
        (row[1], row[2], row[3], row[14] or read.get(row[1], ""), row[4], row[15] or read.get(row[4], ""), row[13])
        for row in rows
    ]


def _is_read(fields: _Fields) -> bool:
    _, _, _, digest, beside, digest_beside, told = fields
    return bool(digest and (digest_beside or told or not beside))


def _write(folder: Path, name: str, fields: list[_Fields], cache: DigestCache) -> None:
    """Writes a shard unless it is there and intact."""
    fingerprint = digest_of(fields)
    old = read_receipt(folder, name)
    if old and old.fingerprint == fingerprint and is_whole(folder, old, cache):
        return
    paths = part_paths(folder, f".{name}.tmp", _ROWS.parts)
    _ROWS.write(paths, [Recording(*values) for values in fields])
    cache.learn(sealed_files(folder, write_shard(folder, _receipt(name, fingerprint, len(fields)), paths)))


def _receipt(shard: str, fingerprint: str, count: int) -> Receipt:
    return Receipt(
        stage=RECORDINGS,
        shard=shard,
        fingerprint=fingerprint,
        upstream="",
        inputs=count,
        pieces=count,
        outputs=count,
        filtered={},
        rejected={},
        audio_s=0.0,
        files={},
    )


def read_recordings(folder: Path, shard: str) -> list[Recording]:
    """Reads the recordings of one shard, sorted by id."""
    return _ROWS.read(part_paths(folder, shard, _ROWS.parts))


def all_recordings(folder: Path) -> Iterator[Recording]:
    """Yields all recordings, shard by shard."""
    for shard in list_shards(folder):
        yield from read_recordings(folder, shard)


def each_kind(folder: Path) -> list[Recording]:
    """Returns one recording with a transcript and one without, if there are any; parses as few shards as possible.

    Raises:
        ArtefactError: if the recordings can't be read.
    """
    found: dict[bool, Recording] = {}
    for shard in list_shards(folder):
        path = part_paths(folder, shard, _ROWS.parts)["rows.jsonl"]
        try:
            lines = path.read_bytes()
        except OSError as error:
            raise ArtefactError(f"`{path}` can't be read: {error}. Run `valle-prep run VOICES` again.") from error
        without = lines.count(b'"transcript":""')  # unambiguous: a quotation mark inside a value is escaped
        there = {False: without > 0, True: lines.count(b"\n") > without}
        if any(there[kind] and kind not in found for kind in there):
            found = {bool(recording.transcript): recording for recording in read_recordings(folder, shard)} | found
        if len(found) == len(there):
            break
    return list(found.values())


def count_recordings(folder: Path) -> int:
    """Returns the number of recordings."""
    return sum(receipt.outputs for shard in list_shards(folder) if (receipt := read_receipt(folder, shard)))


def nth_recording(folder: Path, count: int) -> str | None:
    """Returns the id of the recording at place `count` by id, or of the last one; None if there are none."""
    from heapq import nsmallest

    first = nsmallest(count, (recording.id for recording in all_recordings(folder)))
    return first[-1] if first else None
