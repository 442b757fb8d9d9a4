"""Splits Japanese into words with their readings by Open JTalk, which knows the context, unlike pykakasi.

Open JTalk and its dictionary come in the package `pyopenjtalk-plus` (the extra `openjtalk`).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

PACKAGE = "pyopenjtalk-plus"
PYKAKASI, OPENJTALK = "pykakasi", "openjtalk"
"""The values of `g2p.japanese`."""

_JOINED = ("助詞", "助動詞")
"""Parts of speech that belong to the phrase of the word before them."""
_JOINED_GROUPS = ("接尾", "非自立")
_MARK = "記号"
_PARTICLES = {"ハ": "ワ", "ヘ": "エ"}
_IN_HIRAGANA = {katakana: katakana - 0x60 for katakana in range(ord("ァ"), ord("ヴ") + 1)}


def split(run: str) -> Iterator[tuple[str, str, bool]]:
    """Yields the words of a run of Japanese letters.

    Yields:
        The word as Open JTalk writes it; its reading in hiragana, with particles as they sound, or "" if it has none;
        and whether it belongs to the phrase of the word before it.
    """
    for word in _openjtalk().run_frontend(run):
        kana = "" if word["pos"] == _MARK else _sounded(word["read"], word["pron"])
        yield word["string"], kana, word["pos"] in _JOINED or word["pos_group1"] in _JOINED_GROUPS


def _sounded(read: str, pron: str) -> str:
    """Returns a reading in hiragana, は and へ as they are pronounced; long vowels stay as they are written."""
    spoken = pron.replace("’", "")  # marks a voiceless vowel
    if len(spoken) == len(read):
        read = "".join(
            sound if _PARTICLES.get(kana) == sound else kana for kana, sound in zip(read, spoken, strict=True)
        )
    return read.translate(_IN_HIRAGANA)


@cache
def _openjtalk() -> Any:
    import pyopenjtalk

    return pyopenjtalk
