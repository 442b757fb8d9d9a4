"""Counts what became of a stage's items."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.artefacts.manifest import Receipt
from stages.errors import ExitCode


@dataclass(slots=True)
class Tally:
    """Counts of one stage, in which pieces = outputs + filtered + rejected."""

    stage: str
    shards_made: int = 0
    shards_kept: int = 0
    inputs: int = 0
    """Items taken."""
    pieces: int = 0
    """Outcomes: more than `inputs` where a stage cuts its items."""
    outputs: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    audio_s: float = 0.0
    """Seconds of audio in the outputs."""
    seconds: float = 0.0
    """Seconds that the stage took."""
    shards_seen: int = 0
    """Shards added so far."""
    finished: bool = False
    """Whether `finish` ran again."""

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Adds the counts of shards."""
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
        """Whether pieces = outputs + filtered + rejected."""
        return self.pieces == self.outputs + self.filtered.total() + self.rejected.total()

    def totals(self) -> dict[str, Any]:
        """Returns the counts as plain JSON values."""
        return {
            "stage": self.stage,
            "inputs": self.inputs,
            "pieces": self.pieces,
            "outputs": self.outputs,
            "filtered": dict(sorted(self.filtered.items())),
            "rejected": dict(sorted(self.rejected.items())),
            "audio_hours": round(self.audio_s / 3600, 6),
        }

    def to_json(self) -> dict[str, Any]:
        """Returns `totals`, and the shards made and kept and the seconds taken."""
        work = {"shards_made": self.shards_made, "shards_kept": self.shards_kept, "seconds": round(self.seconds, 2)}
        return {**self.totals(), **work}


def exit_code(tallies: Sequence[Tally]) -> ExitCode:
    """Returns the exit code of a run that reached its end."""
    return ExitCode.SOME_REJECTED if any(tally.rejected.total() for tally in tallies) else ExitCode.DONE
