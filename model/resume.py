"""Whether and from where a run goes on with what its folder holds."""

from pathlib import Path

from model.checkpoint import newest, read_config, read_meta
from model.config import TrainConfig
from model.dataset import Store, content_of
from stages.errors import UsageError


def resumable(config: TrainConfig, store: Store, *, fresh: bool, resume: bool) -> Path | None:
    """Returns the checkpoint to go on from, None to begin; raises as `model.trainer.train` does."""
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
