"""Writes checkpoints atomically in a thread beside training, and removes old ones.

`model.checkpoints.checkpoint` describes and reads them.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from model.checkpoints.checkpoint import FORMAT, Meta, checkpoint_folder, newest, ranked, steps
from model.config import TrainConfig
from model.sequences.tokenizer import Tokenizer
from stages.artefacts.disk import sync
from stages.errors import MachineError

_MIB = 2**20
_REFUSED = (OSError, RuntimeError, SafetensorError)
"""The errors that the writing libraries raise when the disk fails."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of a checkpoint to write; nothing else may change its tensors."""

    weights: Mapping[str, Tensor]
    """The weights for synthesis."""
    trainer: Mapping[str, Any]
    """The trainer's state: tensors and plain values in dictionaries and lists."""
    config: TrainConfig
    tokenizer: Tokenizer
    meta: Meta

    @property
    def num_bytes(self) -> int:
        """Total size of the tensors."""
        return sum(tensor.nbytes for tensor in [*self.weights.values(), *_tensors(self.trainer)])


def _tensors(tree: Any) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _tensors(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _tensors(value)


def write(run: Path, snapshot: Snapshot) -> Path:
    """Writes a checkpoint into a run's folder; an existing one of the same step is kept.

    Returns:
        The checkpoint's folder.

    Raises:
        MachineError: if the disk is full or can't be written to; the message gives the space needed and names the last
            checkpoint.
    """
    final = checkpoint_folder(run, snapshot.meta.step)
    if final.is_dir():
        return final
    temporary = final.parent / f".{final.name}"
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        for unfinished in final.parent.glob(".step-*"):
            shutil.rmtree(unfinished)
        if snapshot.num_bytes > shutil.disk_usage(final.parent).free:
            raise OSError("the disk is too full")
        temporary.mkdir()
        _fill(temporary, snapshot)
        temporary.rename(final)
        sync(final.parent)
    except _REFUSED as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise MachineError(_message(run, final, snapshot.num_bytes, error)) from error
    return final


def _fill(folder: Path, snapshot: Snapshot) -> None:
    save_file(dict(snapshot.weights), folder / "model.safetensors", {"format": "pt"})
    torch.save(snapshot.trainer, folder / "trainer.pt")
    (folder / "config.json").write_text(snapshot.config.model_dump_json(indent=1), encoding="utf-8")
    snapshot.tokenizer.save(folder / "tokenizer.json")
    about = {"format": FORMAT, **asdict(snapshot.meta), "codec": snapshot.meta.codec.to_json()}
    (folder / "meta.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    for path in [*folder.iterdir(), folder]:
        sync(path)


def _message(run: Path, folder: Path, needed: int, error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    last = newest(run)
    where = f"The last checkpoint is `{last}`" if last else "No checkpoint was written yet"
    return (
        f"`{folder}` can't be written: {reason}. It needs {needed / _MIB:,.0f} MiB, {free / _MIB:,.0f} MiB are free."
        f" {where}. Make room, or lower `trainer.keep` or `trainer.keep_best`, and run the same command to go on."
    )


def prune(run: Path, *, keep: int, keep_best: int) -> None:
    """Removes all checkpoints but the newest `keep` and the `keep_best` with the best validation loss."""
    kept = {folder for _, folder in steps(run)[-keep:]} | {folder for _, folder in ranked(run)[:keep_best]}
    for _, folder in steps(run):
        if folder not in kept:
            shutil.rmtree(folder)


class Saver:
    """Writes checkpoints one after the other in a thread, while training continues.

    Args:
        run: The run's folder.
        keep: How many of the newest checkpoints to keep.
        keep_best: How many of those with the best validation loss to keep as well.
    """

    def __init__(self, run: Path, *, keep: int, keep_best: int) -> None:
        self.run, self.keep, self.keep_best = run, keep, keep_best
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Waits until the last checkpoint is written; raises its error unless another one is already raised."""
        self._thread.shutdown()
        if kind is None:
            self.wait()

    def save(self, snapshot: Snapshot) -> None:
        """Starts writing a checkpoint after waiting for the one before; raises as `wait` does."""
        self.wait()
        self._pending = self._thread.submit(self._write, snapshot)

    def _write(self, snapshot: Snapshot) -> None:
        write(self.run, snapshot)
        prune(self.run, keep=self.keep, keep_best=self.keep_best)

    @property
    def failed(self) -> bool:
        """Whether writing the last checkpoint failed; `wait` raises its error."""
        return self._pending is not None and self._pending.done() and self._pending.exception() is not None

    def settle(self) -> None:
        """Waits until nothing is left to write, and ignores failures."""
        if self._pending:
            self._pending.exception()

    def wait(self) -> None:
        """Waits until nothing is left to write; raises `MachineError` if writing failed."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def is_best(self, loss: float) -> bool:
        """Returns whether a checkpoint with this validation loss would be among the `keep_best`."""
        self.settle()
        return sum(value <= loss for value, _ in ranked(self.run)) < self.keep_best
