"""F5-TTS: the file that its `prepare_csv_wavs.py` reads, which demands absolute paths."""

from collections.abc import Sequence
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, taught, write_table


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:
    """Writes `metadata.csv` with a header: `audio_file|text`."""
    rows = ((str(final / line.wav), line.text) for line in taught(lines))
    write_table(folder / "metadata.csv", [("audio_file", "text"), *rows])


F5 = Trainer("f5", "`metadata.csv` with absolute paths", 24_000, write)
