"""XTTS: the files that Coqui's formatter `coqui` reads."""

from collections.abc import Sequence
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, by_language, write_table


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `metadata_train.csv` and `metadata_eval.csv`, one a language: `audio_file|text|speaker_name`."""
    for split, name in (("train", "metadata_train.csv"), ("validation", "metadata_eval.csv")):
        for file, part in by_language([line for line in lines if line.split == split], name).items():
            rows = ((line.wav, line.text, line.speaker) for line in part)
            write_table(folder / file, [("audio_file", "text", "speaker_name"), *rows])


XTTS = Trainer("xtts", "`metadata_train.csv` and `metadata_eval.csv`, one a language", 22_050, write)
