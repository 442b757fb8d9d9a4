"""Writes transcripts as whisperX does: for its own tools, for editors, and for `valle-prep` to read again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.artefacts.formats import Rows
from stages.artefacts.manifest import list_shards, part_paths
from stages.errors import MissingInputError
from stages.exchange.export import Export
from stages.exchange.source import Source
from stages.ids import path_of
from stages.records import Transcript
from stages.transcripts.languages import in_language, read_languages


def whisperx(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes one JSON file per recording, with segments, words and speakers. Needs only the stage `transcribe`."""
    write_transcripts(source.dataset, folder)


_ROWS = Rows(Transcript)


def count_segments(source: Source) -> int:
    """Returns the number of segments in a dataset's transcripts. Raises as `write_transcripts` does."""
    return sum(len(transcript.segments) for transcript in _transcripts(source.dataset))


def write_transcripts(dataset: Path, folder: Path) -> None:
    """Writes `<recording's path without its suffix>.json` into a folder for every transcript of a dataset.

    Each file has `segments` (`start`, `end`, `text`, `words`, and `language` and `speaker` if they aren't the
    recording's own), all words again as `word_segments`, and `language`. Times are in seconds, exact to the sample.

    Raises:
        MissingInputError: if the stage `transcribe` hasn't run.
    """
    for transcript in _transcripts(dataset):
        path = folder / Path(path_of(transcript.id)).with_suffix(".json")
        if path.exists():  # another recording has the same stem
            path = folder / f"{path_of(transcript.id)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whisperx_shaped(transcript), ensure_ascii=False, indent=1), encoding="utf-8")


def _transcripts(dataset: Path) -> Iterator[Transcript]:
    stage = dataset / "transcribe"
    shards = list_shards(stage)
    if not shards:
        raise MissingInputError(f"`{stage}` isn't there. Run `valle-prep transcribe VOICES --out {dataset}` first.")
    decided = read_languages(stage)
    for shard in shards:
        for transcript in _ROWS.read(part_paths(stage, shard, _ROWS.parts)):
            yield in_language(transcript, decided.get(transcript.id))


def whisperx_shaped(transcript: Transcript) -> dict[str, Any]:
    """Converts a transcript to whisperX's form. A text without times is one segment over the whole recording."""
    rate = transcript.sample_rate
    segments: list[dict[str, Any]] = []
    for timed in transcript.segments:
        segment: dict[str, Any] = {
            "start": timed.start_samples / rate,
            "end": timed.end_samples / rate,
            "text": timed.text,
            "words": [
                {"word": word.text, "start": word.start_samples / rate, "end": word.end_samples / rate}
                for word in timed.words
            ],
        }
        if timed.language != transcript.language:
            segment["language"] = timed.language
        if timed.speaker:
            segment["speaker"] = timed.speaker
        segments.append(segment)
    words = [word for segment in segments for word in segment["words"]]
    return {"segments": segments, "word_segments": words, "language": transcript.language}


WHISPERX = Export(
    "whisperx", "transcripts as whisperX's JSON, without codes", whisperx, count=count_segments, reads=("transcribe",)
)
