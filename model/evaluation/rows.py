"""Stores the rows of `valle eval --out FOLDER`, so that an interrupted evaluation can be resumed.

<folder>/
    identity.json   what the rows depend on; an evaluation with another identity isn't resumed
    rows.jsonl      one row per line, utterance by utterance, in the order of the list
    <system>/       the waves

An utterance counts as done once the rows of all its systems are written; an incomplete one is evaluated again.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from model.checkpoints.checkpoint import PARTS
from model.evaluation.judges import JUDGES, Judges
from stages.artefacts.identity import differences, write_identity
from stages.artefacts.lock import EXCLUSIVE, holder, sign, take
from stages.codecs.table import identity_of
from stages.errors import ArtefactError, LockedError, UsageError

if TYPE_CHECKING:
    from model.decoding.options import Decoding
    from model.evaluation.protocols import Trial
    from model.inference.synthesizer import Synthesizer

Row = dict[str, Any]

ROWS, IDENTITY, REPORT, _LOCK = "rows.jsonl", "identity.json", "report.json", ".eval.lock"
_SHOWN = 12
"""Hexadecimal digits kept of a checksum."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an evaluation so far."""

    all: list[Row] = field(default_factory=list)
    file: BinaryIO | None = None
    """The file that each new row is appended to, if any."""

    def add(self, row: Row) -> None:
        """Adds a row, and writes it to the file."""
        self.all.append(row)
        if self.file:
            self.file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            self.file.flush()


def identity(
    voice: "Synthesizer", protocol: str, trials: "Sequence[Trial]", judges: Judges, *, decoding: "Decoding", seed: int
) -> dict[str, str]:
    """Returns everything that rows depend on, by names for people.

    The model is identified by its content, not its path. The kind of device counts, since a GPU computes in another
    precision; so do weights in 8 bits.
    """
    held = "" if voice.quantize == "none" else f", {voice.quantize}"
    listed = json.dumps([asdict(trial) for trial in trials], default=lambda path: str(Path(path).absolute()))
    return {
        "model": _model_digest(voice.checkpoint.folder),
        "codec": identity_of(voice.codec).describe(),
        "protocol": protocol,
        "utterances": hashlib.sha256(listed.encode()).hexdigest()[:_SHOWN],
        "decoding": f"{decoding}; {decoding.unmasking.rescale:g}; {decoding.nar}",
        "seed": str(seed),
        "judges": ", ".join(judges[name].name if name in judges else "none" for name in JUDGES),
        "device": f"{voice.device.type}, {voice.network.token_embedding.weight.dtype}{held}",
    }


def _model_digest(source: Path) -> str:
    """Returns the checksum of a checkpoint's JSON and weights; `source` is its folder, or an exported file."""
    names = ("model.safetensors", *(f"{part}.json" for part in PARTS))
    digest = hashlib.sha256()
    for path in [source] if source.is_file() else [source / name for name in names]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:_SHOWN]


def wave_path(out: Path, system: str, utterance: str) -> Path:
    """Returns the path of an utterance's wave."""
    return out / system / f"{utterance.replace('/', '_')}.wav"


@contextmanager
def kept_rows(
    out: Path, made_with: Mapping[str, str], wanted: Sequence[tuple[str, str]], *, systems: int, fresh: bool
) -> Iterator[Rows]:
    """Opens and locks an evaluation's folder, creating it if needed.

    Args:
        out: The folder.
        made_with: As `identity` returns it.
        wanted: Utterance and system of every row, in order.
        systems: Number of rows per utterance.
        fresh: Remove an earlier evaluation first.

    Yields:
        The rows of finished utterances; rows added to it are written to the folder.

    Raises:
        UsageError: if the folder holds another evaluation, or can't be created or written to.
        ArtefactError: if its rows are damaged.
        LockedError: if another evaluation is running there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = take(out / _LOCK, EXCLUSIVE, lambda line: sys.stderr.write(f"{line}\n"))
    except OSError as error:
        raise UsageError(
            f"`--out` must be a folder that can be written to, but `{out}` isn't: {error.strerror}. Name another."
        ) from error
    if lock is None:
        raise LockedError(f"`{out}` is being written to: {holder(out / _LOCK)}. Wait for it, stop it, or name another.")
    try:
        sign(lock)
        if fresh:
            _remove(out)
        _check(out, made_with)
        rows, length = _read(out / ROWS, wanted, systems)
        with (out / ROWS).open("ab") as file:
            file.truncate(length)
            yield Rows(rows, file)
    finally:
        (out / _LOCK).unlink(missing_ok=True)
        os.close(lock)


def _check(out: Path, made_with: Mapping[str, str]) -> None:
    """Checks that existing rows have the same identity; writes the identity if there is none."""
    path = out / IDENTITY
    if not path.exists():
        if (out / ROWS).exists():
            raise UsageError(
                f"`--out` must be a folder without an evaluation, or with one that has `{IDENTITY}`, but `{out / ROWS}`"
                " has none beside it. Name another folder, or remove the rows with `--fresh`."
            )
        write_identity(path, made_with)
        return
    try:
        differing = differences(path, made_with)
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"`{path}` must hold an evaluation's identity, but can't be read: {error}. Name another `--out`, or start"
            " over with `--fresh`."
        ) from error
    if differing:
        raise UsageError(
            f"`--out` must hold the same evaluation to resume it, but `{out}` differs ({differing}). Undo the"
            " change, name another folder, or start over with `--fresh`."
        )


def _read(path: Path, wanted: Sequence[tuple[str, str]], systems: int) -> tuple[list[Row], int]:
    """Returns the rows of finished utterances, and their length in bytes."""
    if not path.exists():
        return [], 0
    *lines, _ = path.read_bytes().split(b"\n")  # a line without its line break is unfinished
    rows = []
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
            at = row["id"], row["system"]
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, number, f"can't be read as a row: {error}") from error
        if number >= len(wanted) or at != wanted[number]:
            raise _damaged(path, number, f"is of {at[0]}, {at[1]}")
        rows.append(row)
    whole = len(rows) // systems * systems
    return rows[:whole], sum(len(line) + 1 for line in lines[:whole])


def _damaged(path: Path, number: int, what: str) -> ArtefactError:
    return ArtefactError(
        f"`{path}` must hold the rows of its evaluation in the order of the list, but line {number + 1} {what}. Name"
        " another `--out`, or start over with `--fresh`."
    )


def _remove(out: Path) -> None:
    """Removes an evaluation: the waves of its rows, its report, its rows, and at last its identity."""
    if (out / ROWS).is_file():
        for line in (out / ROWS).read_bytes().splitlines():
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                wave_path(out, Path(row["system"]).name, row["id"]).unlink(missing_ok=True)
    for name in (REPORT, ROWS, IDENTITY):
        (out / name).unlink(missing_ok=True)
