"""Error messages for failures that end training early."""

from pathlib import Path

import torch

from model.checkpoints.checkpoint import newest

_FULL = ("not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Messages of PyTorch's allocators whose errors have no type of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error means that a device's memory is full."""
    typed = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return typed or (isinstance(error, RuntimeError) and any(words in str(error) for words in _FULL))


def out_of_memory(device: torch.device, step: int, positions: int, run: Path) -> str:
    """Returns the error message for full memory.

    Args:
        device: The device.
        step: The step that failed.
        positions: Positions of the step's largest batch.
        run: The run's folder.
    """
    return (
        f"the memory of `{device}` is full at step {step}, with {positions:,} positions in a batch. {_kept(run)}."
        " Set `trainer.fit_gb` to less than the memory, or lower `data.batch_tokens` and raise `trainer.accumulate` as"
        " much, and run the same command with `--resume`."
    )


def not_finite(norm: float, step: int, skipped: int, run: Path) -> str:
    """Returns the error message for a gradient that isn't finite.

    Args:
        norm: The gradient's norm.
        step: The step that failed.
        skipped: Steps already skipped for this reason (`trainer.max_skips`).
        run: The run's folder.
    """
    after = f", after {skipped} skipped steps (`trainer.max_skips`)" if skipped else ""
    return (
        f"the gradient's norm must be finite, but is {norm} at step {step}{after}. {_kept(run)}."
        " Lower `optimizer.lr` or `optimizer.clip_norm`, or lengthen `optimizer.warmup_steps`."
    )


def _kept(run: Path) -> str:
    kept = newest(run)
    return f"The last checkpoint is `{kept}`" if kept else "No checkpoint was written yet"
