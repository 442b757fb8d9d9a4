"""Writing checkpoints: whole or not at all, beside the training, and only as many as are asked for.

`model.checkpoints.checkpoint` says what is in one and reads it.
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
"""What the libraries that write say when the disk refuses."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a checkpoint is written from: tensors that nothing else changes any more."""

    weights: Mapping[str, Tensor]
    """What the model speaks with."""
    trainer: Mapping[str, Any]
    """What training goes on with: tensors and plain values in dictionaries and lists."""
    config: TrainConfig
    tokenizer: Tokenizer
    meta: Meta

    @property
    def num_bytes(self) -> int:
        """Room that the tensors take."""
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
    """Writes a checkpoint into a run's folder; one of that step that is there already stays.

    Returns:
        The checkpoint's folder.

    Raises:
        MachineError: if the disk is full or can't be written to; says what was needed, and what is left to go on from.
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
        raise MachineError(_refused(run, final, snapshot.num_bytes, error)) from error
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


def _refused(run: Path, folder: Path, needed: int, error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    kept = newest(run)
    where = f"The last checkpoint is `{kept}`" if kept else "No checkpoint was written yet"
    return (
        f"`{folder}` can't be written: {reason}. It needs {needed / _MIB:,.0f} MiB, {free / _MIB:,.0f} MiB are free."
        f" {where}. Make room, or lower `trainer.keep` or `trainer.keep_best`, and give the same command to go on."
    )


def prune(run: Path, *, keep: int, keep_best: int) -> None:
    """Removes all checkpoints but the newest `keep` and the `keep_best` that validated best."""
    kept = {folder for _, folder in steps(run)[-keep:]} | {folder for _, folder in ranked(run)[:keep_best]}
    for _, folder in steps(run):
        if folder not in kept:
            shutil.rmtree(folder)


class Saver:
    """Writes checkpoints in a thread, one after the other, while training goes on.

    Args:
        run: The run's folder.
        keep: How many of the newest to keep.
        keep_best: How many of those that validated best to keep.
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
        """Waits until the last one is written; its failure is told unless there is another to tell."""
        self._thread.shutdown()
        if kind is None:
            self.wait()

    def save(self, snapshot: Snapshot) -> None:
        """Begins to write a checkpoint once the one before is written; raises as `wait` does for that one."""
        self.wait()
        self._pending = self._thread.submit(self._write, snapshot)

    def _write(self, snapshot: Snapshot) -> None:
        write(self.run, snapshot)
        prune(self.run, keep=self.keep, keep_best=self.keep_best)

    @property
    def failed(self) -> bool:
        """Whether the last one couldn't be written; `wait` then says why."""
        return self._pending is not None and self._pending.done() and self._pending.exception() is not None

    def settle(self) -> None:
        """Returns when nothing is left to write, whether it could be written or not."""
        if self._pending:
            self._pending.exception()

    def wait(self) -> None:
        """Returns when nothing is left to write; raises `MachineError` if the last one couldn't be."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def is_best(self, loss: float) -> bool:
        """Returns whether a checkpoint of this validation loss would be kept as one of the best."""
        self.settle()
        return sum(value <= loss for value, _ in ranked(self.run)) < self.keep_best
