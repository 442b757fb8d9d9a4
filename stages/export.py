"""Datasets in the formats of others: lhotse manifests, Hugging Face `datasets`, WebDataset, whisperX's transcripts.

To add a format: a function that writes it into an empty folder, and a row in `EXPORTS`. None of the formats' libraries
is needed to write them.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np

from stages import audio
from stages.disk import atomic
from stages.errors import ArtefactError, MissingInputError, UsageError
from stages.export_whisperx import count_segments, write_transcripts
from stages.manifest import METADATA
from stages.records import Split, Utterance, path_of, speaker_key, to_line
from stages.store import Store, open_store
from stages.tables import read_table, write_blocks

_SHARD, _BLOCK = 1000, 100
"""Utterances in a file of Parquet or WebDataset, and in a row group."""


@dataclass(frozen=True)
class Source:
    """A dataset to be exported."""

    dataset: Path
    """Its folder, with the store and the metadata."""
    voices: Path | None
    """The folder of recordings; None to leave the audio out."""

    @cached_property
    def store(self) -> Store:
        """The dataset's store."""
        return open_store(self.dataset)

    @cached_property
    def splits(self) -> list[Split]:
        """Each row's split.

        Raises:
            MissingInputError: if the stage `metadata` hasn't run.
            ArtefactError: if it ran on other utterances.
        """
        path = self.dataset / "metadata" / METADATA
        if not path.is_file():
            raise MissingInputError(f"`{path}` isn't there. Run `valle-prep metadata --out {self.dataset}` first.")
        columns = read_table(path, ["id", "split"]).to_pydict()
        found = dict(zip(columns["id"], columns["split"], strict=True))
        missing = [uid for uid in self.store.ids if uid not in found]
        if missing:
            raise ArtefactError(f"`{path}` has no row `{missing[0]}`. Run `valle-prep metadata` again.")
        return [found[uid] for uid in self.store.ids]

    def row(self, index: int) -> dict[str, Any]:
        """Returns all of a row but its audio and codes, as plain JSON values."""
        row = self.store.row(index)
        return {
            "id": row.id,
            "recording": row.recording,
            "group": row.group,
            "speaker": speaker_key(row.group, row.speaker),
            "language": row.language,
            "text": row.text,
            "phonemes": row.phonemes,
            "start_s": row.start_samples / row.sample_rate,
            "duration_s": row.duration_s,
            "split": self.splits[index],
        }

    def flac(self, index: int) -> bytes:
        """Returns an utterance's audio as it was encoded, mono, in 16 bits, at the recording's rate."""
        row = self.store.row(index)
        assert self.voices is not None
        wave, rate = audio.read(self.voices / path_of(row.recording), row.start_samples, row.end_samples)
        return audio.flac_of(audio.amplified(wave, row.gain_db), rate)

    def shards(self) -> Iterator[tuple[Split, int, int, list[int]]]:
        """Yields each split's rows in parts: the split, the part's number, how many there are, and the rows."""
        for split in get_args(Split):
            rows = [index for index, one in enumerate(self.splits) if one == split]
            parts = [rows[at : at + _SHARD] for at in range(0, len(rows), _SHARD)]
            yield from ((split, number, len(parts), part) for number, part in enumerate(parts))


def lhotse(source: Source, folder: Path, final: Path) -> None:
    """Writes `recordings.jsonl.gz`, `supervisions.jsonl.gz`, `cuts.jsonl.gz`, and the codes as `codes/<row>.npy`.

    The recordings stay where they are and are named by their absolute paths, the codes by theirs in `final`. A cut has
    its supervision, the custom fields `subset` (the split) and `group`, and `codes`, an array over time `[T, K]`
    (`cut.load_codes()`). It is of the first channel, where the other formats mix all of them. A cut's own recording is
    as loud as `slice.loudness_lufs` made the cut, by lhotse's `Volume`; those of `recordings.jsonl.gz` are as they were
    recorded. Without audio there are no recordings, and the cuts name none.
    """
    store = source.store
    (folder / "codes").mkdir()
    recordings: dict[str, dict[str, Any]] = {}
    with _lines(folder / "supervisions.jsonl.gz") as supervisions, _lines(folder / "cuts.jsonl.gz") as cuts:
        for index in range(len(store)):
            row, utterance = source.row(index), store.row(index)
            key = f"{index:09d}.npy"
            np.save(folder / "codes" / key, np.ascontiguousarray(store.codes(index).T), allow_pickle=False)
            supervision = _supervision(row)
            supervisions(supervision)
            about = {"id": row["id"], "start": row["start_s"], "duration": row["duration_s"], "channel": 0}
            codes = _temporal(store, index, final / "codes", key, row["start_s"])
            cut = {**about, "supervisions": [{**supervision, "start": 0.0}]}
            if source.voices is not None:
                if utterance.recording not in recordings:
                    recordings[utterance.recording] = _recording(source.voices, utterance)
                louder = {"transforms": [_volume(utterance.gain_db)]} if utterance.gain_db else {}
                cut["recording"] = recordings[utterance.recording] | louder
            custom = {"subset": row["split"], "group": row["group"], "codes": codes}
            cuts({**cut, "custom": custom, "type": "MonoCut"})
    if recordings:
        with _lines(folder / "recordings.jsonl.gz") as write:
            for recording in recordings.values():
                write(recording)


def _supervision(row: dict[str, Any]) -> dict[str, Any]:
    place = {"recording_id": row["recording"], "start": row["start_s"], "duration": row["duration_s"], "channel": 0}
    said = {key: row[key] for key in ("text", "language", "speaker")}
    return {"id": row["id"], **place, **said, "custom": {"phonemes": row["phonemes"]}}


def _recording(voices: Path, utterance: Utterance) -> dict[str, Any]:
    path = voices / path_of(utterance.recording)
    info = audio.probe(path)
    return {
        "id": utterance.recording,
        "sources": [{"type": "file", "channels": list(range(info.channels)), "source": str(path)}],
        "sampling_rate": info.sample_rate,
        "num_samples": info.samples,
        "duration": info.samples / info.sample_rate,
        "channel_ids": list(range(info.channels)),
    }


def _volume(gain_db: float) -> dict[str, Any]:
    """Returns lhotse's description of a gain."""
    return {"name": "Volume", "kwargs": {"factor": 10 ** (gain_db / 20)}}


def _temporal(store: Store, index: int, folder: Path, key: str, start_s: float) -> dict[str, Any]:
    """Returns lhotse's description of an array over time."""
    shape = [int(store.frames[index]), store.codec.num_codebooks]
    array = {"storage_type": "numpy_files", "storage_path": str(folder), "storage_key": key, "shape": shape}
    return {"array": array, "temporal_dim": 0, "frame_shift": 1 / store.codec.frame_rate, "start": start_s}


@contextmanager
def _lines(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Gives a function that writes an object as a line of a compressed file."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:

        def write(data: dict[str, Any]) -> None:
            file.write((to_line(data) + "\n").encode())

        yield write


def parquet(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `data/<split>-….parquet`, which `datasets.load_dataset(folder)` opens with typed columns.

    Columns: those of `Source.row` but `split`, `codes` (`[K, T]`), and `audio` (FLAC) unless it is left out.
    """
    strings = ("id", "recording", "group", "speaker", "language", "text", "phonemes")
    kinds = {**dict.fromkeys(strings, "string"), "start_s": "float64", "duration_s": "float64", "codes": "codes"}
    if source.voices is not None:
        kinds["audio"] = "file"
    features = {name: _FEATURES[kind] for name, kind in kinds.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (folder / "data").mkdir()
    for split, number, total, rows in source.shards():
        blocks = (rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK))
        path = folder / "data" / f"{split}-{number:05d}-of-{total:05d}.parquet"
        write_blocks(
            path, kinds, ([_parquet_row(source, index, kinds) for index in block] for block in blocks), metadata
        )


_FEATURES: dict[str, dict[str, Any]] = {
    **{kind: {"dtype": kind, "_type": "Value"} for kind in ("string", "float64")},
    "codes": {"feature": {"feature": {"dtype": "uint16", "_type": "Value"}, "_type": "List"}, "_type": "List"},
    "file": {"_type": "Audio"},
}
"""How Hugging Face calls the types of `write_blocks`."""


def _parquet_row(source: Source, index: int, columns: Collection[str]) -> dict[str, Any]:
    row = {**source.row(index), "codes": source.store.codes(index).tolist()}
    if "audio" in columns:
        row["audio"] = {"bytes": source.flac(index), "path": f"{index:09d}.flac"}
    return {name: row[name] for name in columns}


def webdataset(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `<split>-<number>.tar`, of each utterance `<row>.json`, `<row>.codes.npy` (`[K, T]`) and `<row>.flac`."""
    for split, number, _, rows in source.shards():
        with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in rows:
                codes = io.BytesIO()
                np.save(codes, np.ascontiguousarray(source.store.codes(index)), allow_pickle=False)
                parts = {"json": to_line(source.row(index)).encode(), "codes.npy": codes.getvalue()}
                if source.voices is not None:
                    parts["flac"] = source.flac(index)
                for suffix, content in parts.items():
                    member = tarfile.TarInfo(f"{index:09d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


def whisperx(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes a JSON per recording as whisperX does: segments, words, speakers. Needs only the stage `transcribe`."""
    write_transcripts(source.dataset, folder)


Exporter = Callable[[Source, Path, Path], None]
"""Writes a dataset into an empty folder, which will be renamed to the path given last."""

EXPORTS: dict[str, Exporter] = {
    "lhotse": lhotse,
    "parquet": parquet,
    "webdataset": webdataset,
    "whisperx": whisperx,
}
"""The formats by name."""


def export(kind: str, source: Source, target: Path, *, dry_run: bool = False) -> int:
    """Writes a dataset in another format.

    Args:
        kind: A row of `EXPORTS`.
        source: The dataset.
        target: A folder that isn't there yet, or is empty; it appears when all is written.
        dry_run: Whether to look at what is given only.

    Returns:
        The number of utterances; of segments for `whisperx`.

    Raises:
        UsageError: if there is no such format, or if the target holds something or can't be written.
        MissingInputError: if the store or the metadata isn't there.
        AudioError: if a recording can't be read.
    """
    if kind not in EXPORTS:
        raise UsageError(f"`{kind}` must be one of the formats {', '.join(EXPORTS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"`{target}` must be a new or empty folder, but holds something. Name another.")
    utterances = count_segments(source.dataset) if kind == "whisperx" else len(source.splits)
    if dry_run:
        return utterances
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic(target.absolute()) as temporary:
            temporary.mkdir()
            EXPORTS[kind](source, temporary, target.absolute())
    except OSError as error:
        raise UsageError(f"`{target}` can't be written: {error}. Make room, or name another.") from error
    return utterances
