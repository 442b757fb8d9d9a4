"""GPT-SoVITS: the `.list` of its data preparation, which reads four fields and passes over other languages."""

from collections.abc import Sequence
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, taught, write_lines

LANGUAGES = ("zh", "ja", "en", "ko", "yue")


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:
    """Writes `train.list`: `wave|speaker|language|text`."""
    rows = ((str(final / line.wav), line.speaker, line.language, line.text) for line in taught(lines))
    write_lines(folder / "train.list", rows)


GPT_SOVITS = Trainer("gpt-sovits", "`train.list`; languages zh, ja, en, ko, yue", 32_000, write, LANGUAGES)
