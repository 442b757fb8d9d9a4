"""VITS: lists for `data.training_files`, with the texts and, as its own `preprocess.py` makes them, with phonemes."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, by_language, speakers_of, write_lines, write_speakers


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:
    """Writes `train.txt` and `val.txt`, and the same with phonemes as `….txt.cleaned`.

    A line is `wave|text`, with several speakers `wave|number|text`, whose numbers are in `speakers.json`.
    """
    speakers = speakers_of(lines)
    write_speakers(folder, speakers)
    for split, name in (("train", "train.txt"), ("validation", "val.txt")):
        for file, part in by_language([line for line in lines if line.split == split], name).items():
            for ending, said in (("", attrgetter("text")), (".cleaned", attrgetter("phonemes"))):
                rows = ((*_head(line, speakers, final), said(line)) for line in part)
                write_lines(folder / f"{file}{ending}", rows)


def _head(line: Line, speakers: Mapping[str, int], final: Path) -> tuple[str, ...]:
    wave = str(final / line.wav)
    return (wave, str(speakers[line.speaker])) if len(speakers) > 1 else (wave,)


VITS = Trainer("vits", "`train.txt`, `val.txt` and the same with phonemes (`.cleaned`), `speakers.json`", 22_050, write)
