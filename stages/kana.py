"""Japanese text as kana, in phrases: espeak-ng reads a kanji as the English words "Chinese letter"."""

import re
import unicodedata
from functools import cache
from typing import Any

_JAPANESE = re.compile(r"[ぁ-ゖァ-ヺー々〆\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_HIRAGANA = re.compile(r"[ぁ-ゖー]+")
_TOPIC = re.compile(r"(?:に|と|から|まで)は$|(?:で|これ|それ|あれ|ここ|そこ|どこ)は")
"""Where は is the particle although other hiragana stand with it."""
_SPOKEN = {"は": "わ", "へ": "え", "こんにちは": "こんにちわ", "こんばんは": "こんばんわ"}
_WRITTEN = {"今日は": "きょうわ"}
"""Readings that pykakasi gets wrong: in a sentence it is `today`, since the greeting is written in kana."""


def to_kana(text: str) -> str:
    """Returns the text in hiragana, with spaces between its phrases.

    A phrase is a word with the particles and endings after it. The particles は and へ are written わ and え, as
    they are spoken. Readings are pykakasi's, which knows no context. Latin letters, digits and marks stay as they are.
    """
    return _JAPANESE.sub(_spoken, unicodedata.normalize("NFKC", text))


def _spoken(run: re.Match[str]) -> str:
    """Returns a run of Japanese letters as phrases, set off from letters and digits around it."""
    before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{_phrases(run[0])}{' ' if after.isalnum() else ''}"


def _phrases(run: str) -> str:
    phrases: list[str] = []
    for token in _kakasi().convert(run):
        written, kana = token["orig"], token["hira"]
        if not _HIRAGANA.fullmatch(written):
            phrases.append(_WRITTEN.get(written, kana))
            continue
        topic = _TOPIC.match(kana)
        if topic:
            kana = f"{topic[0][:-1]}わ{kana[topic.end() :]}"
        if phrases:
            phrases[-1] += _SPOKEN.get(kana, kana)
        else:
            phrases.append(kana if len(kana) == 1 else _SPOKEN.get(kana, kana))
    return " ".join(phrases)


@cache
def _kakasi() -> Any:
    import pykakasi

    return pykakasi.kakasi()
