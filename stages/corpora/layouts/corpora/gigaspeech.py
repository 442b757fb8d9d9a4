"""GigaSpeech."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows
from stages.errors import UsageError
from stages.tar import members

_HEAD = 1 << 16
_BLOCK = 1 << 20
"""Bytes that are read at a time: the file of the whole corpus has gigabytes."""
_LONGEST = 1 << 28
"""Bytes of one recording's object."""
_LIST = re.compile(r'"audios"\s*:\s*\[')
_MARKS = {"<COMMA>": ",", "<PERIOD>": ".", "<QUESTIONMARK>": "?", "<EXCLAMATIONPOINT>": "!"}
_NO_SPEECH = {"<SIL>", "<NOISE>", "<MUSIC>", "<OTHER>"}
_NOBODY = {"", "N/A"}


def read_gigaspeech(table: Path) -> Rows:
    """Reads `GigaSpeech.json`: `audios[].{path, segments[].{speaker, begin_time, end_time, text_tn}}`.

    Marks such as `<COMMA>` become marks; segments without speech (`<MUSIC>`) are left out. Where the corpus names no
    speaker, the recording is one.

    Source: Chen et al. 2021, https://github.com/SpeechColab/GigaSpeech.
    """
    for number, audio in enumerate(_audios(table), 1):
        path, language = audio.get("path"), str(audio.get("language") or "en")
        if not isinstance(path, str) or not isinstance(audio.get("segments"), list):
            yield BadRow(number, "an object of `audios` must hold `path` and `segments`")
            continue
        for segment in audio["segments"]:
            yield from _piece(number, path, segment, language.lower())


def _piece(number: int, path: str, segment: Any, language: str) -> Rows:
    try:
        words = str(segment["text_tn"]).split()
        times = float(segment["begin_time"]), float(segment["end_time"])
    except (KeyError, TypeError, ValueError):
        yield BadRow(number, f"a segment of `{path}` must hold `begin_time`, `end_time` and `text_tn`")
        return
    if _NO_SPEECH.isdisjoint(words) and words:
        text = " ".join(_MARKS.get(word, word) for word in words)
        speaker = str(segment.get("speaker") or "")
        own = Path(path).stem
        yield Piece(
            path,
            re.sub(r" (?=[,.?!])", "", text),
            *times,
            speaker=own if speaker in _NOBODY else speaker,
            group=".",
            language=language,
        )


def _audios(table: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of the list `audios`, one at a time; none of any other file."""
    decoder = json.JSONDecoder()
    with members.open_file(table) as file:
        head = file.read(_HEAD).decode("utf-8", "ignore")
        start = _LIST.search(head)
        if start is None:
            return
        file.seek(len(head[: start.end()].encode()))
        raw, done, block = b"", False, _BLOCK
        while not done:
            more = file.read(block)
            done, raw = not more, raw + more
            text = raw.decode("utf-8", "ignore")  # a letter may be cut at the end of the block
            at = 0
            while True:
                begin = re.compile(r"[\s,]*").match(text, at)
                at = begin.end() if begin else at
                if text[at : at + 1] == "]":
                    return
                try:
                    value, at = decoder.raw_decode(text, at)
                except (ValueError, RecursionError):
                    break
                if isinstance(value, dict):
                    yield value
            block = _BLOCK if at else 2 * block
            raw = raw[len(text[:at].encode()) :]
            if len(raw) > _LONGEST:
                break
    raise UsageError(f"`{table}` must hold a list `audios` that ends, but breaks off or isn't JSON. Copy it again.")


GIGASPEECH = Layout(
    "gigaspeech",
    ("GigaSpeech*.json",),
    read_gigaspeech,
    complete=True,
    speakers="the speaker of each segment, else the recording; the corpus is the group",
    rank=50,
)
