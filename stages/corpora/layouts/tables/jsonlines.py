"""Manifests of JSON lines: NeMo's (tarred too), those of VoxCPM, Qwen3-TTS, OmniVoice, and Hugging Face's."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from stages.corpora.layouts.layout import Layout, Rows, first_lines, lines_of, read_text
from stages.corpora.layouts.tables.columns import roles_of
from stages.corpora.layouts.tables.metadata import refusal
from stages.corpora.layouts.tables.pieces import locator_of, piece_of
from stages.errors import UsageError
from stages.tar import members

Object = dict[str, Any]
_SAMPLE = 100
"""Objects from which it is told what they hold."""
_LONGEST_ARRAY = 1 << 28
"""Bytes of a file that is one JSON array."""


def first_object(table: Path) -> Object:
    """Returns the first object of JSON lines or of an array, without reading on; {} if the file begins otherwise."""
    head = "\n".join(first_lines(table)).lstrip()
    if head.startswith("{"):
        return _parsed(head.split("\n", 1)[0])
    try:
        value = json.JSONDecoder().raw_decode(head[1:].lstrip())[0] if head.startswith("[") else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def objects_of(table: Path) -> Iterator[tuple[int, Object]]:
    """Yields the objects of JSON lines, or of one array, with their numbers from 1.

    What is no object is yielded as an empty one.

    Raises:
        UsageError: if the file can't be read or decoded, or if an array has no end or is too large.
    """
    if not "\n".join(first_lines(table)).lstrip().startswith("["):
        yield from ((number, _parsed(line)) for number, line in lines_of(table))
        return
    if (size := members.stamp(table)[0]) > _LONGEST_ARRAY:
        raise UsageError(f"`{table}` is one JSON array of {size:,} bytes. Write an object a line instead.")
    try:
        values = json.loads(read_text(table))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"`{table}` must be JSON, but isn't: {error}. Copy it again.") from error
    yield from ((number, value if isinstance(value, dict) else {}) for number, value in enumerate(values, 1))


def _parsed(line: str) -> Object:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def text_of(found: Object, name: str) -> str:
    """Returns a value as text; "" if there is none. Of an object, such as Hugging Face's audio, its `path`."""
    value = found.get(name)
    if isinstance(value, dict):
        value = value.get("path")
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def values_of(found: Object) -> dict[str, str]:
    """Returns what an object says, by role; the first of its texts that isn't empty is the text."""
    roles = roles_of(list(found))
    return {role: next((text for name in names if (text := text_of(found, name))), "") for role, names in roles.items()}


def _read(table: Path, *, nemo: bool) -> Rows:
    """Reads a manifest.

    Raises:
        UsageError: if it names recordings that are there, but not what is said in them.
    """
    first = first_object(table)
    roles = roles_of(list(first))
    if "audio" not in roles or ("audio_filepath" in first) != nemo or not _is_manifest(first, roles):
        return
    for _, found in islice(objects_of(table), _SAMPLE):
        first = first | found
    roles = roles_of(list(first))
    locator = locator_of(table, (values_of(found).get("audio", "") for _, found in objects_of(table)))
    if "text" not in roles:
        if locator.find(text_of(first, roles["audio"][0])):
            keys = ", ".join(f"`{key}`" for key in first)
            raise refusal(table, f"its objects hold {keys}")
        return
    tars = _tars(table) if nemo else {}
    for number, found in objects_of(table):
        values = values_of(found)
        if nemo and tars and values.get("audio"):
            values["audio"] = _inside(tars, table, found, values["audio"])
        yield piece_of(number, values, locator)


def _is_manifest(first: Object, roles: Mapping[str, tuple[str, ...]]) -> bool:
    """Returns whether an object is a row of recordings: `id` alone doesn't make it one."""
    return isinstance(first.get(roles["audio"][0]), str | dict) and not {"id", "name", "key"} & {roles["audio"][0]}


def _tars(table: Path) -> dict[int, str]:
    """Returns the tar files beside and above a manifest by number, relative to its folder: `audio_0.tar` is 0."""
    found: dict[int, str] = {}
    for up in ("", "../"):
        folder = table.parent / up
        names = [path.name for path in folder.iterdir() if path.suffix == members.SUFFIX] if folder.is_dir() else []
        numbered = {int(match[1]): f"{up}{name}" for name in names if (match := re.search(r"(\d+)\.tar$", name))}
        found = numbered | found
    return found


def _inside(tars: Mapping[int, str], table: Path, found: Object, audio: str) -> str:
    """Returns the path of a recording inside the tar file of its shard, or its own path."""
    shard = found.get("shard_id")
    if shard is None and (match := re.search(r"manifest_(\d+)\.json$", table.name)):
        shard = match[1]
    try:
        tar = tars[int(shard)]  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return audio
    # NeMo names the second piece of a recording `x-sub1.wav`; the tar holds `x.wav`.
    whole = re.sub(r"-sub\d+(?=\.\w+$)", "", audio)
    inside = next((name for name in (audio, whole) if members.is_file(table.parent / tar / name)), audio)
    return f"{tar}/{inside}"


NEMO = Layout(
    "nemo",
    ("*.json", "*.jsonl"),
    lambda table: _read(table, nemo=True),
    speakers="`audio_filepath`, `text`, perhaps `speaker`, `lang`, `offset` and `duration`; tarred: `audio_<n>.tar`",
    rank=74,
)
JSONLINES = Layout(
    "jsonlines",
    ("*.json", "*.jsonl"),
    lambda table: _read(table, nemo=False),
    speakers="an object a line with `audio`, `audio_path` or `file_name`, and `text`, perhaps `speaker`, `language`",
    rank=75,
)
