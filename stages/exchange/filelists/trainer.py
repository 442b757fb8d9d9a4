"""The row of a trainer in the table, and what its lists are made of."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.ids import Split

UTTERANCES = "utterances.tsv"
"""Which utterance each wave is."""


@dataclass(frozen=True, slots=True)
class Line:
    """An utterance in a list. No field has a line break or `|`, which separates the fields of all lists."""

    wav: str
    """Path of its wave below the folder."""
    uid: str
    speaker: str
    language: str
    split: Split
    text: str
    """What is said, in words: numbers and abbreviations are written out, as `g2p` read them."""
    phonemes: str


@dataclass(frozen=True, slots=True)
class Trainer:
    """A trainer that lists are written for."""

    name: str
    summary: str
    """What is written, in half a line, for the docs."""
    sample_rate: int
    """Of the waves, in Hz."""
    write: Callable[[Sequence[Line], Path, Path], None]
    """Writes the lists into a folder, given second, which is then renamed to the path given last."""
    languages: tuple[str, ...] = ()
    """Those that it can be trained on; empty: any."""


def speakers_of(lines: Iterable[Line]) -> dict[str, int]:
    """Returns the names of the speakers, sorted, and their numbers."""
    return {name: number for number, name in enumerate(sorted({line.speaker for line in lines}))}


def write_speakers(folder: Path, speakers: Mapping[str, int]) -> None:
    """Writes `speakers.json`: the number of each speaker."""
    (folder / "speakers.json").write_text(json.dumps(speakers, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def by_language(lines: Sequence[Line], name: str) -> dict[str, list[Line]]:
    """Splits a list by language, for trainers that read one: by file name.

    Args:
        lines: The list.
        name: Its file's name; with several languages the code is put before the suffix.
    """
    codes = sorted({line.language for line in lines})
    stem, dot, suffix = name.partition(".")
    names = {code: name if len(codes) == 1 else f"{stem}.{code}{dot}{suffix}" for code in codes}
    return {names[code]: [line for line in lines if line.language == code] for code in codes}


def taught(lines: Iterable[Line]) -> list[Line]:
    """Returns all but the test split, for trainers that hold out a part themselves."""
    return [line for line in lines if line.split != "test"]


def write_lines(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """Writes lines of fields with `|` between them, as trainers read that split at each `|`."""
    path.write_text("".join(f"{'|'.join(fields)}\n" for fields in lines), encoding="utf-8")


def write_table(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """Writes lines as `csv` reads them with `|`: a field with a quotation mark is quoted."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="|", lineterminator="\n").writerows(lines)
