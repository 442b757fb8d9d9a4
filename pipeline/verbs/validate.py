"""`valle-prep validate`: is every artefact what its receipt says, and made from what is there now?

Without `--deep`, files whose inode, size and times are unchanged since they were last read are believed; with it, every
byte is read again, every row is parsed, and the recordings are compared with their checksums.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
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
from stages.store.reader import open_store

if TYPE_CHECKING:
    from pipeline.options import Options

DAMAGED, MISSING, STALE, UNFINISHED, CHANGED = "damaged", "missing", "stale", "unfinished", "changed"
_SHARD_FILE = re.compile(r"(\d+-of-\d+)\.(.+)")
_KNOWN = frozenset({COMPLETE, "npy"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that isn't as it should be."""

    stage: str
    file: str
    """Below the dataset's folder; of a recording: below the voices folder, or that folder itself."""
    kind: str
    """`damaged`: not what its receipt says; `missing`; `stale`: made from what has changed since; `unfinished`: a run
    was stopped; `changed`: a recording isn't what it was."""
    detail: str


@dataclass(slots=True)
class Findings:
    """What a validation came to."""

    problems: list[Problem] = field(default_factory=list)
    shards: int = 0
    files: int = 0
    bytes: int = 0

    def to_json(self, exit_code: int) -> dict[str, Any]:
        """Returns the findings as plain JSON values.

        Returns:
            `problems`: a list of objects with `stage`, `file`, `kind` and `detail` (see `Problem`);
            `checked`: `shards`, `files` and `bytes` looked at;
            `exit_code`: 0 if there is no problem, else 1.
        """
        problems = [{"stage": p.stage, "file": p.file, "kind": p.kind, "detail": p.detail} for p in self.problems]
        checked = {"shards": self.shards, "files": self.files, "bytes": self.bytes}
        return {"problems": problems, "checked": checked, "exit_code": exit_code}


def validate(dataset: Dataset, cache: DigestCache, *, deep: bool) -> Findings:
    """Checks all artefacts of a dataset; changes nothing but the cache of checksums.

    Args:
        dataset: The dataset.
        cache: One that trusts nothing where `deep`.
        deep: Whether to read every row, and the recordings too where the dataset's head tells where they lie.
    """
    findings = Findings()
    if dataset.voices == Path():
        findings.problems.append(Problem("", HEAD, DAMAGED, "it can't be read, or was altered"))
    if deep and not dataset.voices.is_dir():
        gone = "the folder of the recordings isn't there; none of them was looked at"
        findings.problems.append(Problem(RECORDINGS, str(dataset.voices), MISSING, gone))
    for name in (RECORDINGS, *STAGES):
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
            yield Problem(name, f"{name}/{shard}.json", DAMAGED, "the receipt can't be read, or was altered")
        elif receipt is None:
            yield Problem(name, f"{name}/{shard}.json", lacking, "the shard isn't there")
        else:
            findings.shards += 1
            yield from _files(name, part_paths(folder, shard, receipt.files), receipt.files, cache, findings)
            yield from _fresh(dataset, name, receipt)
            if deep:
                yield from _contents(dataset, name, receipt)
    for shard in sorted(present - set(expected)):
        yield Problem(name, f"{name}/{shard}.json", STALE, "no recording belongs to this shard any more")
    if name != RECORDINGS:
        yield from _completion(dataset, name, complete, cache, findings)
    for path in sorted(folder.iterdir()):
        found = _SHARD_FILE.fullmatch(path.name)
        if path.name.startswith("."):
            yield Problem(name, f"{name}/{path.name}", UNFINISHED, "a run was stopped while it wrote this")
        elif complete and path.name not in known | _KNOWN and not (found and found[1] in expected):
            yield Problem(name, f"{name}/{path.name}", STALE, "nothing made from these recordings has this file")


def _all_shards(dataset: Dataset) -> list[str]:
    """Returns the names of all shards, also of those that aren't there: each name tells how many there are."""
    totals = {int(name.partition("-of-")[2]) for name in list_shards(dataset.folder / RECORDINGS)}
    return [shard_name(index, total) for total in sorted(totals) for index in range(total)]


def _files(
    name: str, paths: dict[str, Path], seals: Mapping[str, FileSeal], cache: DigestCache, findings: Findings
) -> Iterator[Problem]:
    """Compares files with the checksums they should have."""
    for key, path in paths.items():
        shown = f"{name}/{path.name if key in path.name else key}"
        stamp = stamp_of(path)
        if stamp is None:
            yield Problem(name, shown, MISSING, "the file isn't there")
            continue
        findings.files += 1
        findings.bytes += stamp[1]
        seal = seals[key]
        if stamp[1] != seal.bytes:
            yield Problem(name, shown, DAMAGED, f"it must have {seal.bytes:,} bytes, but has {stamp[1]:,}")
        elif not cache.holds(path, seal.sha256):
            yield Problem(name, shown, DAMAGED, "its content isn't what was written")


def _fresh(dataset: Dataset, name: str, receipt: Receipt) -> Iterator[Problem]:
    if name == RECORDINGS:
        return
    before = stage_class(name).needs
    upstream = read_receipt(dataset.folder / before, receipt.shard)
    if upstream and upstream.digest != receipt.upstream:
        yield Problem(name, f"{name}/{receipt.shard}.json", STALE, f"`{before}` has changed since it was made")
    sums = receipt.outputs + sum(receipt.filtered.values()) + sum(receipt.rejected.values())
    if sums != receipt.pieces:
        detail = f"{receipt.pieces} pieces, but {sums} outputs, filtered and rejected"
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
        yield Problem(name, f"{name}/{COMPLETE}", DAMAGED, "it can't be read, or was altered")
    else:
        yield Problem(name, f"{name}/{COMPLETE}", UNFINISHED, "the stage hasn't come to its end")


def _contents(dataset: Dataset, name: str, receipt: Receipt) -> Iterator[Problem]:
    """Reads a shard's rows, and of the first stage's input the recordings themselves."""
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
            f"{len(outputs)} outputs of {len(items)} items, but the receipt says {receipt.outputs} of {receipt.inputs}"
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
            if item_id and digest and not path.exists():
                yield Problem(RECORDINGS, item_id, MISSING, "it isn't there any more")
            elif item_id and reader.digest(path) != digest:
                yield Problem(RECORDINGS, item_id, CHANGED, "it isn't the file that the dataset was made from")


def _codes(dataset: Dataset, outputs: list[Encoded], file: str) -> Iterator[Problem]:
    """Checks that the codes fit the codec that the store names."""
    try:
        codec = open_store(dataset.folder).codec
    except (ArtefactError, MissingInputError) as error:
        yield Problem("hdf5", file, DAMAGED, str(error))
        return
    for item in outputs:
        shape, top = item.codes_KT.shape, int(np.max(item.codes_KT, initial=0))
        if shape[0] != codec.num_codebooks or top >= codec.codebook_size or shape[1] != item.utterance.frames:
            detail = f"`{item.id}`: codes of shape {shape} up to {top} don't fit {codec.describe()}"
            yield Problem("hdf5", file, DAMAGED, detail)


def show_validation(options: "Options", *, deep: bool) -> ExitCode:
    """Checks a dataset's artefacts and shows what is wrong.

    Args:
        options: The command's options.
        deep: Whether to read every byte and row again, and the recordings too.

    Returns:
        `FAILED` if something is wrong.
    """
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    folder = options.out
    dataset = open_dataset(folder, damaged=True)
    path = folder / DIGESTS
    with DigestCache(path, read_only=options.dry_run, trust=not deep) as cache:
        findings = validate(dataset, cache, deep=deep)
    code = ExitCode.FAILED if findings.problems else ExitCode.DONE
    if options.as_json:
        sys.stdout.write(json.dumps(findings.to_json(code), ensure_ascii=False, indent=1) + "\n")
    for problem in findings.problems:
        reporter.say(f"{problem.kind}: {problem.file}: {problem.detail}")
    size = f"{findings.shards:,} shards, {findings.files:,} files, {findings.bytes / 2**20:,.1f} MiB"
    voices = "VOICES" if dataset.voices == Path() else dataset.voices
    mend = f"; `valle-prep run {voices} --out {folder}` makes good what it can" if findings.problems else ""
    reporter.say(f"{len(findings.problems):,} problems in {size}{mend}")
    return code
