"""What a run tells its user: progress while it works, and a closing table that accounts for every item."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.errors import ExitCode
from stages.manifest import Receipt
from stages.scan import Scan

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pipeline.plan import StagePlan

_PLAIN_EVERY_S = 10.0
"""Seconds between two progress lines when the output is no terminal."""
_PLAIN_WIDTH = 120
"""Characters a line when the output is no terminal."""


@dataclass(slots=True)
class StageReport:
    """What came of a stage."""

    stage: str
    shards_made: int = 0
    shards_kept: int = 0
    inputs: int = 0
    pieces: int = 0
    outputs: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    audio_s: float = 0.0
    seconds: float = 0.0
    shards_seen: int = 0
    """Shards counted in."""
    finished: bool = False
    """Whether what needs all shards was made anew."""

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Counts shards in."""
        for receipt in receipts:
            self.shards_seen += 1
            self.inputs += receipt.inputs
            self.pieces += receipt.pieces
            self.outputs += receipt.outputs
            self.filtered.update(receipt.filtered)
            self.rejected.update(receipt.rejected)
            self.audio_s += receipt.audio_s

    @property
    def conserved(self) -> bool:
        """Whether every piece is an output, filtered or rejected."""
        return self.pieces == self.outputs + self.filtered.total() + self.rejected.total()

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain JSON values."""
        return {
            "stage": self.stage,
            "inputs": self.inputs,
            "pieces": self.pieces,
            "outputs": self.outputs,
            "filtered": dict(sorted(self.filtered.items())),
            "rejected": dict(sorted(self.rejected.items())),
            "audio_hours": round(self.audio_s / 3600, 6),
            "shards_made": self.shards_made,
            "shards_kept": self.shards_kept,
            "seconds": round(self.seconds, 2),
        }


def exit_code(reports: Sequence[StageReport]) -> ExitCode:
    """Returns what a run that came to its end tells the shell."""
    return ExitCode.SOME_REJECTED if any(report.rejected.total() for report in reports) else ExitCode.DONE


class Reporter:
    """Shows progress: a live bar on a terminal, plain lines elsewhere, nothing when quiet or for JSON."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet or as_json
        self.as_json = as_json
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._total = self._done = self._rejected = 0
        self._audio_s = 0.0
        self._started = self._shown = 0.0

    def say(self, line: str) -> None:
        """Shows a line, on standard error."""
        if not self.quiet:
            (self._progress.console if self._progress else _console()).print(
                line, highlight=False, markup=False, soft_wrap=True
            )

    def say_found(self, scan: Scan) -> None:
        """Says how many recordings there are, how many have a transcript, and what else lies in the folder."""
        told = sum(bool(recording.transcript) for recording in scan.recordings)
        ignored = ", ".join(f"{count:,} {suffix or 'without suffix'}" for suffix, count in scan.ignored.items())
        also = f"; not taken for recordings: {ignored}" if ignored else ""
        self.say(f"{len(scan.recordings):,} recordings, {told:,} with a transcript{also}")

    def begin(self, stage: str, to_do: int, kept: int) -> None:
        """Says that a stage starts with so many shards to make."""
        self._stage, self._total, self._done, self._rejected, self._audio_s = stage, to_do, 0, 0, 0.0
        self._started = self._shown = time.monotonic()
        if self.quiet or not to_do:
            return
        if _console().is_terminal:
            self._progress = _bar()
            self._progress.start()
            self._task = self._progress.add_task(stage, total=to_do, note=f"{kept} shards kept" if kept else "")
        else:
            self.say(f"{stage}: {to_do} shards to make" + (f", {kept} kept" if kept else ""))

    def advance(self, receipt: Receipt) -> None:
        """Counts a shard that is done."""
        self._done += 1
        self._rejected += sum(receipt.rejected.values())
        self._audio_s += receipt.audio_s
        now = time.monotonic()
        if self._progress and self._task is not None:
            self._progress.update(self._task, advance=1, note=self._note(now))
        elif not self.quiet and now - self._shown >= _PLAIN_EVERY_S:
            self._shown = now
            left = (now - self._started) / self._done * (self._total - self._done)
            self.say(f"{self._stage}: {self._done}/{self._total} shards, {self._note(now)}, {left:.0f} s left")

    def _note(self, now: float) -> str:
        rate = self._audio_s / max(now - self._started, 1e-6)
        rejected = f", {self._rejected} rejected" if self._rejected else ""
        return f"{rate:.0f} h of audio an hour{rejected}"

    def end(self) -> None:
        """Ends the stage's bar."""
        if self._progress:
            self._progress.stop()
        self._progress = self._task = None

    def show_plan(self, plans: "Mapping[str, StagePlan | None]") -> None:
        """Shows what each stage would do: the shards to make, those kept, and why."""
        rows: list[dict[str, Any]] = [
            {"stage": name, "to_do": len(plan.jobs), "kept": len(plan.done), "why": dict(plan.why)}
            if plan
            else {"stage": name, "to_do": None, "kept": None, "why": {"its inputs are yet to be made": 1}}
            for name, plan in plans.items()
        ]
        if self.as_json:
            sys.stdout.write(json.dumps({"plan": rows}, ensure_ascii=False, indent=1) + "\n")
            return
        for row in rows:
            why = ", ".join(f"{reason} ({count})" for reason, count in row["why"].items())
            counts = "to do" if row["to_do"] is None else f"{row['to_do']} shards to make, {row['kept']} kept"
            self.say(f"{row['stage']:<10} {counts}" + (f": {why}" if why else ""))

    def close(self, reports: Sequence[StageReport]) -> None:
        """Shows the closing table, or the JSON on standard output."""
        if self.as_json:
            result = {"stages": [report.to_json() for report in reports], "exit_code": int(exit_code(reports))}
            sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
        elif not self.quiet:
            _console().print(table(reports))
            for line in _reasons(reports):
                self.say(line)


def table(reports: Sequence[StageReport]) -> Any:
    """Returns the closing table, in which pieces = outputs + filtered + rejected."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("stage", no_wrap=True)
    for column in ("inputs", "pieces", "= outputs", "+ filtered", "+ rejected", "hours", "made", "kept", "seconds"):
        shown.add_column(column, justify="right", no_wrap=True)
    for r in reports:
        counts = (r.inputs, r.pieces, r.outputs, r.filtered.total(), r.rejected.total())
        shards = (r.shards_made, r.shards_kept)
        shown.add_row(
            r.stage,
            *map("{:,}".format, counts),
            f"{r.audio_s / 3600:.2f}" if r.audio_s else "",
            *map(str, shards),
            f"{r.seconds:.1f}",
        )
    return shown


def _reasons(reports: Sequence[StageReport]) -> list[str]:
    return [
        f"{report.stage} {kind}: " + ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
        for report in reports
        for kind, reasons in (("filtered", report.filtered), ("rejected", report.rejected))
        if reasons
    ]


def _console() -> "Console":
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=_PLAIN_WIDTH)


def _bar() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=_console(),
    )
