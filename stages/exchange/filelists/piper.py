"""Piper: the file of `--data.csv_path`; its `--data.audio_dir` is the folder."""

from collections.abc import Sequence
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, by_language, speakers_of, taught, write_table


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `metadata.csv`, one a language: `wave|text`, with several speakers `wave|speaker|text`."""
    for file, part in by_language(taught(lines), "metadata.csv").items():
        several = len(speakers_of(part)) > 1
        rows = ((line.wav, *((line.speaker,) if several else ()), line.text) for line in part)
        write_table(folder / file, rows)


PIPER = Trainer("piper", "`metadata.csv`, one a language", 22_050, write)
