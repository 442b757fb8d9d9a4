"""Writes the report: the HTML page, and a folder of audio files beside it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.folder import Dataset
from pipeline.report.drawing import rows_of
from pipeline.report.page import base64_of, ordered, render
from pipeline.report.survey import Row, opened, survey
from stages.artefacts.disk import write_text
from stages.audio import files as audio
from stages.errors import AudioError, UsageError
from stages.ids import speaker_key
from stages.records import Wave

PAGE, AUDIO = "report.html", "report.audio"
_LEVELS = 240
"""Bars of a waveform."""


@dataclass(frozen=True, slots=True)
class Written:
    """The result of `write_page`."""

    page: Path
    """The HTML file."""
    bytes: int
    """Size of the HTML file."""
    utterances: int
    """Number of utterances in the dataset."""
    shown: int
    """Number of utterances shown one by one."""
    embedded: int
    """Number of utterances whose audio is in the page."""
    files: int
    """Number of audio files beside the page."""

    def describe(self) -> str:
        """Returns the result as one line."""
        beside = f", the audio of {self.files:,} beside it in {AUDIO}/" if self.files else ""
        return f"{self.page} ({self.bytes / 2**20:.1f} MiB): {self.shown:,} of {self.utterances:,} utterances{beside}"

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"page": str(self.page)}


def write_page(dataset: Dataset, *, shown: int, embed: int) -> Written:
    """Writes the page and the audio of the utterances it shows.

    Args:
        dataset: The dataset, finished or not.
        shown: Number of utterances to show one by one.
        embed: Number of these whose audio is embedded in the page; the audio of the others is written beside it.

    Raises:
        MissingInputError: if `slice` hasn't been run yet.
        UsageError: if the page or the audio can't be written.
    """
    found = survey(dataset, shown=shown)
    folder = dataset.folder / AUDIO
    try:
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.flac"):
            path.unlink()
        rows = list(_utterances(dataset, found.shown, folder, embed))
        files = sum(1 for _ in folder.iterdir())
        if not files:
            folder.rmdir()
        page = render(found, rows, title=dataset.folder.resolve().name, codebook_size=_codebook_size(dataset))
        write_text(dataset.folder / PAGE, page)
    except OSError as error:
        raise UsageError(
            f"`{dataset.folder / PAGE}` can't be written: {error}. Free some space, or fix the permissions."
        ) from error
    embedded = sum(row["audio"].startswith("data:") for row in rows)
    size = len(page.encode())
    return Written(dataset.folder / PAGE, size, found.utterances, len(rows), embedded, files)


def _codebook_size(dataset: Dataset) -> int:
    store = opened(dataset)
    return store.codec.codebook_size if store else 1


def _utterances(dataset: Dataset, rows: Sequence[Row], folder: Path, embed: int) -> Iterator[Row]:
    """Yields each utterance as the page's script needs it; writes the audio that isn't embedded."""
    store = opened(dataset)
    row_of = rows_of((row["id"] for row in rows), store.ids) if store else {}
    for place, row in enumerate(rows):
        codes_KT = store.codes(row_of[row["id"]]) if store and row["id"] in row_of else None
        wave, rate, why = _wave(dataset, row)
        source = ""
        if wave is not None and place < embed:
            source = "data:audio/flac;base64," + base64_of(audio.flac_of(wave, rate))
        elif wave is not None:
            name = hashlib.sha256(row["id"].encode("utf-8", "replace")).hexdigest()[:16] + ".flac"
            (folder / name).write_bytes(audio.flac_of(wave, rate))
            source = f"{folder.name}/{name}"
        yield {
            "id": row["id"],
            "speaker": speaker_key(row["group"], row["speaker"]),
            "language": row["language"],
            "text": row["text"],
            "spoken": row.get("spoken") or "",
            "unread": " ".join(row.get("unread") or ()),
            "phonemes": row.get("phonemes", ""),
            "heard": row["heard"],
            "seconds": row["values"]["seconds"],
            "values": {name: row["values"][name] for name in ordered(row["values"])},
            "audio": source,
            "silent": why,
            "wave": "" if wave is None else base64_of(_levels(wave)),
            "codes": "" if codes_KT is None else base64_of(np.ascontiguousarray(codes_KT, "<u2").tobytes()),
            "codebooks": 0 if codes_KT is None else codes_KT.shape[0],
            "frames": 0 if codes_KT is None else codes_KT.shape[1],
            "neighbours": row["neighbours"],
        }


def _wave(dataset: Dataset, row: Row) -> tuple[Wave | None, int, str]:
    """Returns an utterance's audio, its sample rate and ""; or None, 0 and why it can't be read."""
    try:
        wave, rate = audio.read(dataset.sound(row["recording"]), row["start_samples"], row["end_samples"])
    except AudioError as error:
        return None, 0, f"No audio: the recording is gone or has changed ({error.reason})."
    return audio.amplified(wave, row.get("gain_db", 0.0)), rate, ""


def _levels(wave: Wave) -> bytes:
    """Returns the peaks of up to `_LEVELS` equal parts of a wave as bytes, scaled so that the loudest is 255."""
    edges = np.linspace(0, len(wave), min(_LEVELS, len(wave)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(np.abs(wave), edges)
    return bytes(np.round(255 * peaks / max(float(peaks.max()), 1e-9)).astype(np.uint8))
