"""`valle-prep validate`: checks that every artefact matches its receipt and is up to date.

Without `--deep`, files with the same inode, size and times as at their last reading are trusted. With it, every byte
is read again, every row is parsed, and the recordings are compared with their checksums.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import STAGES, stage_class
from pipeline.dataset.digests import DigestCache, stamp_of
from pipeline.dataset.folder import DIGESTS, HEAD, RECORDINGS, Dataset, open_dataset
from pipeline.dataset.recordings import read_recordings
from pipeline.runner.progress import Reporter
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import (
    COMPLETE,
    ITEMS,
    FileSeal,
    Receipt,
    list_shards,
    part_paths,
    read_receipt,
    read_sealed,
    shard_name,
)
from stages.errors import ArtefactError, ExitCode, MissingInputError
from stages.ids import path_of
from stages.records import Encoded
from stages.remote import files as remote
from stages.remote.listing import LISTING
from stages.store.reader import open_store
from stages.tar import members

if TYPE_CHECKING:
    from pipeline.options import Options

DAMAGED, MISSING, STALE, UNFINISHED, CHANGED = "damaged", "missing", "stale", "unfinished", "changed"
_SHARD_FILE = re.compile(r"(\d+-of-\d+)\.(.+)")
_KNOWN = frozenset({COMPLETE, "npy"})
_UNREADABLE = "can't be read, or was altered"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem that `validate` found."""

    stage: str
    file: str
    """Path below the dataset's folder; for a recording its path below the voices folder, or that folder."""
    kind: str
    """`damaged`: differs from its receipt; `missing`; `stale`: its inputs have changed since; `unfinished`: a run was
    stopped; `changed`: a recording has changed since the scan."""
    detail: str


@dataclass(slots=True)
class Findings:
    """The result of a validation."""

    problems: list[Problem] = field(default_factory=list)
    shards: int = 0
    """Number of shards checked."""
    files: int = 0
    """Number of files checked."""
    bytes: int = 0
    """Total size of the files checked."""

    def to_json(self, exit_code: int) -> dict[str, Any]:
        """Returns the findings as plain JSON values.

        Returns:
            `problems`: a list of objects with `stage`, `file`, `kind` and `detail` (see `Problem`);
            `checked`: the number of `shards`, `files` and `bytes` checked;
            `exit_code`: 0 if there is no problem, else 1.
        """
        problems = [{"stage": p.stage, "file": p.file, "kind": p.kind, "detail": p.detail} for p in self.problems]
        checked = {"shards": self.shards, "files": self.files, "bytes": self.bytes}
        return {"problems": problems, "checked": checked, "exit_code": exit_code}


def validate(dataset: Dataset, cache: DigestCache, *, deep: bool) -> Findings:
    """Checks all artefacts of a dataset; writes nothing but the cache of checksums.

    Args:
        dataset: The dataset.
        cache: The cache of checksums; with `deep` one made with `trust=False`.
        deep: Whether to read every row, and the recordings if their folder is known.
    """
    findings = Findings()
    if dataset.voices == Path():
        findings.problems.append(Problem("", HEAD, DAMAGED, _UNREADABLE))
    if deep and not dataset.voices.is_dir():
        gone = "the folder of the recordings is missing, so none of them was checked"
        findings.problems.append(Problem(RECORDINGS, str(dataset.voices), MISSING, gone))
    for name in (RECORDINGS, *STAGES):
        if name == "clean" and not dataset.cleaner:
            continue  # what it made is used no more
        folder = dataset.folder / name
        if folder.is_dir() and (name == RECORDINGS or any(folder.iterdir())):
            findings.problems += _stage(dataset, name, cache, findings, deep=deep)
    return findings


def _stage(dataset: Dataset, name: str, cache: DigestCache, findings: Findings, *, deep: bool) -> Iterator[Problem]:
    folder = dataset.folder / name
    expected = _all_shards(dataset)
    present = set(list_shards(folder))
    complete = read_sealed(folder / COMPLETE)
    known = {COMPLETE, *complete.get("files", {})}
    lacking = MISSING if complete else UNFINISHED
    for shard in expected:
        receipt = read_receipt(folder, shard)
        if receipt is None and shard in present:
            yield Problem(name, f"{name}/{shard}.json", DAMAGED, f"the receipt {_UNREADABLE}")
        elif receipt is None:
            yield Problem(name, f"{name}/{shard}.json", lacking, "the shard is missing")
        else:
            findings.shards += 1
            yield from _files(name, part_paths(folder, shard, receipt.files), receipt.files, cache, findings)
            yield from _receipt(dataset, name, receipt)
            if deep:
                yield from _contents(dataset, name, receipt)
    for shard in sorted(present - set(expected)):
        yield Problem(name, f"{name}/{shard}.json", STALE, "no recording belongs to this shard anymore")
    if name != RECORDINGS:
        yield from _completion(dataset, name, complete, cache, findings)
    for path in sorted(folder.iterdir()):
        shard_file = _SHARD_FILE.fullmatch(path.name)
        if path.name.startswith("."):
            yield Problem(name, f"{name}/{path.name}", UNFINISHED, "a run was stopped while writing this file")
        elif complete and path.name not in known | _KNOWN and not (shard_file and shard_file[1] in expected):
            yield Problem(name, f"{name}/{path.name}", STALE, "the file belongs to no shard of these recordings")


def _all_shards(dataset: Dataset) -> list[str]:
    """Returns the names of all shards, including missing ones: each name contains the total."""
    totals = {int(name.partition("-of-")[2]) for name in list_shards(dataset.folder / RECORDINGS)}
    return [shard_name(index, total) for total in sorted(totals) for index in range(total)]


def _files(
    name: str, paths: dict[str, Path], seals: Mapping[str, FileSeal], cache: DigestCache, findings: Findings
) -> Iterator[Problem]:
    """Compares files with their seals: size and checksum."""
    for key, path in paths.items():
        shown = f"{name}/{path.name if key in path.name else key}"
        stamp = stamp_of(path)
        if stamp is None:
            yield Problem(name, shown, MISSING, "the file is missing")
            continue
        findings.files += 1
        findings.bytes += stamp[1]
        seal = seals[key]
        if stamp[1] != seal.bytes:
            yield Problem(name, shown, DAMAGED, f"the file must have {seal.bytes:,} bytes, but has {stamp[1]:,}")
        elif not cache.holds(path, seal.sha256):
            yield Problem(name, shown, DAMAGED, "the file has changed since it was written")


def _receipt(dataset: Dataset, name: str, receipt: Receipt) -> Iterator[Problem]:
    """Checks that a shard is up to date with the stage before, and that its counts add up."""
    if name == RECORDINGS:
        return
    before = stage_class(name).follows(dataset.cleaner)
    upstream = read_receipt(dataset.folder / before, receipt.shard)
    if upstream and upstream.digest != receipt.upstream:
        yield Problem(name, f"{name}/{receipt.shard}.json", STALE, f"`{before}` has changed since the shard was made")
    total = receipt.outputs + sum(receipt.filtered.values()) + sum(receipt.rejected.values())
    if total != receipt.pieces:
        detail = f"outputs, filtered and rejected must add up to {receipt.pieces} pieces, but add up to {total}"
        yield Problem(name, f"{name}/{receipt.shard}.json", DAMAGED, detail)


def _completion(
    dataset: Dataset, name: str, complete: dict[str, Any], cache: DigestCache, findings: Findings
) -> Iterator[Problem]:
    folder = dataset.folder / name
    if complete:
        paths = {file: folder / file for file in complete["files"]}
        seals = {file: FileSeal.from_json(seal) for file, seal in complete["files"].items()}
        yield from _files(name, paths, seals, cache, findings)
    elif (folder / COMPLETE).exists():
        yield Problem(name, f"{name}/{COMPLETE}", DAMAGED, _UNREADABLE)
    else:
        yield Problem(name, f"{name}/{COMPLETE}", UNFINISHED, "the stage isn't finished")


def _contents(dataset: Dataset, name: str, receipt: Receipt) -> Iterator[Problem]:
    """Reads a shard's rows; for a shard of recordings, the recordings themselves."""
    folder, file = dataset.folder / name, f"{name}/{receipt.shard}.json"
    if name == RECORDINGS:
        if dataset.voices != Path() and dataset.voices.is_dir():
            yield from _sources(dataset, receipt.shard)
        return
    stage = stage_class(name)
    try:
        outputs = stage.format.read(part_paths(folder, receipt.shard, stage.format.parts))
        items = list(read_lines(folder / f"{receipt.shard}.{ITEMS}"))
    except (ArtefactError, OSError, ValueError, KeyError, TypeError) as error:
        yield Problem(name, file, DAMAGED, f"its rows can't be read: {error}")
        return
    if len(outputs) != receipt.outputs or len(items) != receipt.inputs:
        detail = (
            f"the receipt counts {receipt.outputs} outputs of {receipt.inputs} items, but the files have"
            f" {len(outputs)} of {len(items)}"
        )
        yield Problem(name, file, DAMAGED, detail)
    if name == "hdf5":
        yield from _codes(dataset, outputs, file)


def _sources(dataset: Dataset, shard: str) -> Iterator[Problem]:
    reader = DigestCache(dataset.folder / "none", read_only=True)
    for recording in read_recordings(dataset.folder / RECORDINGS, shard):
        own = "" if recording.told else recording.transcript
        pairs = [(recording.id, recording.digest), (own, recording.transcript_digest)]
        for item_id, digest in pairs:
            path = dataset.voices / path_of(item_id)
            if item_id and digest and not members.is_file(path):
                yield Problem(RECORDINGS, item_id, MISSING, "the file is gone")
            elif item_id and reader.digest(path) != digest:
                yield Problem(RECORDINGS, item_id, CHANGED, "the file has changed since the dataset was made")


def _codes(dataset: Dataset, outputs: list[Encoded], file: str) -> Iterator[Problem]:
    """Checks that the codes fit the store's codec."""
    try:
        codec = open_store(dataset.folder).codec
    except (ArtefactError, MissingInputError) as error:
        yield Problem("hdf5", file, DAMAGED, str(error))
        return
    for item in outputs:
        shape, top = item.codes_KT.shape, int(np.max(item.codes_KT, initial=0))
        if shape[0] != codec.num_codebooks or top >= codec.codebook_size or shape[1] != item.utterance.frames:
            detail = (
                f"`{item.id}`: codes of shape {shape} and values up to {top} don't fit {codec.describe()}"
                f" or the row's {item.utterance.frames} frames"
            )
            yield Problem("hdf5", file, DAMAGED, detail)


@contextmanager
def _as_it_is_now(dataset: Dataset, *, deep: bool) -> Iterator[None]:
    """Lists a store anew for a deep validation: what was listed for the dataset would be found unchanged."""
    if not deep:
        yield
        return
    with tempfile.TemporaryDirectory() as folder, remote.listed(dataset.voices, Path(folder), dataset.folder / LISTING):
        yield


def show_validation(options: "Options", *, deep: bool) -> ExitCode:
    """Checks a dataset's artefacts and shows the problems.

    Args:
        options: The command's options.
        deep: Whether to read every byte and row again, and the recordings.

    Returns:
        `FAILED` if there are problems, else `DONE`.
    """
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    folder = options.out
    dataset = open_dataset(folder, damaged=True)
    path = folder / DIGESTS
    with DigestCache(path, read_only=options.dry_run, trust=not deep) as cache, _as_it_is_now(dataset, deep=deep):
        findings = validate(dataset, cache, deep=deep)
    code = ExitCode.FAILED if findings.problems else ExitCode.DONE
    if options.as_json:
        sys.stdout.write(json.dumps(findings.to_json(code), ensure_ascii=False, indent=1) + "\n")
    for problem in findings.problems:
        reporter.say(f"{problem.kind}: {problem.file}: {problem.detail}")
    size = f"{findings.shards:,} shards, {findings.files:,} files, {findings.bytes / 2**20:,.1f} MiB"
    voices = "VOICES" if dataset.voices == Path() else dataset.voices
    mend = f"; `valle-prep run {voices} --out {folder}` repairs what it can" if findings.problems else ""
    reporter.say(f"{len(findings.problems):,} problems in {size}{mend}")
    return code
