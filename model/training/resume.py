"""How far a run is; whether and from where it goes on with what its folder holds."""

from dataclasses import dataclass
from pathlib import Path

from model.checkpoints.checkpoint import newest, read_config, read_meta
from model.config import TrainConfig
from model.data.source import Store, content_of
from model.network.packing import START, Place
from stages.errors import UsageError


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    place: Place = START
    skipped: int = 0
    """Steps whose gradient wasn't finite."""
    skipped_last: int = 0
    """Those of them since the last good one."""

    def count(self, place: Place, *, good: bool) -> None:
        """Counts a step."""
        self.step, self.place = self.step + 1, place
        self.skipped += not good
        self.skipped_last = 0 if good else self.skipped_last + 1


def resumable(config: TrainConfig, store: Store, *, fresh: bool, resume: bool) -> Path | None:
    """Returns the checkpoint to go on from, None to begin; raises as `model.training.trainer.train` does."""
    run = Path(config.trainer.out)
    found = newest(run)
    if found is None:
        if resume:
            raise UsageError(f"`trainer.out` must hold a run to resume, but `{run}` has none. Leave `--resume` out.")
        return None
    if fresh:
        raise UsageError(
            f"`trainer.out` must be a new or empty folder with `--fresh`, but `{run}` holds a run up to {found.name}."
            f" Name another folder with `--set trainer.out=…`, or remove `{run}`."
        )
    meta = read_meta(found)
    meta.codec.require(store.codec, config.data.store)
    differing = read_config(found).differences(config)
    if meta.dataset != content_of(store, config.data):
        differing.append("the dataset's content")
    if any(item.startswith("`model.") for item in differing) or (differing and not resume):
        raise UsageError(
            f"`{found}` must come from the same configuration to go on with it, but these differ:"
            f" {'; '.join(differing)}. Undo that, name another `trainer.out`, or accept it with `--resume`"
            " (the model's shape must stay)."
        )
    return found
