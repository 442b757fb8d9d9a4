"""Writes waves, cut and resampled, and lists of them as another trainer reads them: `--for TRAINER`."""

import re
from pathlib import Path

from stages.audio import files as audio
from stages.errors import UsageError
from stages.exchange.export import Export
from stages.exchange.filelists.table import TRAINERS
from stages.exchange.filelists.trainer import UTTERANCES, Line, Trainer
from stages.exchange.source import Source
from stages.ids import speaker_key

_BETWEEN = re.compile(r"[\s|]+")


def write(source: Source, folder: Path, final: Path) -> None:
    """Writes `wavs/`, the trainer's lists, and `utterances.tsv`, which names the utterance of each wave.

    Waves are mono with 16 bits at the trainer's rate, with the gain of the cut applied. In texts and names, `|` and
    line breaks become spaces.
    """
    trainer = _trainer(source)
    (folder / "wavs").mkdir()
    lines = []
    for index in _rows(source, trainer):
        row = source.store.row(index)
        name, rate = f"wavs/{index:07d}.wav", trainer.sample_rate
        audio.write_wav(folder / name, audio.resample(*source.wave(index), rate), rate)
        fields = speaker_key(row.group, row.speaker), row.spoken or row.text, row.phonemes
        speaker, text, phonemes = (_BETWEEN.sub(" ", field).strip() for field in fields)
        lines.append(Line(name, row.id, speaker, row.language, source.splits[index], text, phonemes))
    trainer.write(lines, folder, final)
    named = (f"{line.wav}\t{line.uid}\t{line.split}\n" for line in lines)
    (folder / UTTERANCES).write_text("wav\tid\tsplit\n" + "".join(named), encoding="utf-8")


def count(source: Source) -> int:
    """Returns the number of waves.

    Raises:
        UsageError: if the trainer isn't known, or can't be trained on any of the utterances, or without their audio.
    """
    trainer = _trainer(source)
    if source.voices is None:
        raise UsageError("A file list needs the audio: leave `--no-audio` out.")
    if rows := len(_rows(source, trainer)):
        return rows
    has = ", ".join(sorted(set(source.store.languages))) or "none"
    raise UsageError(
        f"`--for {trainer.name}` can use {', '.join(trainer.languages) or 'all'}, but the dataset has {has}."
    )


def _trainer(source: Source) -> Trainer:
    found = TRAINERS.get(source.trainer)
    if found is None:
        given = f"is `{source.trainer}`" if source.trainer else "isn't given"
        raise UsageError(f"`--for` must name the trainer, one of {', '.join(TRAINERS)}, but {given}.")
    return found


def _rows(source: Source, trainer: Trainer) -> list[int]:
    """Returns the utterances in the trainer's languages."""
    known = trainer.languages
    return [index for index, language in enumerate(source.store.languages) if not known or language in known]


FILELIST = Export(
    "filelist", "waves and lists for VITS, Piper, F5-TTS, XTTS, GPT-SoVITS, StyleTTS 2 (`--for`)", write, count
)
