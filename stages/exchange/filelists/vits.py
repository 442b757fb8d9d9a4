"""VITS: lists for `data.training_files`, with the texts and, as its own `preprocess.py` makes them, with phonemes."""

from collections.abc import Sequence
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
            heads = [
                (str(final / line.wav), *((str(speakers[line.speaker]),) if len(speakers) > 1 else ())) for line in part
            ]
            write_lines(folder / file, ((*head, line.text) for head, line in zip(heads, part, strict=True)))
            cleaned = ((*head, line.phonemes) for head, line in zip(heads, part, strict=True))
            write_lines(folder / f"{file}.cleaned", cleaned)


VITS = Trainer("vits", "`train.txt`, `val.txt` and the same with phonemes (`.cleaned`), `speakers.json`", 22_050, write)
