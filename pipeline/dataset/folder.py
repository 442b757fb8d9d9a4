"""The folder of a dataset: where everything lies, and what it was made with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipeline.config import STAGES, PrepConfig, stage_class
from stages.artefacts.manifest import COMPLETE, list_shards, read_receipt, read_sealed, write_sealed
from stages.config import load_config
from stages.errors import ArtefactError, MissingInputError, UsageError
from stages.ids import id_of, path_of

if TYPE_CHECKING:
    from pipeline.options import Options

RECORDINGS = "recordings"
"""The folder of what the scan found: the input of the first stage."""
HEAD = "dataset.json"
"""Where the voices lie, and each stage's section as it was last used."""
REJECTS = "rejects.jsonl"
"""All rejects of a finished stage: `id, path, stage, reason, message, hint`, a line each."""
DIGESTS = ".digests.sqlite"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's folder and the voices it is made from."""

    folder: Path
    voices: Path
    recordings: Path | None = None
    """Where the scan's result lies if not in `folder`: a dry run writes nothing there."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """Each stage's section of the configuration as it was last used."""

    def stage(self, name: str) -> Path:
        """Returns the folder of a stage."""
        return self.recordings if self.recordings and name == RECORDINGS else self.folder / name


def stages_of(dataset: Dataset) -> list[str]:
    """Returns the names of the stages, in order, but for optional ones that the dataset does without."""
    return [name for name in STAGES if not stage_class(name).optional or list_shards(dataset.stage(name))]


def open_dataset(folder: Path, *, damaged: bool = False) -> Dataset:
    """Returns the dataset that `transcribe` began.

    Args:
        folder: The dataset's.
        damaged: Whether its head may be damaged: where its recordings lie is then not known, and `Path()` is given.

    Raises:
        MissingInputError: if there is none; says which command makes it.
        ArtefactError: if its head is damaged.
    """
    path = folder / HEAD
    if not path.exists():
        raise MissingInputError(
            f"`{folder}` must be a dataset, but has no `{HEAD}`."
            f" Run `valle-prep transcribe VOICES --out {folder}` first."
        )
    head = read_sealed(path)
    if not head and damaged:
        return Dataset(folder, Path())
    if not head:
        raise ArtefactError(
            f"`{path}` is damaged, and with it what the dataset was made with."
            f" Run `valle-prep run VOICES --out {folder}` with the options that it was made with: that mends it."
        )
    return Dataset(folder, Path(path_of(head["voices"])), sections=head["config"])


def new_dataset(folder: Path, voices: Path, *, recordings: Path | None = None) -> Dataset:
    """Names a dataset to be made, or made again, from a folder of voices; nothing is written yet.

    Raises:
        UsageError: if `folder` is a file, or lies among the recordings.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`--out {folder}` must be a folder, but is a file.")
    if voices.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"`--out {folder}` must not lie in the folder of the recordings: that is never written to.")
    return Dataset(folder, voices.resolve(), recordings, _sections(folder))


def make_folder(folder: Path) -> None:
    """Makes a dataset's folder.

    Raises:
        UsageError: if it can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"`--out {folder}` can't be written to: {error.strerror}. Name another.") from error


def write_head(dataset: Dataset, config: PrepConfig, names: Sequence[str]) -> None:
    """Writes down where the voices lie and the sections that some stages are run with; the others stay."""
    sections = {**dataset.sections, **{name: getattr(config, name).model_dump(mode="json") for name in names}}
    head = {"voices": id_of(str(dataset.voices)), "config": sections}
    if read_sealed(dataset.folder / HEAD) != head:
        write_sealed(dataset.folder / HEAD, head)


def _sections(folder: Path) -> dict[str, Any]:
    """Returns each stage's section as it was last used; where the head is damaged, as the finished stages tell it."""
    head = read_sealed(folder / HEAD)
    if head:
        return dict(head["config"])
    told = {name: read_sealed(folder / name / COMPLETE).get("parameters") for name in STAGES}
    return {name: section for name, section in told.items() if section}


def stored_config(folder: Path) -> PrepConfig:
    """Returns the configuration that each stage was last run with; defaults for those that haven't run.

    Raises:
        ArtefactError: if it is of another version of this program.
    """
    path = folder / HEAD
    try:
        return PrepConfig.model_validate_json(json.dumps(_sections(folder)))
    except ValidationError as error:
        raise ArtefactError(
            f"`{path}` must hold a configuration of this version, but: {error}."
            " Run the command with `--config FILE`, the configuration you want."
        ) from error


def check_audio(dataset: Dataset) -> None:
    """Checks that a dataset has recordings to be exported.

    Raises:
        UsageError: if they are gone, or if it was imported, and so has none.
    """
    check_voices(dataset)
    if was_imported(dataset.folder):
        raise UsageError(f"`{dataset.folder}` was imported and has codes but no recordings. Add `--no-audio`.")


def was_imported(folder: Path) -> bool:
    """Returns whether a dataset's codes come from outside: no stage made what they are of."""
    encoded = folder / "encode"
    receipts = (read_receipt(encoded, shard) for shard in list_shards(encoded))
    return any(receipt and not receipt.upstream for receipt in receipts)


def check_made_here(dataset: Dataset, names: Sequence[str]) -> None:
    """Checks that stages that take recordings, or what was made of them, have some.

    Raises:
        UsageError: if the dataset was imported, and so has none; names the command that takes the files again.
    """
    of_audio = [name for name in names if name in _OF_AUDIO]
    if of_audio and was_imported(dataset.folder):
        raise UsageError(
            f"`{of_audio[0]}` can't run: `{dataset.folder}` was imported, and has codes but no recordings."
            f" `valle-prep import {dataset.voices} --out {dataset.folder}` takes new and mended files."
        )


_OF_AUDIO = frozenset({"transcribe", "slice", "g2p", "encode", "mix"})
"""The stages that need recordings, or others of these before them."""


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


def configuration(options: "Options", sets: Sequence[str] = ()) -> PrepConfig:
    """Returns what a command's options say: over what the dataset was made with, or over the defaults with `--config`.

    A dataset that goes on keeps what it was made with: leaving an option out isn't to undo the work of days.

    Args:
        options: The command's options.
        sets: More `section.key=value` items, from the command's own options.
    """
    base = {} if options.config else stored_config(options.out).model_dump(mode="json")
    return load_config(PrepConfig, options.config, [*(options.sets or []), *sets], base=base)
