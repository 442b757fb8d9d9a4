"""What ends a training before its time, told in a line."""

from pathlib import Path

import torch

from model.checkpoints.checkpoint import newest

_FULL = ("not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What PyTorch's allocators say, in errors that have no type of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error means that the memory of a device is full."""
    typed = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return typed or (isinstance(error, RuntimeError) and any(words in str(error) for words in _FULL))


def out_of_memory(device: torch.device, step: int, positions: int, run: Path) -> str:
    """Returns what to say when the memory is full, of a step with so many positions in its largest batch."""
    return (
        f"the memory of `{device}` is full at step {step}, with {positions:,} positions in a batch. {_kept(run)}."
        " Lower `data.batch_tokens` and raise `trainer.accumulate` as much, or set `trainer.activation_checkpointing`,"
        " and give the same command with `--resume`."
    )


def not_finite(norm: float, step: int, skipped: int, run: Path) -> str:
    """Returns what to say when the gradient is no number any more, after so many steps skipped for that."""
    after = f", after {skipped} steps skipped for that (`trainer.max_skips`)" if skipped else ""
    return (
        f"the gradient's norm must be finite, but is {norm} at step {step}{after}. {_kept(run)}."
        " Lower `optimizer.lr` or `optimizer.clip_norm`, or lengthen `optimizer.warmup_steps`."
    )


def _kept(run: Path) -> str:
    kept = newest(run)
    return f"The last checkpoint is `{kept}`" if kept else "No checkpoint was written yet"
