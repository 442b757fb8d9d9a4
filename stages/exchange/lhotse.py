"""Writes lhotse manifests: recordings, supervisions and cuts with their codes."""

import gzip
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stages.audio import files as audio
from stages.errors import UsageError
from stages.exchange.export import Export
from stages.exchange.source import Source
from stages.ids import channel_of
from stages.records import Utterance, to_line
from stages.remote.stores import is_url
from stages.store.reader import Store
from stages.tar import members


def lhotse(source: Source, folder: Path, final: Path) -> None:
    """Writes `recordings.jsonl.gz`, `supervisions.jsonl.gz`, `cuts.jsonl.gz`, and the codes as `codes/<row>.npy`.

    The recordings stay where they are: manifests name them by absolute paths, or by their URLs in a store (lhotse
    reads these through smart_open), and the codes by their paths in `final`. A recording inside a tar file is a command
    that prints its bytes.
    A cut has its supervision, the custom fields `subset` (the split) and `group`, and `codes`, a temporal array
    `[T, K]` (`cut.load_codes()`). It has the first channel only; the other formats mix all channels. If
    `slice.loudness_lufs` changed a cut's loudness, the cut's own recording has lhotse's transform `Volume`; those in
    `recordings.jsonl.gz` are as recorded. Without audio there is no `recordings.jsonl.gz`, and a cut has lhotse's
    placeholder as its recording: no sound, but a sampling rate, without which lhotse can't truncate cuts.
    """
    store = source.store
    ends = {} if source.voices is not None else _ends(store)
    (folder / "codes").mkdir()
    recordings: dict[str, dict[str, Any]] = {}
    with _lines(folder / "supervisions.jsonl.gz") as supervisions, _lines(folder / "cuts.jsonl.gz") as cuts:
        for index in range(len(store)):
            row, utterance = source.row(index), store.row(index)
            key = f"{index:09d}.npy"
            np.save(folder / "codes" / key, np.ascontiguousarray(store.codes(index).T), allow_pickle=False)
            supervision = _supervision(row)
            supervisions(supervision)
            about = {"id": row["id"], "start": row["start_s"], "duration": row["duration_s"]}
            about["channel"] = _channel(row)
            codes = _temporal(store, index, final / "codes", key, row["start_s"])
            cut = {**about, "supervisions": [{**supervision, "start": 0.0}]}
            if source.voices is not None:
                if utterance.recording not in recordings:
                    recordings[utterance.recording] = _recording(source, utterance)
                louder = {"transforms": [_volume(utterance.gain_db)]} if utterance.gain_db else {}
                cut["recording"] = recordings[utterance.recording] | louder
            else:
                cut["recording"] = _placeholder(utterance, ends[utterance.recording])
            custom = {"subset": row["split"], "group": row["group"], "codes": codes}
            cuts({**cut, "custom": custom, "type": "MonoCut"})
    if recordings:
        with _lines(folder / "recordings.jsonl.gz") as write:
            for recording in recordings.values():
                write(recording)


def _supervision(row: dict[str, Any]) -> dict[str, Any]:
    place = {"recording_id": row["recording"], "start": row["start_s"], "duration": row["duration_s"]}
    place["channel"] = _channel(row)
    spoken = {key: row[key] for key in ("text", "language", "speaker")}
    return {"id": row["id"], **place, **spoken, "custom": {"phonemes": row["phonemes"]}}


def _channel(row: dict[str, Any]) -> int:
    return 1 if channel_of(row["recording"]) == "right" else 0


def _recording(source: Source, utterance: Utterance) -> dict[str, Any]:
    path = source.sound(utterance.recording).path
    info = audio.probe(path)
    kind = "url" if is_url(path) else "file"
    sound = {"type": kind, "channels": list(range(info.channels)), "source": str(path)}
    if inside := members.position(path):  # lhotse runs a command to read what is no file of its own
        tar, offset, size = inside
        if is_url(tar):
            raise UsageError(f"lhotse can't name `{path}`, a file inside a tar file in a store. Add `--no-audio`.")
        command = f"tail -c +{offset + 1} {shlex.quote(str(Path(tar).resolve()))} | head -c {size}"
        sound |= {"type": "command", "source": command}
    return {
        "id": utterance.recording,
        "sources": [sound],
        "sampling_rate": info.sample_rate,
        "num_samples": info.samples,
        "duration": info.samples / info.sample_rate,
        "channel_ids": list(range(info.channels)),
    }


def _ends(store: Store) -> dict[str, int]:
    """Returns the end of the last cut of each recording, in samples: so much of it is known without its audio."""
    ends: dict[str, int] = {}
    for index in range(len(store)):
        row = store.row(index)
        ends[row.recording] = max(ends.get(row.recording, 0), row.end_samples)
    return ends


def _placeholder(utterance: Utterance, samples: int) -> dict[str, Any]:
    """Describes a recording without sound as lhotse's Shar does."""
    return {
        "id": utterance.recording,
        "sources": [{"type": "shar", "channels": [0], "source": ""}],
        "sampling_rate": utterance.sample_rate,
        "num_samples": samples,
        "duration": samples / utterance.sample_rate,
        "channel_ids": [0],
    }


def _volume(gain_db: float) -> dict[str, Any]:
    """Describes a gain as lhotse does."""
    return {"name": "Volume", "kwargs": {"factor": 10 ** (gain_db / 20)}}


def _temporal(store: Store, index: int, folder: Path, key: str, start_s: float) -> dict[str, Any]:
    """Describes a temporal array as lhotse does."""
    shape = [int(store.frames[index]), store.codec.num_codebooks]
    array = {"storage_type": "numpy_files", "storage_path": str(folder), "storage_key": key, "shape": shape}
    return {"array": array, "temporal_dim": 0, "frame_shift": 1 / store.codec.frame_rate, "start": start_s}


@contextmanager
def _lines(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that writes an object as a JSON line to a gzip file. The same objects give the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:

        def write(data: dict[str, Any]) -> None:
            file.write((to_line(data) + "\n").encode())

        yield write


LHOTSE = Export("lhotse", "lhotse manifests: recordings, supervisions and cuts with their codes", lhotse)
