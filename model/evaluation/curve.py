"""What a run's log says about its course: a picture of it, and the values at each validation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import MissingInputError

_COLUMNS = {
    "step": ("step", "{:,.0f}"),
    "validation/loss": ("loss", "{:.3f}"),
    "validation/loss_0": ("codebook 0", "{:.3f}"),
    "validation/accuracy_0": ("its accuracy", "{:.3f}"),
    "validation/loss_nar": ("others", "{:.3f}"),
    "validation/alignment": ("alignment", "{:.3f}"),
    "validation/wer": ("WER of samples", "{:.2f}"),
}
"""Shown values: heading and format."""


@dataclass(frozen=True, slots=True)
class Milestones:
    """The validations of a run."""

    rows: list[dict[str, float]]

    def table(self) -> str:
        """Formats them as a table in Markdown; columns that were never measured are left out."""
        shown = {name: column for name, column in _COLUMNS.items() if any(name in row for row in self.rows)}
        lines = [[heading for heading, _ in shown.values()], ["---"] * len(shown)]
        lines += [
            [form.format(row[name]) if name in row else "-" for name, (_, form) in shown.items()] for row in self.rows
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_log(log: Path) -> list[dict[str, Any]]:
    """Returns the reports of a run, by step; raises `MissingInputError` if there are none."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MissingInputError(f"`{log}` must be the log of `valle train`, but can't be read: {error}.") from error
    return [json.loads(line) for line in lines if line.endswith("}")]


def milestones(log: Path) -> Milestones:
    """Returns what was reported at each validation."""
    return Milestones(
        [{name: one[name] for name in _COLUMNS if name in one} for one in read_log(log) if "validation/loss" in one]
    )


def draw_curve(log: Path, path: Path) -> None:
    """Draws losses, and below them the samples' word error rate and alignment, into a PNG file."""
    from matplotlib.figure import Figure

    reports = read_log(log)
    figure = Figure(figsize=(7, 5), dpi=110, layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    for axes, names in (
        (upper, ("train/loss", "validation/loss")),
        (lower, ("validation/wer", "validation/alignment")),
    ):
        for name in names:
            points = [(one["step"], one[name]) for one in reports if name in one]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, marker="." if name.startswith("validation") else "")
                axes.legend()
    lower.set_xlabel("step")
    figure.savefig(path)
