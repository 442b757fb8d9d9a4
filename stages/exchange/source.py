"""Reads the rows of a finished dataset for the exports."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from stages.artefacts.manifest import METADATA
from stages.artefacts.parquet import read_table
from stages.audio import files as audio
from stages.cleaning.cleaned import sound_of
from stages.errors import ArtefactError, MissingInputError
from stages.ids import Place, Split, speaker_key
from stages.records import Wave
from stages.store.reader import Store, open_store

ROWS_PER_SHARD, ROWS_PER_GROUP = 1000, 100
"""Utterances per file of Parquet or WebDataset, and per Parquet row group."""


@dataclass(frozen=True)
class Source:
    """A dataset to export."""

    dataset: Path
    """The dataset's folder, with the store and the metadata."""
    voices: Path | None
    """The folder of recordings; None to leave the audio out."""
    raw: str = ""
    """`transcribe.raw`: the format of recordings without a header."""
    trainer: str = ""
    """Who reads the export `filelist`."""
    is_cleaned: bool = False
    """Whether the dataset is made from cleaned recordings."""

    @cached_property
    def store(self) -> Store:
        """The dataset's store."""
        return open_store(self.dataset)

    @cached_property
    def splits(self) -> list[Split]:
        """Each row's split.

        Raises:
            MissingInputError: if the stage `metadata` hasn't run.
            ArtefactError: if the metadata are of other utterances.
        """
        path = self.dataset / "metadata" / METADATA
        if not path.is_file():
            raise MissingInputError(f"`{path}` isn't there. Run `valle-prep metadata --out {self.dataset}` first.")
        columns = read_table(path, ["id", "split"]).to_pydict()
        split_of = dict(zip(columns["id"], columns["split"], strict=True))
        missing = [uid for uid in self.store.ids if uid not in split_of]
        if missing:
            raise ArtefactError(f"`{path}` has no row `{missing[0]}`. Run `valle-prep metadata` again.")
        return [split_of[uid] for uid in self.store.ids]

    def row(self, index: int) -> dict[str, Any]:
        """Returns a row without audio and codes, as plain JSON values."""
        row = self.store.row(index)
        return {
            "id": row.id,
            "recording": row.recording,
            "group": row.group,
            "speaker": speaker_key(row.group, row.speaker),
            "language": row.language,
            "text": row.text,
            "spoken": row.spoken,
            "phonemes": row.phonemes,
            "start_s": row.start_samples / row.sample_rate,
            "duration_s": row.duration_s,
            "split": self.splits[index],
        }

    def wave(self, index: int) -> tuple[Wave, int]:
        """Returns an utterance's audio, `[samples]` with its gain applied, and the recording's rate in Hz."""
        row = self.store.row(index)
        wave, rate = audio.read(self.sound(row.recording), row.start_samples, row.end_samples)
        return audio.amplified(wave, row.gain_db), rate

    def sound(self, recording: str) -> Place:
        """Returns where the sound of a recording lies, by its id."""
        assert self.voices is not None
        return sound_of(self.voices, self.dataset, recording, raw=self.raw, is_cleaned=self.is_cleaned)

    def flac(self, index: int) -> bytes:
        """Returns the same as mono 16-bit FLAC."""
        return audio.flac_of(*self.wave(index))

    def shards(self) -> Iterator[tuple[Split, int, int, list[int]]]:
        """Yields each split's rows in shards: the split, the shard's number, the split's number of shards, the rows."""
        for split in get_args(Split):
            rows = [index for index, its_split in enumerate(self.splits) if its_split == split]
            parts = [rows[at : at + ROWS_PER_SHARD] for at in range(0, len(rows), ROWS_PER_SHARD)]
            yield from ((split, number, len(parts), part) for number, part in enumerate(parts))
