"""Fits training into the memory of a device while every update stays the same: `trainer.fit_gb`.

A packed batch is worked through in parts, whose gradients add up to the batch's: each target has the same weight,
whatever its part. Where that isn't enough, the blocks' activations are computed again in the backward pass.
"""

from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
import torch

from model.config import TrainConfig
from model.data.examples import Examples
from model.device import resolve_precision
from model.network.decoder import Decoder
from model.training.memory import Taught, memory
from stages.errors import UsageError
from stages.machine import memory_bytes

TABLE_GB = 8, 12, 16, 24, 48, 80
"""The GPUs of the dry run's table."""

_BUSY = 4096
"""Positions from which a GPU's multiplications take longer than starting them; smaller parts leave it waiting, so
computing activations again comes first."""
_AGAIN = 4 / 3
"""Time of an update that computes its activations again, of one that doesn't: three passes' worth become four."""
_SAMPLED = 256
"""Utterances of the most frames, and as many others, of which the longest document is drawn."""
_LONGER = 1.1
"""What other draws may add to that document: prompts and tasks differ."""
_SHARES = {"cuda": (0.92, 0.8), "cpu": (0.9, 1.3)}
"""What of a memory is used: its share after fragmentation, less the gigabytes of the process and its libraries. That of
the CPU is measured (`valle bench fit`), that of CUDA isn't yet."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a step fits a memory."""

    positions: int
    """Most positions that are worked through at once; a longer document alone."""
    recomputes: bool
    """Whether the blocks' activations are computed again in the backward pass."""
    gb: float
    """What it takes, in gigabytes, as `memory` estimates it."""
    parts: int
    """Number of parts of a full batch."""

    def describe(self) -> str:
        """Returns it in words, with what it costs."""
        parts = f"{self.parts} parts of {self.positions:,} positions" if self.parts > 1 else "whole batches"
        again = f", activations computed again (about {_AGAIN:.2f} times the time)" if self.recomputes else ""
        return f"{parts}{again}: {self.gb:.1f} GB"

    def applied(self, config: TrainConfig) -> TrainConfig:
        """Returns the configuration that trains so."""
        trainer = config.trainer.model_copy(update={"activation_checkpointing": self.recomputes})
        return config.model_copy(update={"trainer": trainer})


@dataclass(frozen=True, slots=True)
class Demand:
    """What training needs, on a kind of device.

    Args:
        config: All sections.
        network: The network to train; may be on the meta device.
        longest: Positions of the longest document.
        taught: The teacher, if there is one.
    """

    config: TrainConfig
    network: Decoder
    longest: int
    taught: Taught | None = None

    @classmethod
    def of(cls, config: TrainConfig, network: Decoder, examples: Examples, *, taught: Taught | None = None) -> Self:
        """Returns what training on these utterances needs."""
        return cls(config, network, longest(examples, config.trainer.seed), taught)

    def fit(self, limit_gb: float, device: torch.device) -> Fit | None:
        """Returns the fastest way to fit a memory; None if there is none.

        Args:
            limit_gb: The memory, in gigabytes. A part is left to the process, its libraries and gaps.
            device: The device, which need not exist.
        """
        share, own = _SHARES[device.type]
        room = share * limit_gb - own
        ways = (self._way(*way, device) for way in self._ways(busy=device.type == "cuda"))
        return next((way for way in ways if way.gb <= room), None)

    def least(self, device: torch.device) -> float:
        """Returns the smallest memory that `fit` finds a way for, in gigabytes."""
        share, own = _SHARES[device.type]
        return (min(self._way(*way, device).gb for way in self._ways(busy=False)) + own) / share

    def _ways(self, *, busy: bool) -> list[tuple[int, bool]]:
        """Returns positions and whether activations are computed again, the fastest first."""
        whole = self.config.data.batch_tokens
        sizes = [whole]
        while sizes[-1] > self.longest:
            sizes.append(max(-(-sizes[-1] // 2), self.longest))
        again = [(size, True) for size in sizes]
        if self.config.trainer.activation_checkpointing:
            return again
        return [*((size, False) for size in sizes if not busy or size in (whole, max(size, _BUSY))), *again]

    def _way(self, positions: int, recomputes: bool, device: torch.device) -> Fit:
        precision = precision_on(self.config, device)
        needed = memory(
            *(self.config, self.network, device, precision),
            taught=self.taught,
            positions=max(positions, self.longest),
            recomputes=recomputes,
        )
        return Fit(positions, recomputes, needed / 1e9, -(-self.config.data.batch_tokens // positions))


def chosen(demand: Demand, device: torch.device) -> Fit:
    """Returns how training fits `trainer.fit_gb`, or with `auto` the memory of its device.

    Raises:
        UsageError: if it doesn't fit.
    """
    gb = demand.config.trainer.fit_gb or _own_gb(device)
    found = demand.fit(gb, device)
    if found is None:
        raise UsageError(
            f"`trainer.fit_gb` must be at least {_up(demand.least(device))} for this model on `{device}`, but is"
            f" {gb:.3g}. Take a smaller model, `lora.rank`, `trainer.precision` = bf16-true, a lower `data.max_s`, or"
            " several devices with `trainer.strategy` = fsdp."
        )
    return found


def _up(gb: float) -> str:
    """Returns a number that is as large or a tenth larger at most: one that is told must do."""
    return f"{ceil(10 * gb) / 10:g}"


def _own_gb(device: torch.device) -> float:
    """Returns the gigabytes of a device that are free now, or of the machine."""
    return (torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory_bytes()) / 1e9


def table(demand: Demand) -> dict[str, str]:
    """Returns how training fits GPUs of common sizes, in words, by `fit_8_gb` and so on."""
    cuda = torch.device("cuda")
    found = {size: demand.fit(size, cuda) for size in TABLE_GB}
    least = f"doesn't fit: at least {_up(demand.least(cuda))} GB"
    return {f"fit_{size}_gb": fit.describe() if fit else least for size, fit in found.items()}


def longest(examples: Examples, seed: int) -> int:
    """Returns the positions of the longest document that is to be expected."""
    rng = np.random.default_rng(seed)
    frames = examples.store.frames[examples.rows]
    long = examples.rows[np.argsort(frames, kind="stable")[-_SAMPLED:]]
    rows = [*long.tolist(), *rng.permutation(examples.rows)[:_SAMPLED].tolist()]
    return int(_LONGER * max(examples.draw(row, rng).length for row in rows))


def precision_on(config: TrainConfig, device: torch.device) -> str:
    """Returns the precision on a device; of one that isn't here, that of GPUs from Ampere on."""
    if config.trainer.precision == "auto" and device.type == "cuda" and not torch.cuda.is_available():
        return "bf16-mixed"
    return resolve_precision(config.trainer.precision, device)
