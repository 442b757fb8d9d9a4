"""The dataset's folder: where things are, and the configuration it was made with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipeline.config import STAGES, PrepConfig, stage_class
from stages.artefacts.manifest import COMPLETE, list_shards, read_receipt, read_sealed, write_sealed
from stages.cleaning.cleaned import sound_of
from stages.config import load_config
from stages.encode import of_earlier
from stages.errors import ArtefactError, MissingInputError, UsageError
from stages.ids import Place, id_of, path_of
from stages.remote import files as remote
from stages.remote.paths import path_from
from stages.remote.stores import is_url

if TYPE_CHECKING:
    from pipeline.options import Options

RECORDINGS = "recordings"
"""Folder of the scanned recordings, the input of the first stage."""
HEAD = "dataset.json"
"""File with the path of the voices and each stage's section of the configuration, as last used."""
REJECTS = "rejects.jsonl"
"""File with all rejects of a finished stage, one per line: `id, path, stage, reason, message, hint`."""
DIGESTS = ".digests.sqlite"
"""The file of the `DigestCache`."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's folder, and the folder of the recordings it is made from."""

    folder: Path
    voices: Path
    recordings: Path | None = None
    """Where the scan is written if not to `folder`: a dry run writes nothing there."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """Each stage's section of the configuration, as last used."""

    @property
    def raw(self) -> str:
        """The format of recordings without a header, as last used; "" if none was told."""
        return self.sections.get("transcribe", {}).get("raw") or ""

    @property
    def cleaner(self) -> str:
        """What cleaned the recordings, as last used; "" if they are used as they are."""
        return self.sections.get("clean", {}).get("cleaner") or ""

    def sound(self, recording: str) -> Place:
        """Returns where the sound of a recording lies, by its id. Raises `AudioError` as `sound_of` does."""
        return sound_of(self.voices, self.folder, recording, raw=self.raw, is_cleaned=bool(self.cleaner))

    def stage(self, name: str) -> Path:
        """Returns the folder of a stage."""
        return self.recordings if self.recordings and name == RECORDINGS else self.folder / name


def stages_of(dataset: Dataset) -> list[str]:
    """Returns the names of the stages, in order, without optional ones that never ran on this dataset.

    Nor with `clean` where its output isn't used any more.
    """
    ran = [name for name in STAGES if not stage_class(name).optional or list_shards(dataset.stage(name))]
    return [name for name in ran if name != "clean" or dataset.cleaner]


def open_dataset(folder: Path, *, damaged: bool = False) -> Dataset:
    """Opens an existing dataset.

    Args:
        folder: The dataset's folder.
        damaged: Whether to accept a damaged `dataset.json`. The path of the recordings is then unknown: `Path()`.

    Raises:
        MissingInputError: if there is no dataset; names the command that makes it.
        ArtefactError: if `dataset.json` is damaged.
    """
    _check_on_disk(folder)
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
            f"`{path}` is damaged: the paths and settings of the dataset are lost."
            f" Run `valle-prep run VOICES --out {folder}` with the same options as before: that mends it."
        )
    voices = path_from(path_of(head["voices"]))
    if not damaged:
        remote.attach(voices, folder)
    return Dataset(folder, voices, sections=head["config"])


def new_dataset(folder: Path, voices: Path, *, recordings: Path | None = None) -> Dataset:
    """Returns the dataset to make, or update, from a folder of recordings; writes nothing.

    Args:
        folder: The dataset's folder.
        voices: The folder of recordings.
        recordings: Where to write the scan if not to `folder`.

    Raises:
        UsageError: if `folder` is a file, or lies inside `voices`.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`--out {folder}` must be a folder, but is a file.")
    _check_on_disk(folder)
    if voices.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"`--out {folder}` must not lie in the folder of the recordings: that is never written to.")
    return Dataset(folder, voices.resolve(), recordings, sections_of(folder))


def _check_on_disk(folder: Path) -> None:
    scheme, *_ = (*folder.parts, "")
    if is_url(f"{scheme}//") and not Path(scheme).exists():
        raise UsageError(
            f"`--out` must be a folder on a disk that all workers share, but is the URL of a store (`{scheme}//…`)."
        )


def make_folder(folder: Path) -> None:
    """Creates a dataset's folder.

    Raises:
        UsageError: if it can't be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"`--out {folder}` can't be written to: {error.strerror}. Name another folder.") from error


def write_head(dataset: Dataset, config: PrepConfig, names: Sequence[str]) -> None:
    """Writes `dataset.json`: the path of the voices, the sections of these stages, and the keys that they borrow.

    Other sections stay.
    """
    sections = {**dataset.sections, **{name: getattr(config, name).model_dump(mode="json") for name in names}}
    for section, key in (borrowed for name in names for borrowed in stage_class(name).borrows):
        value = getattr(getattr(config, section), key)
        if section not in sections and value == getattr(getattr(PrepConfig(), section), key):
            continue  # a stage that never ran isn't mentioned
        sections[section] = {**sections.get(section, {}), key: value}
    head = {"voices": id_of(str(dataset.voices)), "config": sections}
    if read_sealed(dataset.folder / HEAD) != head:
        write_sealed(dataset.folder / HEAD, head)


def sections_of(folder: Path) -> dict[str, Any]:
    """Returns each stage's section, as last used; from the finished stages if `dataset.json` is damaged."""
    head = read_sealed(folder / HEAD)
    if head:
        return dict(head["config"])
    sections = {name: read_sealed(folder / name / COMPLETE).get("parameters") for name in STAGES}
    return {name: section for name, section in sections.items() if section}


def stored_config(folder: Path) -> PrepConfig:
    """Returns the configuration each stage was last run with; defaults for stages that never ran.

    Raises:
        ArtefactError: if another version of this program wrote it, with other keys.
    """
    path = folder / HEAD
    sections = sections_of(folder)
    if "encode" in sections:
        sections["encode"] = of_earlier(sections["encode"])
    try:
        return PrepConfig.model_validate_json(json.dumps(sections))
    except ValidationError as error:
        raise ArtefactError(
            f"`{path}` must hold a configuration of this version, but: {error}."
            " Give the configuration you want with `--config FILE`."
        ) from error


def check_audio(dataset: Dataset) -> Path:
    """Returns the folder of a dataset's recordings, which are to be exported.

    Raises:
        UsageError: if they are gone, or the dataset was imported and has none.
    """
    check_voices(dataset)
    if was_imported(dataset.folder):
        raise UsageError(f"`{dataset.folder}` was imported and has codes but no recordings. Add `--no-audio`.")
    return dataset.voices


def was_imported(folder: Path) -> bool:
    """Returns whether a dataset's codes were imported, and not made from recordings."""
    encoded = folder / "encode"
    receipts = (read_receipt(encoded, shard) for shard in list_shards(encoded))
    return any(receipt and not receipt.upstream for receipt in receipts)


def check_made_here(dataset: Dataset, names: Sequence[str]) -> None:
    """Checks that stages that need recordings aren't run on an imported dataset.

    Raises:
        UsageError: if one is; names the command that imports new files.
    """
    of_audio = [name for name in names if name in _OF_AUDIO]
    if of_audio and was_imported(dataset.folder):
        raise UsageError(
            f"`{of_audio[0]}` needs recordings, but `{dataset.folder}` was imported and has only codes."
            f" To add or replace files, run `valle-prep import {dataset.voices} --out {dataset.folder}`."
        )


def check_cleaned(dataset: Dataset, config: PrepConfig, names: Sequence[str]) -> None:
    """Checks that stages that don't begin with the recordings find them cleaned as the configuration says.

    Raises:
        UsageError: if they don't.
    """
    wanted = config.clean.cleaner or ""
    if wanted != dataset.cleaner and not {"clean", "transcribe"} & set(names):
        made = f"was made with `{dataset.cleaner}`" if dataset.cleaner else "was made without one"
        raise UsageError(
            f"`clean.cleaner` = {wanted or 'null'} must be as in `{dataset.folder}`, which {made}. To change it, run"
            f" `valle-prep run {dataset.voices} --out {dataset.folder} --set clean.cleaner={wanted or 'null'}`."
        )


_OF_AUDIO = frozenset({"clean", "transcribe", "slice", "g2p", "encode", "mix"})
"""Stages that need recordings, directly or through an earlier stage."""


def check_voices(dataset: Dataset) -> None:
    """Checks that the folder of recordings is still there.

    Raises:
        UsageError: if it is gone. Without this check every recording would be rejected.
    """
    if not dataset.voices.is_dir():
        raise UsageError(
            f"`{dataset.voices}`, the folder of the recordings, isn't there. Bring it back, or give its new place:"
            f" `valle-prep transcribe VOICES --out {dataset.folder}`."
        )


def configuration(options: "Options", sets: Sequence[str] = ()) -> PrepConfig:
    """Returns the configuration of a command.

    Starts from the dataset's stored configuration, or from the defaults if `--config` is given: leaving out an option
    must not undo the work of days.

    Args:
        options: The command's options.
        sets: More `section.key=value` items, from the command's own options.

    Raises:
        ConfigError: if a key or value is wrong.
        ArtefactError: if the stored configuration is of another version.
    """
    base = {} if options.config else stored_config(options.out).model_dump(mode="json")
    return load_config(PrepConfig, options.config, [*(options.sets or []), *sets], base=base)
