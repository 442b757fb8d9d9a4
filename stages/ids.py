"""Ids of recordings and utterances, and the speakers, groups and splits that follow from them."""

import hashlib
import os
import re
from typing import Literal, get_args

Mixture = Literal["noisy", "noise", "overlaid", "shifted"]
"""What `valle-prep mix` makes of an utterance, each as long as it: the speech with noise; that noise alone, as loud as
there; the speech with another speaker's over it; the speech with another pitch."""
MIXTURES: tuple[Mixture, ...] = get_args(Mixture)


def speaker_key(group: str, speaker: str) -> str:
    """Returns the name that tells a speaker from those of other groups: `group/speaker`, or the bare speaker."""
    return f"{group}/{speaker}" if group else speaker


def group_of(key: str) -> str:
    """Returns the group of a speaker named by `speaker_key`; "" where there is none."""
    return key.rpartition("/")[0]


def mixture_id(utterance: str, kind: Mixture) -> str:
    """Returns the id of what was made of an utterance."""
    return f"{utterance}@{kind}"


def utterance_of(item_id: str) -> str:
    """Returns the id of the utterance that something was made of, or that it is: the inverse of `mixture_id`."""
    uid, _, kind = item_id.rpartition("@")
    return uid if kind in MIXTURES else item_id


def id_of(path: str) -> str:
    r"""Returns the id of a file: its path as text, in which a byte that is no UTF-8 reads `\xE9`, and `\` reads `\\`.

    Args:
        path: Below the voices folder, as the file system gave it.
    """
    if "\\" not in path and _is_utf8(path):
        return path
    raw = os.fsencode(path.replace("\\", "\\\\"))
    return raw.decode("utf-8", "backslashreplace")


def path_of(item_id: str) -> str:
    """Returns the path that an id stands for: the inverse of `id_of`."""
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
    """Returns the split that a speaker or an utterance belongs to, by hash: it never depends on the other rows.

    Args:
        key: The id of what must not be torn apart: a speaker's or an utterance's.
        validation: Share of the keys in validation, 0 to 1.
        test: Share of the keys in test, 0 to 1.
    """
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if position < test:
        return "test"
    return "validation" if position < test + validation else "train"
