"""Makes the rows of `slice` from a transcript and its cuts, and finds them again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stages.artefacts.formats import rows_of
from stages.base import Filtered, Reject
from stages.records import Segment, Transcript, Utterance
from stages.utterances.filters import THRESHOLD_REASONS

Outcome = Utterance | Filtered | Reject


def row_of(transcript: Transcript, piece: Segment, borders: tuple[int, int], id_: str) -> Utterance:
    """Returns the row of a cut, unmeasured.

    Args:
        transcript: Its recording.
        piece: What is said in it.
        borders: Its first sample and one past its last.
        id_: Its id.
    """
    return Utterance(
        id=id_,
        recording=transcript.id,
        group=transcript.group,
        speaker=piece.speaker or transcript.speaker,
        language=piece.language,
        start_samples=borders[0],
        end_samples=borders[1],
        sample_rate=transcript.sample_rate,
        text=piece.text,
        digest=transcript.digest,
        reading=transcript.reading,
        certainty=piece.certainty,
    )


def measured_row(outcome: Outcome) -> Utterance | None:
    """Returns a cut's row without its gain; None if it was filtered before the thresholds."""
    if isinstance(outcome, Utterance):
        return replace(outcome, gain_db=0.0)
    return outcome.cut if isinstance(outcome, Filtered) and outcome.reason in THRESHOLD_REASONS else None


def place_of_cut(outcome: Outcome) -> tuple[bool, int]:
    """Returns the sort key of an outcome: the start of its cut; those without a cut come last."""
    row = outcome if isinstance(outcome, Utterance) else getattr(outcome, "cut", None)
    return (row is None, row.start_samples if row else 0)


def unchecked(folder: Path, shards: Sequence[str]) -> str:
    """Returns how many rows no second model has heard, by language: `3 in de, 1 in ja`; "" if there are none."""
    found = Counter(row["language"] for row in rows_of(folder, shards) if "again" not in row)
    return ", ".join(f"{count:,} in {language}" for language, count in found.most_common())
