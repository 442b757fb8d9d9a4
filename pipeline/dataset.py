"""The folder of a dataset: where everything lies, and which recordings it is made of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.digests import DigestCache
from stages.errors import ArtefactError, MissingInputError, UsageError
from stages.manifest import (
    Receipt,
    Rows,
    digest_of,
    list_shards,
    part_paths,
    read_receipt,
    remove_shard,
    shard_count,
    shard_index,
    shard_name,
    write_shard,
    write_text,
)
from stages.records import Recording
from stages.scan import Scan, scan

RECORDINGS = "recordings"
"""The folder of what the scan found: the input of the first stage."""

_ROWS = Rows(Recording)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's folder and the voices it is made from."""

    folder: Path
    voices: Path
    recordings: Path | None = None
    """Where the scan's result lies if not in `folder`: a dry run writes nothing there."""

    def stage(self, name: str) -> Path:
        """Returns the folder of a stage."""
        return self.recordings if self.recordings and name == RECORDINGS else self.folder / name


def open_dataset(folder: Path) -> Dataset:
    """Returns the dataset that `transcribe` began.

    Raises:
        MissingInputError: if there is none; says which command makes it.
    """
    path = folder / "dataset.json"
    try:
        voices = Path(json.loads(path.read_text(encoding="utf-8"))["voices"])
    except OSError as error:
        raise MissingInputError(
            f"`{folder}` must be a dataset, but has no `dataset.json`."
            f" Run `valle-prep transcribe VOICES --out {folder}` first."
        ) from error
    except (ValueError, KeyError) as error:
        raise ArtefactError(
            f"`{path}` can't be read: {error}. Run `valle-prep transcribe VOICES --out {folder}`."
        ) from error
    return Dataset(folder, voices)


def check_voices(dataset: Dataset) -> None:
    """Checks that the recordings are still where they were.

    Raises:
        UsageError: if the folder is gone: otherwise every recording would be rejected.
    """
    if not dataset.voices.is_dir():
        raise UsageError(
            f"`{dataset.voices}`, the folder of the recordings, isn't there. Bring it back, or say where it is now:"
            f" `valle-prep transcribe VOICES --out {dataset.folder}`."
        )


def new_dataset(folder: Path, voices: Path, *, recordings: Path | None = None) -> Dataset:
    """Names a dataset to be made, or made again, from a folder of voices; nothing is written yet.

    Raises:
        UsageError: if `folder` is a file, or lies among the recordings.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`--out {folder}` must be a folder, but is a file.")
    if voices.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"`--out {folder}` must not lie in the folder of the recordings: that is never written to.")
    return Dataset(folder, voices.resolve(), recordings)


def find_recordings(dataset: Dataset, cache: DigestCache, *, limit: int | None, threads: int) -> Scan:
    """Scans the voices folder, takes the digests, and writes the recordings down, shard by shard.

    Args:
        dataset: Where.
        cache: Digests known from before.
        limit: Take the first so many by id; None for all.
        threads: Files read at a time.

    Returns:
        What was found, with the digests.

    Raises:
        UsageError: if the voices folder isn't there or holds no recording, or if the dataset was made from others.
    """
    everything = scan(dataset.voices)
    found = everything.recordings[:limit]
    _check_same_voices(dataset, found, limited=limit is not None)
    voices = str(dataset.voices)
    paths = [f"{voices}/{recording.id}" for recording in found]
    texts = [f"{voices}/{recording.transcript}" if recording.transcript else "" for recording in found]
    digests = cache.digests([*paths, *texts], threads)
    recordings = [
        replace(recording, digest=digest, transcript_digest=text)
        for recording, digest, text in zip(found, digests[: len(paths)], digests[len(paths) :], strict=True)
    ]
    if dataset.recordings is None:
        _write_head(dataset)
    _write_recordings(dataset.stage(RECORDINGS), recordings)
    return Scan(tuple(recordings), everything.ignored)


def _check_same_voices(dataset: Dataset, found: Sequence[Recording], *, limited: bool) -> None:
    """Refuses to replace what was made from other recordings, or to throw away what a limit leaves out."""
    folder = dataset.folder / RECORDINGS
    old = {recording.id for shard in list_shards(folder) for recording in read_recordings(folder, shard)}
    new = {recording.id for recording in found}
    if old and not old & new:
        raise UsageError(
            f"`{dataset.voices}` holds none of the {len(old):,} recordings that `{dataset.folder}` was made from."
            " Name another folder with `--out`, or remove that one."
        )
    if limited and old - new:
        raise UsageError(
            f"`--limit {len(new)}` would throw away {len(old - new):,} recordings that `{dataset.folder}` holds."
            " Name another folder with `--out`."
        )


def _write_head(dataset: Dataset) -> None:
    try:
        dataset.folder.mkdir(parents=True, exist_ok=True)
        head = json.dumps({"voices": str(dataset.voices)}, ensure_ascii=False)
        write_text(dataset.folder / "dataset.json", head + "\n")
    except OSError as error:
        raise UsageError(f"`--out {dataset.folder}` can't be written to: {error.strerror}. Name another.") from error


def _write_recordings(folder: Path, recordings: Sequence[Recording]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    total = shard_count(len(recordings))
    shards: dict[str, list[Recording]] = {shard_name(index, total): [] for index in range(total)}
    for recording in recordings:
        shards[shard_name(shard_index(recording.id, total), total)].append(recording)
    for name in set(list_shards(folder)) - set(shards):
        remove_shard(folder, name)
    for name, rows in shards.items():
        fingerprint = digest_of([row.to_json() for row in rows])
        old = read_receipt(folder, name)
        if old is None or old.fingerprint != fingerprint:
            paths = part_paths(folder, f".{name}.tmp", _ROWS.parts)
            _ROWS.write(paths, rows)
            write_shard(folder, _receipt(name, fingerprint, len(rows)), paths)


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
    """Returns the recordings of one shard."""
    return _ROWS.read(part_paths(folder, shard, _ROWS.parts))


def read_all_recordings(dataset: Dataset) -> list[Recording]:
    """Returns all recordings, sorted by id."""
    folder = dataset.stage(RECORDINGS)
    found = [recording for shard in list_shards(folder) for recording in read_recordings(folder, shard)]
    return sorted(found, key=lambda recording: recording.id)
