"""Tar files in which each recording has its JSON or text beside it: WebDataset, and Emilia's."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows
from stages.corpora.layouts.tables.contents import language_of
from stages.corpora.layouts.tables.jsonlines import values_of
from stages.tar import members

_LARGEST = 1 << 24
"""Bytes of a JSON or a text."""
_TEXTS = frozenset({".json", ".txt"})
_EMILIA = frozenset({"dnsmos", "speaker", "language", "text"})


def read_tar(tar: Path, *, emilia: bool) -> Rows:
    """Reads `<key>.json` and `<key>.txt` beside each recording of a tar file.

    The JSON gives text, speaker and language, by the usual names; the text file gives the text where the JSON has none.
    A recording without either is left to what else is known of it, as is a JSON of whisperX.

    Args:
        tar: The tar file. One that can't be read has no rows: listing its recordings tells of it.
        emilia: Whether to read it only if its JSON is Emilia's, or only if it isn't.
    """
    told: dict[str, dict[str, Any]] = {}
    audio: dict[str, str] = {}
    for name, content in _contents(tar):
        stem, _, suffix = name.rpartition(".")
        if content is None:
            audio[stem] = name
        elif suffix.lower() == "txt":
            told.setdefault(stem, {}).setdefault("text", content.strip())
        else:
            told[stem] = told.get(stem, {}) | _object(content)
    first = next((found for found in told.values() if len(found) > 1), {})
    if (first.keys() >= _EMILIA) != emilia:
        return
    for number, (stem, name) in enumerate(audio.items(), 1):
        found = told.get(stem, {})
        values = values_of(found)
        if "segments" in found or not values.get("text"):
            continue
        if "\ufffd" in values["text"]:
            yield BadRow(number, f"the text of `{name}` must be UTF-8, but isn't")
            continue
        speaker = values.get("speaker", "")
        yield Piece(
            f"{tar.name}/{name}",
            values["text"],
            speaker=speaker,
            group="." if speaker else None,
            language=language_of(values.get("language", "")),
        )


def _contents(tar: Path) -> Iterator[tuple[str, str | None]]:
    """Yields the names of a tar's recordings with None, and those of its small texts with their content."""
    try:
        found = members.contents(tar).members
        with tar.open("rb") as file:
            for member in found:
                suffix = f".{member.name.rpartition('.')[2].lower()}"
                if suffix in SUFFIXES:
                    yield member.name, None
                elif suffix in _TEXTS and member.size <= _LARGEST:
                    file.seek(member.offset)
                    yield member.name, file.read(member.size).decode("utf-8-sig", "replace")
    except OSError:
        return


def _object(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


WEBDATASET = Layout(
    "webdataset",
    ("*.tar",),
    partial(read_tar, emilia=False),
    speakers="from `<key>.json` or `<key>.txt` beside each recording in the tar; the tar's folder is the group",
    rank=52,
)
