"""Progress of a run, and the checkpoint it resumes from."""

from dataclasses import dataclass
from pathlib import Path

from model.checkpoints.checkpoint import newest, read_config, read_meta
from model.config import TrainConfig
from model.data.source import Store, content_of
from model.network.packing import START, Place
from stages.errors import UsageError


@dataclass(slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Steps done."""
    place: Place = START
    """Place in the data for the next step."""
    skipped: int = 0
    """Steps skipped because the gradient wasn't finite."""
    skipped_last: int = 0
    """Steps skipped in a row up to now."""

    def count(self, place: Place, *, good: bool) -> None:
        """Counts a step; `good` means that its gradient was finite."""
        self.step, self.place = self.step + 1, place
        self.skipped += not good
        self.skipped_last = 0 if good else self.skipped_last + 1


def resumable(config: TrainConfig, store: Store, *, fresh: bool, resume: bool) -> Path | None:
    """Returns the checkpoint to continue from, or None to start a new run.

    Args:
        config: All sections.
        store: The dataset.
        fresh: Refuse to continue an earlier run.
        resume: Continue even if the configuration (except `model`) or the dataset has changed.

    Raises:
        UsageError: if the folder has a run that must not or can't be continued, or no run to `resume`.
        CodecError: if the run's codes are from another codec.
    """
    run = Path(config.trainer.out)
    checkpoint = newest(run)
    if checkpoint is None:
        if resume:
            raise UsageError(f"`trainer.out` must hold a run to resume, but `{run}` has none. Leave `--resume` out.")
        return None
    if fresh:
        raise UsageError(
            f"`trainer.out` must be a new or empty folder with `--fresh`, but `{run}` holds a run up to"
            f" {checkpoint.name}. Name another folder with `--set trainer.out=…`, or remove `{run}`."
        )
    meta = read_meta(checkpoint)
    meta.codec.require(store.codec, config.data.store)
    differing = read_config(checkpoint).differences(config)
    if meta.dataset != content_of(store, config.data):
        differing.append("the dataset's content")
    if any(item.startswith("`model.") for item in differing) or (differing and not resume):
        raise UsageError(
            f"`{checkpoint}` must come from the same configuration to be continued, but these differ:"
            f" {'; '.join(differing)}. Undo that, name another `trainer.out`, or accept it with `--resume`"
            " (the model's shape must stay)."
        )
    return checkpoint
