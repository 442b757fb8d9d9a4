"""Shows progress during a run and, at its end, a table that accounts for every item."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.runner.tally import Tally, exit_code
from stages.artefacts.manifest import Receipt

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pipeline.cluster.cluster import Cluster
    from pipeline.dataset.recordings import ScanCounts
    from pipeline.runner.plan import StagePlan

_PLAIN_EVERY_S = 10.0
"""Seconds between two progress lines if the output isn't a terminal."""
_PLAIN_WIDTH = 120
"""Characters per line if the output isn't a terminal."""


class Reporter:
    """Shows progress: a live bar on a terminal, plain lines elsewhere, nothing if quiet or for JSON."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet or as_json
        self.as_json = as_json
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._stage = self._workers = ""
        self._total = self._done = self._rejected = 0
        self._audio_s = 0.0
        self._started = self._shown = 0.0

    def say(self, line: str) -> None:
        """Prints a line on standard error."""
        if not self.quiet:
            (self._progress.console if self._progress else _console()).print(
                line, highlight=False, markup=False, soft_wrap=True
            )

    def say_found(self, found: "ScanCounts") -> None:
        """Prints the numbers of recordings, of those with a transcript, and of other files by suffix."""
        ignored = ", ".join(f"{count:,} {suffix or 'without suffix'}" for suffix, count in found.ignored.items())
        also = f"; ignored files: {ignored}" if ignored else ""
        self.say(f"{found.recordings:,} recordings, {found.with_transcript:,} with a transcript{also}")

    def reading(self, done: int, total: int) -> None:
        """Prints now and then how many recordings have been read for their checksums."""
        now = time.monotonic()
        self._shown = self._shown or now
        if now - self._shown >= _PLAIN_EVERY_S:
            self._shown = now
            self.say(f"checksums: {done:,}/{total:,} recordings")

    def begin(self, stage: str, plan: "StagePlan", cluster: "Cluster") -> None:
        """Announces a stage, its work and, if they have changed, the workers."""
        self._stage, self._total = stage, sum(todo.inputs for todo in plan.todo)
        self._done, self._rejected, self._audio_s = 0, 0, 0.0
        self._started = self._shown = time.monotonic()
        if self.quiet:
            return
        workers, before, self._workers = cluster.describe(), self._workers, cluster.describe()
        if workers != before:
            self.say(workers)
        kept = f", {len(plan.sealed)} shards kept" if plan.sealed else ""
        if _console().is_terminal:
            self._progress = _bar()
            self._progress.start()
            self._task = self._progress.add_task(stage, total=self._total, note=kept.removeprefix(", "))
        else:
            self.say(f"{stage}: {self._total:,} items in {len(plan.todo)} shards to make{kept}")

    def advance(self, receipt: Receipt) -> None:
        """Counts a finished shard."""
        self._done += receipt.inputs
        self._rejected += sum(receipt.rejected.values())
        self._audio_s += receipt.audio_s
        now = time.monotonic()
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=self._done, note=self._note(now))
        elif not self.quiet and now - self._shown >= _PLAIN_EVERY_S:
            self._shown = now
            left = (now - self._started) / max(self._done, 1) * (self._total - self._done)
            self.say(f"{self._stage}: {self._done:,}/{self._total:,} items, {self._note(now)}, {_time(left)} left")

    def _note(self, now: float) -> str:
        rate = self._audio_s / max(now - self._started, 1e-6)
        rejected = f", {self._rejected:,} rejected" if self._rejected else ""
        return f"{rate:.{0 if rate >= 10 else 2}f} h of audio an hour{rejected}"

    def end(self) -> None:
        """Removes the progress bar."""
        if self._progress:
            self._progress.stop()
        self._progress = self._task = None

    def done(self, tally: Tally) -> None:
        """Announces that a stage is done, if it made any shards."""
        if tally.shards_made:
            rejected = f", {tally.rejected.total():,} rejected" if tally.rejected else ""
            self.say(f"{tally.stage}: done, {tally.outputs:,} outputs{rejected}, {_time(tally.seconds)}")

    def show_plan(self, rows: Sequence[Mapping[str, Any]], *, explain: bool) -> None:
        """Shows the plan of each stage (the rows of `session._plan_rows`); with `explain` also each shard."""
        if self.as_json:
            sys.stdout.write(json.dumps({"plan": rows}, ensure_ascii=False, indent=1) + "\n")
            return
        from rich.table import Table

        shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in ("stage", "shards to do", "done", "items", "hours", "time", "disk", "why"):
            shown.add_column(column, justify="left" if column in {"stage", "why"} else "right", no_wrap=column != "why")
        for row in rows:
            to_do = "all" if row["to_do"] is None else str(row["to_do"])
            hours = "?" if row["hours"] is None else f"{row['hours']:.2f}"
            taken = "?" if row["seconds"] is None else _time(row["seconds"])
            disk = f"{row['bytes'] / 2**20:,.1f} MiB"
            why = ", ".join(f"{reason} ({count})" if count else reason for reason, count in row["why"].items())
            shown.add_row(row["stage"], to_do, str(row["kept"]), f"{row['items']:,}", hours, taken, disk, why)
        if not self.quiet:
            _console().print(shown)
        for row in rows if explain else ():
            for shard in row["shards"]:
                self.say(f"{row['stage']} {shard['shard']}: {shard['why']}, {shard['items']} items")

    def show_import(self, files: int, codec: str) -> None:
        """Shows how many files of codes `import` would import, and their codec."""
        if self.as_json:
            sys.stdout.write(json.dumps({"files": files, "codec": codec}) + "\n")
        self.say(f"{files:,} files of codes would be imported ({codec})")

    def close(self, tallies: Sequence[Tally]) -> None:
        """Shows the closing table, or prints JSON on standard output."""
        if self.as_json:
            result = {"stages": [tally.to_json() for tally in tallies], "exit_code": int(exit_code(tallies))}
            sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
        elif not self.quiet:
            _console().print(table(tallies))
            for line in _reasons(tallies):
                self.say(line)


def table(tallies: Sequence[Tally]) -> Any:
    """Builds the closing table, in which pieces = outputs + filtered + rejected."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("stage", no_wrap=True)
    for column in ("inputs", "pieces", "= outputs", "+ filtered", "+ rejected", "hours", "made", "kept", "seconds"):
        shown.add_column(column, justify="right", no_wrap=True)
    for t in tallies:
        counts = (t.inputs, t.pieces, t.outputs, t.filtered.total(), t.rejected.total())
        shards = (t.shards_made, t.shards_kept)
        shown.add_row(
            t.stage,
            *map("{:,}".format, counts),
            f"{t.audio_s / 3600:.2f}" if t.audio_s else "",
            *map(str, shards),
            f"{t.seconds:.1f}",
        )
    return shown


def _reasons(tallies: Sequence[Tally]) -> list[str]:
    return [
        f"{tally.stage} {kind}: " + ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
        for tally in tallies
        for kind, reasons in (("filtered", tally.filtered), ("rejected", tally.rejected))
        if reasons
    ]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


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
