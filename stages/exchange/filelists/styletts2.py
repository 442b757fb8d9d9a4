"""StyleTTS 2: its two lists of phonemes, and the texts that it adapts to (`OOD_data`)."""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from stages.exchange.filelists.trainer import Line, Trainer, speakers_of, write_lines, write_speakers

_LEAST = 50
"""Its `min_length` of texts for `OOD_data`; if none were as long, it would look for one for ever."""


def write(lines: Sequence[Line], folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `train_list.txt`, `val_list.txt` (`wave|phonemes|speaker's number`), `OOD_texts.txt`, `speakers.json`."""
    speakers = speakers_of(lines)
    write_speakers(folder, speakers)
    for split, name in (("train", "train_list.txt"), ("validation", "val_list.txt")):
        part = (line for line in lines if line.split == split)
        write_lines(folder / name, ((line.wav, line.phonemes, str(speakers[line.speaker])) for line in part))
    write_lines(folder / "OOD_texts.txt", ((text,) for text in _long_texts(lines)))


def _long_texts(lines: Sequence[Line]) -> list[str]:
    """Returns the phonemes of each text, joined to at least two texts of at least `_LEAST` characters.

    The first texts fill up the last one. StyleTTS 2 never draws the last line, and fails if it is the only one.
    """
    texts = list(dict.fromkeys(line.phonemes for line in lines if line.phonemes))
    found, joined = [], ""
    for phonemes in texts:
        joined = f"{joined} {phonemes}".strip()
        if len(joined) >= _LEAST:
            found.append(joined)
            joined = ""
    if joined:
        found.append(" ".join([joined, *islice(cycle(texts), _LEAST)]))
    return found if len(found) > 1 else 2 * found


STYLETTS2 = Trainer("styletts2", "`train_list.txt`, `val_list.txt`, `OOD_texts.txt`, `speakers.json`", 24_000, write)
