"""Ids of recordings and utterances, names of speakers, and splits; where an id's sound lies."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Mixture = Literal["noisy", "noise", "overlaid", "shifted"]
"""Kinds of mixtures, each as long as its utterance: speech with noise; that noise alone, at the same level; speech with
another speaker; speech at another pitch."""
MIXTURES: tuple[Mixture, ...] = get_args(Mixture)


Channel = Literal["mix", "left", "right"]
"""The channel of a recording that is read; `mix`: the mean of all."""
_CHANNEL = re.compile(r"@(left|right)\Z")
"""At the end of an id. No file of sound has such a name: it ends in a suffix."""


def channel_id(recording: str, channel: Channel) -> str:
    """Returns the id of a recording's channel; of `mix` the recording's own."""
    return recording if channel == "mix" else f"{recording}@{channel}"


def channel_of(item_id: str) -> Channel:
    """Returns the channel in a recording's id, the inverse of `channel_id`."""
    found = _CHANNEL.search(item_id)
    return ("left" if found[1] == "left" else "right") if found else "mix"


def file_of(item_id: str) -> str:
    """Returns the id of the file that holds a recording: the id without its channel."""
    return _CHANNEL.sub("", item_id)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording's sound lies."""

    path: Path
    channel: Channel = "mix"
    raw: str = ""
    """The format of a file without a header: coding, rate in Hz and number of channels, such as `s16le 8000 1`."""


def place_of(voices: Path, item_id: str, raw: str = "") -> Place:
    """Returns where the sound of a recording's id lies, below the voices folder."""
    return Place(voices / path_of(item_id), channel_of(item_id), raw)


def speaker_key(group: str, speaker: str) -> str:
    """Returns a speaker's name across groups: `group/speaker`, or `speaker` if there is no group."""
    return f"{group}/{speaker}" if group else speaker


def group_of(key: str) -> str:
    """Returns the group in a name from `speaker_key`; "" if there is none."""
    return key.rpartition("/")[0]


def mixture_id(utterance: str, kind: Mixture) -> str:
    """Returns the id of an utterance's mixture."""
    return f"{utterance}@{kind}"


def utterance_of(item_id: str) -> str:
    """Returns the id of a mixture's utterance, the inverse of `mixture_id`; an utterance's id is returned as it is."""
    uid, _, kind = item_id.rpartition("@")
    return uid if kind in MIXTURES else item_id


def id_of(path: str) -> str:
    r"""Returns the id of a file: its path, with bytes that aren't UTF-8 written as `\xe9`, and `\` as `\\`.

    Args:
        path: The path below the voices folder, as the file system gave it.
    """
    if "\\" not in path and _is_utf8(path):
        return path
    raw = os.fsencode(path.replace("\\", "\\\\"))
    return raw.decode("utf-8", "backslashreplace")


def path_of(item_id: str) -> str:
    """Returns the path of an id, the inverse of `id_of`; of a channel's id, that of its file."""
    item_id = file_of(item_id)
    if "\\" not in item_id:
        return item_id
    return os.fsdecode(_ESCAPE.sub(_byte, item_id.encode()))


_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else b"\\"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Split = Literal["train", "validation", "test"]


def split_of(key: str, validation: float, test: float = 0.0) -> Split:
    """Returns the split of a speaker or an utterance, by hash, so that it doesn't depend on other rows.

    Args:
        key: The name of the speaker or the id of the utterance that must stay in one split.
        validation: Share of the keys in validation, 0 to 1.
        test: Share of the keys in test, 0 to 1.
    """
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if position < test:
        return "test"
    return "validation" if position < test + validation else "train"
