"""Reports of a run: lines of JSON, TensorBoard, and a progress bar or plain lines.

Standard input is never read, so a run needs no terminal.
"""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model.network.decoder import Decoder
from model.network.packing import Batch
from model.training.parallel.strategy import total
from model.training.run.flops import peak_rate, training_flops
from model.training.step.loss import Scores
from stages.records import Wave

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric


class RunLog:
    """Writes reports to `log.jsonl` and `tensorboard/` in the run's folder, and shows them.

    Args:
        run: The run's folder.
        step: The step that the run starts from. Reports of later steps, from before an interruption, are dropped.
        max_steps: The run's last step.
        quiet: Show nothing.
    """

    def __init__(self, run: Path, *, step: int, max_steps: int, quiet: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        run.mkdir(parents=True, exist_ok=True)
        self._path = run / "log.jsonl"
        self._drop_after(step)
        self._file = self._path.open("a", encoding="utf-8")
        self._tensorboard = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)
        self._console = Console(stderr=True, quiet=quiet)
        self._bar: Progress | None = None
        if self._console.is_terminal and not quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=self._console)
            self._task = self._bar.add_task("steps", total=max_steps, completed=step, note="")
            self._bar.start()
        self._max_steps = max_steps

    def _drop_after(self, step: int) -> None:
        if not self._path.is_file():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        if len(kept) < len(lines):
            temporary = self._path.with_suffix(f".{os.getpid()}")
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            temporary.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        self._file.close()
        self._tensorboard.close()

    def step(self, step: int) -> None:
        """Moves the progress bar."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def report(self, step: int, values: Mapping[str, float], remaining_s: float) -> None:
        """Logs a step's values and shows loss, accuracy, word error rate and speed."""
        record = {"step": step, **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._tensorboard.add_scalar(name, value, step)
        shown = [name for name in values if name.endswith(("/loss", "/accuracy", "/wer", "tokens_per_s"))]
        note = "  ".join(f"{name} {values[name]:.4g}" for name in shown)
        if self._bar:
            self._bar.update(self._task, completed=step, note=note)
        else:
            self.say(f"step {step}/{self._max_steps}  {note}  {_clock(remaining_s)} left")

    def audio(self, name: str, wave: Wave, sample_rate: int, step: int) -> None:
        """Adds a mono wave to TensorBoard, clipped to [-1, 1]."""
        self._tensorboard.add_audio(name, torch.from_numpy(wave)[None].clamp(-1, 1), step, sample_rate)

    def picture(self, name: str, picture: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", step: int) -> None:
        """Adds a picture, `[height, width, 3]`, to TensorBoard."""
        self._tensorboard.add_image(name, picture, step, dataformats="HWC")

    def say(self, line: str) -> None:
        """Shows a line of text."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class MuteLog(RunLog):
    """A log that writes and shows nothing, for all processes but the first."""

    def __init__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def step(self, step: int) -> None:
        """Does nothing."""

    def report(self, step: int, values: Mapping[str, float], remaining_s: float) -> None:
        """Does nothing."""

    def say(self, line: str) -> None:
        """Does nothing."""


class Meter:
    """Sums scores, work and time between two reports.

    Args:
        fabric: The devices.
        network: The trained network, for counting operations (see `model.training.run.flops`).
        budget: Positions that fit in a batch.
    """

    def __init__(self, fabric: "Fabric", network: Decoder, *, budget: int) -> None:
        self._step_s = 0.0
        full = fabric.strategy.precision.precision == "32-true"
        rate, source = peak_rate(fabric.device, torch.float32 if full else torch.bfloat16)
        self.peak = f"{rate / 1e12:.3g} TFLOP/s ({source})"
        """One device's peak rate and its source, as text."""
        self._peak = rate * fabric.world_size
        self._fabric, self._network, self._budget = fabric, network, budget
        self._reset()

    def _reset(self) -> None:
        self._scores: Scores | None = None
        self._norms: list[float] = []
        self._steps = 0
        self._work = torch.zeros(4, dtype=torch.float64)
        self._since = time.perf_counter()
        self._paused_s = 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Excludes the time within the context from the rates."""
        started = time.perf_counter()
        yield
        self._paused_s += time.perf_counter() - started

    def seconds(self, steps: int) -> float:
        """Estimates the seconds that a number of steps take, pauses included, from the last report."""
        return self._step_s * steps

    def add(self, scores: Scores, norm: float, batches: Sequence[Batch]) -> None:
        """Counts one step of this device; if its norm isn't finite, only its time and operations."""
        self._steps += 1
        for batch in batches:
            computed = batch.tokens_L.numel()
            documents = batch.lengths, batch.causal, [len(rows) for rows in batch.rows], batch.given
            flops = training_flops(self._network, *documents, before=batch.before)
            work = sum(batch.lengths), computed, max(computed, self._budget), flops
            self._work += torch.tensor(work, dtype=torch.float64)
        if math.isfinite(norm):
            self._scores = scores if self._scores is None else self._scores + scores
            self._norms.append(norm)

    def report(self) -> dict[str, float]:
        """Returns the values since the last report, over all devices, and resets them.

        Returns:
            Losses and accuracies; `grad_norm`, the mean gradient norm; `tokens_per_s`, positions of documents per
            second; `padding_share`, the share of computed positions outside any document (0 for packed documents);
            `budget_unused`, the share of the batches' budget left empty, for which nothing is computed; `tflops_per_s`,
            10^12 operations per second; and `mfu`, their share of the devices' peak rate.
        """
        useful, computed, room, flops = total(self._fabric, self._work).tolist()
        elapsed = time.perf_counter() - self._since
        self._step_s, seconds = elapsed / max(self._steps, 1), elapsed - self._paused_s
        values = {}
        if self._scores:
            values = self._scores.over_devices(partial(total, self._fabric)).report("train")
        if self._norms:
            values["grad_norm"] = sum(self._norms) / len(self._norms)
        values |= {
            "tokens_per_s": useful / seconds,
            "padding_share": 1 - useful / computed,
            "budget_unused": 1 - computed / room,
            "tflops_per_s": flops / seconds / 1e12,
            "mfu": flops / seconds / self._peak,
        }
        self._reset()
        return values


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
