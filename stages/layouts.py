"""Corpora as they come: the tables that say what many recordings say, and who speaks. A function and a row a layout.

Nothing of the audio is read here. What a row tells of a recording travels with it, so that a changed row concerns that
recording alone.
"""

import gzip
import json
import shlex
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from stages.audio import SUFFIXES
from stages.errors import UsageError
from stages.transcripts import decode


@dataclass(frozen=True, slots=True)
class Piece:
    """What a table tells of a recording, or of a stretch of one. Paths are relative to the table's folder."""

    audio: str
    """The recording, with its suffix."""
    text: str = ""
    start_s: float | None = None
    """Seconds into the recording; None where the piece is the whole of it."""
    end_s: float | None = None
    speaker: str = ""
    """Empty where the folder tells, by its depth."""
    group: str | None = None
    """The folder that the group is named for; None where the folder's depth tells."""
    home: str = ""
    """The folder whose depth tells, if it isn't the recording's own."""
    language: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    """Text, start and end in seconds."""
    beside: str = ""
    """A file with this recording's transcript alone, in place of `text`."""
    problem: str = ""
    """Why the recording can't be used; empty where it can."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that doesn't even tell which recording it is of."""

    row: int
    """From 1, as lines are counted."""
    message: str


Rows = Iterator[Piece | BadRow]


@dataclass(frozen=True, slots=True)
class Layout:
    """How to know a corpus, and how to read it."""

    tables: tuple[str, ...]
    """Patterns of the files that give it away, matched from the right: `*` within a name, `/` between names."""
    read: Callable[[Path], Rows]
    """Gives a table's rows; none where the file is of that name only. Raises `UsageError` where it can't be read."""
    complete: bool = False
    """Whether recordings among those of the table that it doesn't name are left out."""
    anywhere: bool = False
    """Whether the table's paths may start from a folder that isn't known: they are found by their ends."""
    rows_in: Callable[[str], str] = str
    """Which file, beside a table of that name, holds the rows that are told, if it isn't the table itself."""


def _lines(table: Path) -> Iterator[tuple[int, str]]:
    """Yields the lines that aren't blank, with their numbers from 1."""
    try:
        content = table.read_bytes()
        text = decode(gzip.decompress(content) if table.suffix == ".gz" else content)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UsageError(
            f"`{table}` must be UTF-8, but its byte {error.start} is {byte:#04x}. Save it as UTF-8."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"`{table}` can't be read: {error}. Mend it, or move it away.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def read_ljspeech(table: Path) -> Rows:
    """Reads `metadata.csv`: `id|text|normalised text`, the audio in `wavs/`; the last column with text is what is said.

    Source: https://keithito.com/LJ-Speech-Dataset.
    """
    folder = next((name for name in ("wavs/", "wav/") if (table.parent / name).is_dir()), "")
    for number, line in _lines(table):
        name, *texts = line.split("|")
        if number == 1 and not texts:
            return  # a table of another kind
        if name.strip() and texts:
            audio = Path(name.strip()).name
            text = next((text for text in reversed(texts) if text.strip()), "")
            yield Piece(f"{folder}{_with_suffix(audio, '.wav')}", text, home=".")
        else:
            yield BadRow(number, "must hold `id|text` or `id|text|normalised text`")


def read_librispeech(table: Path) -> Rows:
    """Reads `<set>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`: `speaker-chapter-number TEXT` a line.

    Source: LibriSpeech, Panayotov et al. 2015, https://www.openslr.org/12.
    """
    for number, line in _lines(table):
        name, _, text = line.partition(" ")
        parts = name.split("-")
        if len(parts) == 3:
            yield Piece(f"{name}.flac", text, speaker=parts[0], group="../..")
        else:
            yield BadRow(number, "must begin with `speaker-chapter-number`")


def read_libritts(table: Path) -> Rows:
    """Takes `<set>/<speaker>/<chapter>/<name>.normalized.txt` for the transcript of `<name>.wav`.

    Source: LibriTTS, Zen et al. 2019, https://www.openslr.org/60.
    """
    name = table.name.removesuffix(".normalized.txt")
    if name.count("_") == 3:
        yield Piece(f"{name}.wav", speaker=name.partition("_")[0], group="../..", beside=table.name)


def read_vctk(table: Path) -> Rows:
    """Takes `txt/<speaker>/<name>.txt` for the transcript of what `wav48*/<speaker>` holds, by the first microphone.

    Source: VCTK, Yamagishi et al. 2019, https://doi.org/10.7488/ds/2645.
    """
    speaker = table.parent.name
    for folder, ending in (("wav48_silence_trimmed", "_mic1.flac"), ("wav48", ".wav")):
        if (table.parents[2] / folder).is_dir():
            audio = f"../../{folder}/{speaker}/{table.stem}{ending}"
            yield Piece(audio, speaker=speaker, group="../..", beside=table.name)
            return


def read_commonvoice(table: Path) -> Rows:
    """Reads `validated.tsv`, else the parts `train.tsv`, `dev.tsv` and `test.tsv`; the audio in `clips/`.

    Source: Common Voice, Ardila et al. 2020, https://commonvoice.mozilla.org/datasets.
    """
    if table.name != "validated.tsv" and (table.parent / "validated.tsv").is_file():
        return
    lines = _lines(table)
    header = next(lines, (0, ""))[1].split("\t")
    if not {"client_id", "path", "sentence"} <= set(header):
        return
    for number, line in lines:
        values = dict(zip_longest(header, line.split("\t")[: len(header)], fillvalue=""))
        if not values["path"]:
            yield BadRow(number, "must name a clip in its column `path`")
            continue
        yield Piece(
            f"clips/{_with_suffix(values['path'], '.mp3')}",
            values["sentence"],
            speaker=values["client_id"],
            group=".",
            language=values.get("locale", ""),
        )


def read_kaldi(table: Path) -> Rows:
    """Reads a Kaldi data folder: `wav.scp` and `text`, and where they are there `segments`, `utt2spk`, `utt2lang`.

    No command is run: of the pipes only `flac -c -d -s FILE |` is understood, since it changes nothing.

    Source: https://kaldi-asr.org/doc/data_prep.html.
    """
    if not (table.parent / "text").is_file():
        return
    columns: dict[str, dict[str, str]] = {"wav.scp": {}, "segments": {}, "utt2spk": {}, "utt2lang": {}}
    for name, column in columns.items():
        if (table.parent / name).is_file():
            column.update((key, rest.strip()) for _, line in _lines(table.parent / name) for key, rest in [_pair(line)])
    sources, segments, speakers, languages = columns.values()
    for number, line in _lines(table.parent / "text"):
        name, text = _pair(line)
        recording, *times = segments[name].split() if name in segments else [name]
        audio = _plain_source(sources.get(recording, ""))
        if not audio:
            found = f"`{sources[recording][:60]}`" if recording in sources else "nothing"
            yield BadRow(number, f"`wav.scp` must name the file of `{recording}`, but holds {found}")
            continue
        piece = Piece(audio, text, speaker=speakers.get(name, ""), group="." if name in speakers else None)
        try:
            start, end = map(float, times) if times else (None, None)
        except ValueError:
            problem = f"`segments` must hold `utterance recording start end`, but holds `{segments[name]}`"
            yield replace(piece, problem=problem)
            continue
        if end is not None and end < 0:
            end = _TO_THE_END_S
        yield replace(piece, start_s=start, end_s=end, language=languages.get(name, ""))


_TO_THE_END_S = 1e8
"""Seconds, in place of Kaldi's -1: what lies beyond a recording's end is its end."""


def _pair(line: str) -> tuple[str, str]:
    key, _, rest = line.strip().replace("\t", " ").partition(" ")
    return key, rest


def _plain_source(source: str) -> str:
    if not source.endswith("|"):
        return source
    try:
        words = shlex.split(source[:-1])
    except ValueError:
        return ""
    options, files = [w for w in words[1:] if w.startswith("-")], [w for w in words[1:] if not w.startswith("-")]
    decodes = words[:1] and Path(words[0]).name == "flac" and {"-d", "-c"} <= {*options} <= {"-d", "-c", "-s"}
    return files[0] if decodes and len(files) == 1 else ""


def read_lhotse(table: Path) -> Rows:
    """Reads `…recordings….jsonl(.gz)` with the `…supervisions….jsonl(.gz)` beside it.

    Source: https://lhotse.readthedocs.io/en/latest/corpus.html.
    """
    supervisions = table.with_name(_supervisions(table.name))
    if not supervisions.is_file():
        return
    sources: dict[str, str] = {}
    for _, line in _lines(table):
        recording = _object(line)
        sources[str(recording.get("id"))] = _only_file(recording)
    for number, line in _lines(supervisions):
        one = _object(line)
        audio = sources.get(str(one.get("recording_id")), "")
        if not audio:
            yield BadRow(number, "its recording must be a single file, unchanged, that the recordings' manifest names")
            continue
        speaker = str(one.get("speaker") or "")
        piece = Piece(audio, str(one.get("text") or ""), speaker=speaker, group="." if speaker else None)
        try:
            start = float(one["start"])
            end, words = start + float(one["duration"]), tuple(_words(one))
        except (KeyError, TypeError, ValueError, OverflowError):
            problem = f"line {number} must hold `start` and `duration` in seconds, of its words too"
            yield replace(piece, problem=problem)
            continue
        yield replace(piece, start_s=start, end_s=end, language=str(one.get("language") or ""), words=words)


def _only_file(recording: Mapping[str, Any]) -> str:
    """Returns the file that a recording is; "" where it is several, or made of one."""
    match recording.get("sources"):
        case [{"type": "file", "source": str(source)}] if not recording.get("transforms"):
            return source
    return ""


def _supervisions(name: str) -> str:
    return name.replace("recordings", "supervisions")


def _words(supervision: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    alignment = supervision.get("alignment") or {}
    if not isinstance(alignment, dict):
        raise TypeError("alignment")
    for symbol, start, length, *_ in alignment.get("word") or ():
        yield str(symbol), float(start), float(start) + float(length)


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _with_suffix(name: str, suffix: str) -> str:
    return name if Path(name).suffix.lower() in SUFFIXES else f"{name}{suffix}"


def _nothing(_table: Path) -> Rows:
    return iter(())


LAYOUTS: Mapping[str, Layout] = {
    "lhotse": Layout(
        ("*recordings*.jsonl", "*recordings*.jsonl.gz"),
        read_lhotse,
        complete=True,
        anywhere=True,
        rows_in=_supervisions,
    ),
    "kaldi": Layout(("wav.scp",), read_kaldi, complete=True, anywhere=True, rows_in=lambda _: "text"),
    "commonvoice": Layout(("validated.tsv", "train.tsv", "dev.tsv", "test.tsv"), read_commonvoice, complete=True),
    "vctk": Layout(("txt/*/*.txt",), read_vctk, complete=True),
    "libritts": Layout(("*.normalized.txt",), read_libritts),
    "librispeech": Layout(("*.trans.txt",), read_librispeech),
    "ljspeech": Layout(("metadata.csv",), read_ljspeech),
    "voices": Layout((), _nothing),
}
"""The layouts by name; where several tell of one recording, the first of these is believed.

`voices` is `<group>/<speaker>/*` with or without a transcript beside each: what holds where no table tells.
"""
