"""Transcripts as whisperX writes them: for its own tools, for editors, and to be read here again."""

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


def whisperx(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes a JSON per recording as whisperX does: segments, words, speakers. Needs only the stage `transcribe`."""
    write_transcripts(source.dataset, folder)


_ROWS = Rows(Transcript)


def count_segments(source: Source) -> int:
    """Returns how many segments the transcripts of a dataset have; raises as `write_transcripts`."""
    return sum(len(transcript.segments) for transcript in _transcripts(source.dataset))


def write_transcripts(dataset: Path, folder: Path) -> None:
    """Writes `<recording's path without its suffix>.json` for every transcript of a dataset, below a folder.

    Each holds `segments` (`start`, `end`, `text`, `words`, `speaker` where it isn't the recording's own), all their
    words once more as `word_segments`, and `language`; times in seconds, exact to the sample.

    Raises:
        MissingInputError: if the stage `transcribe` hasn't run.
    """
    for transcript in _transcripts(dataset):
        path = folder / Path(path_of(transcript.id)).with_suffix(".json")
        if path.exists():  # another recording of that stem
            path = folder / f"{path_of(transcript.id)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whisperx_shaped(transcript), ensure_ascii=False, indent=1), encoding="utf-8")


def _transcripts(dataset: Path) -> Iterator[Transcript]:
    stage = dataset / "transcribe"
    shards = list_shards(stage)
    if not shards:
        raise MissingInputError(f"`{stage}` isn't there. Run `valle-prep transcribe VOICES --out {dataset}` first.")
    for shard in shards:
        yield from _ROWS.read(part_paths(stage, shard, _ROWS.parts))


def whisperx_shaped(transcript: Transcript) -> dict[str, Any]:
    """Returns a transcript as whisperX writes it; a text without times is one segment, the whole recording."""
    rate = transcript.sample_rate
    segments: list[dict[str, Any]] = []
    for one in transcript.segments:
        segment: dict[str, Any] = {
            "start": one.start_samples / rate,
            "end": one.end_samples / rate,
            "text": one.text,
            "words": [
                {"word": word.text, "start": word.start_samples / rate, "end": word.end_samples / rate}
                for word in one.words
            ],
        }
        if one.language != transcript.language:
            segment["language"] = one.language
        if one.speaker:
            segment["speaker"] = one.speaker
        segments.append(segment)
    words = [word for segment in segments for word in segment["words"]]
    return {"segments": segments, "word_segments": words, "language": transcript.language}


WHISPERX = Export(
    "whisperx", "transcripts as whisperX's JSON, without codes", whisperx, count=count_segments, reads=("transcribe",)
)
