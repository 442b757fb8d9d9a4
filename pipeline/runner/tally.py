"""What came of a stage, in numbers that add up."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.artefacts.manifest import Receipt
from stages.errors import ExitCode


@dataclass(slots=True)
class Tally:
    """What came of a stage: pieces = outputs + filtered + rejected."""

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
        """Returns the counts, and what it took to come to them."""
        work = {"shards_made": self.shards_made, "shards_kept": self.shards_kept, "seconds": round(self.seconds, 2)}
        return {**self.totals(), **work}


def exit_code(tallies: Sequence[Tally]) -> ExitCode:
    """Returns what a run that came to its end tells the shell."""
    return ExitCode.SOME_REJECTED if any(tally.rejected.total() for tally in tallies) else ExitCode.DONE
