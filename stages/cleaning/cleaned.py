"""The records of cleaned recordings, and the files that hold them.

A shard holds a JSON line for each recording, and a tar file with its sound as 24-bit FLAC, or an empty member for one
that stays as it is. Recordings in tar files are read where they lie (`stages.tar.members`).
"""

import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from stages.artefacts.formats import read_lines, write_lines
from stages.artefacts.manifest import list_shards, shard_index, shard_name
from stages.errors import AudioError
from stages.ids import Place, channel_of, file_of, place_of
from stages.records import Record, Recording
from stages.tar import members

FOLDER = "clean"
"""The stage's folder."""
_ROWS, _TAR = "rows.jsonl", "audio.tar"


@dataclass(frozen=True, slots=True)
class Scores(Record):
    """DNSMOS P.835: what listeners would think of the speech, the background and the whole, 1 to 5."""

    sig: float
    bak: float
    ovrl: float


@dataclass(frozen=True, slots=True)
class Cleaned(Recording):
    """A recording after cleaning. Its `digest` is that of the cleaned samples, or the file's if it stays as it is."""

    source: str = ""
    """SHA-256 of the recording's file."""
    cleaner: str = ""
    """What it was cleaned by: package, version and the digest of the weights."""
    sample_rate: int = 0
    """Hz; the recording's own."""
    samples: int = 0
    """Length, that of the recording."""
    channels: int = 1
    """Two if the recording has two, else the mix."""
    gain_db: float = 0.0
    """Gain of the cleaned samples, below 0 where they would have been clipped."""
    before: Scores | None = None
    after: Scores | None = None
    """DNSMOS of the recording and, before it, of what it was; None if `clean.dnsmos` isn't set."""
    kept: str | None = None
    """Why the recording stays as it is; None if it was cleaned."""
    sound: Path | None = field(default=None, compare=False)
    """Where the cleaned sound lies now; not stored."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.samples / self.sample_rate

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values, without `sound`."""
        data = Record.to_json(self)
        data.pop("sound", None)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record with its scores."""
        scores: dict[str, Any] = {name: Scores.from_json(data[name]) for name in ("before", "after") if name in data}
        return cls(**{**data, **scores})

    def content(self) -> bytes:
        """Returns bytes for fingerprints: those of the recording, with the digest of what it sounds like now."""
        names = Recording.__match_args__
        return Recording(**{name: getattr(self, name) for name in names}).content()


class CleanedRows:
    """Records as JSON lines, and their sound as members of a tar file, in the same order."""

    parts = (_ROWS, _TAR)

    def write(self, paths: Mapping[str, Path], outputs: Sequence[Cleaned]) -> None:
        """Writes the rows and copies the sound. The same outputs give the same bytes."""
        write_lines(paths[_ROWS], (item.to_json() for item in outputs))
        with tarfile.open(paths[_TAR], "w", format=tarfile.GNU_FORMAT) as tar:
            for item in outputs:
                info = tarfile.TarInfo(_member(item.id, cleaned=item.sound is not None))
                if item.sound is None:
                    tar.addfile(info)
                    continue
                info.size = members.stamp(item.sound)[0]
                with members.open_file(item.sound) as file:
                    tar.addfile(info, file)

    def read(self, paths: Mapping[str, Path]) -> list[Cleaned]:
        """Reads the records; their sound stays where it is."""
        rows = []
        for row in read_lines(paths[_ROWS]):
            sound = None if "kept" in row else paths[_TAR] / _member(row["id"], cleaned=True)
            rows.append(Cleaned.from_json({**row, "sound": sound}))
        return rows


def _member(item_id: str, *, cleaned: bool) -> str:
    return sha256(file_of(item_id).encode()).hexdigest()[:32] + (".flac" if cleaned else ".kept")


def sound_of(voices: Path, dataset: Path, item_id: str, *, raw: str = "", is_cleaned: bool = False) -> Place:
    """Returns where the sound of a recording's id lies: in the voices folder, or what `clean` made of it.

    Args:
        voices: The folder of recordings.
        dataset: The dataset's folder.
        item_id: The recording's id, or that of one of its channels.
        raw: The format of recordings without a header.
        is_cleaned: Whether the dataset is made from cleaned recordings.

    Raises:
        AudioError: if it is, but `clean` hasn't this one.
    """
    own = place_of(voices, item_id, raw)
    if not is_cleaned:
        return own
    folder = dataset / FOLDER
    total = _total(folder, folder.stat().st_mtime_ns) if folder.is_dir() else 0
    if total:
        tar = folder / f"{shard_name(shard_index(file_of(item_id), total), total)}.{_TAR}"
        sound = tar / _member(item_id, cleaned=True)
        if members.is_file(sound):
            return Place(sound, channel_of(item_id))
        if members.is_file(tar / _member(item_id, cleaned=False)):
            return own
    raise AudioError(
        f"`{item_id}` must be in the output of `clean`, since the dataset is made from cleaned recordings, but isn't in"
        f" `{folder}`. Run `valle-prep clean VOICES --out {dataset}`.",
        "NotCleaned",
    )


@lru_cache(maxsize=16)
def _total(folder: Path, _mtime_ns: int) -> int:
    """Returns the number of shards; found again when the folder has changed."""
    return next((int(name.partition("-of-")[2]) for name in list_shards(folder)), 0)
