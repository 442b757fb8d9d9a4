"""Japanese text as kana, in phrases: espeak-ng reads a kanji as the English words "Chinese letter"; and its reader."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from stages.text.ipa import Reader
from stages.text.languages import HAN, HIRAGANA, KATAKANA

_JAPANESE = re.compile(f"[{HIRAGANA}{KATAKANA}ー々〆{HAN}]+")
_LATIN = re.compile(r"([A-Za-zÀ-ɏ]+(?:[ '’&-]+[A-Za-zÀ-ɏ]+)*)")
_HIRAGANA = re.compile(f"[{HIRAGANA}ー]+")
_TOPIC = re.compile(r".*[^は]は$|(?:で|これ|それ|あれ|ここ|そこ|どこ)は")
"""Where は is the particle although other hiragana stand with it."""
_SPOKEN = {
    "は": "わ",
    "へ": "え",
    "への": "えの",
    "へと": "えと",
    "へは": "えわ",
    "いろは": "いろは",
    "こんにちは": "こんにちわ",
    "こんばんは": "こんばんわ",
}
_WRITTEN = {"今日は": "きょうわ"}
"""Readings that pykakasi gets wrong: in a sentence it is `today`, since the greeting is written in kana."""
_VARIANTS = str.maketrans("𠮷𠮟𣘺髙﨑瀨德增寬緖淸敎說吳鄕栁桒槗郞靑濵", "吉叱橋高崎瀬徳増寛緒清教説呉郷柳桑橋郎青浜")
"""Other forms of common kanji, mostly in names, that pykakasi doesn't know."""


class Japanese(Reader):
    """Reads Japanese texts in kana; Latin words, which its voice spells, by the reader of another language."""

    def __init__(self, voice: str, *, stress: bool, punctuation: bool, latin: Reader) -> None:
        super().__init__(voice, stress=stress, punctuation=punctuation)
        self._latin = latin

    def speak(self, part: str) -> str:
        """Returns the IPA of what stands between two marks."""
        speak = super().speak
        runs = filter(str.strip, _LATIN.split(part))
        return " ".join(self._latin.speak(run) if _LATIN.match(run) else speak(run) for run in runs)


def to_kana(text: str) -> str:
    """Returns the text in hiragana, with spaces between its phrases.

    A phrase is a word with the particles and endings after it. The particles は and へ are written わ and え, as
    they are spoken. Readings are pykakasi's, which knows no context; a kanji without one is left out. Latin letters,
    digits and marks stay as they are.
    """
    return _JAPANESE.sub(_spoken, unicodedata.normalize("NFKC", text).translate(_VARIANTS))


def _spoken(run: re.Match[str]) -> str:
    """Returns a run of Japanese letters as phrases, set off from letters and digits around it."""
    before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
    return (
        f"{' ' if before.isalnum() else ''}{_phrases(run[0], joined=before.isalnum())}{' ' if after.isalnum() else ''}"
    )


def _phrases(run: str, *, joined: bool) -> str:
    """Returns the phrases of a run of Japanese letters; joined: a word stands before it, so that は is a particle."""
    phrases: list[str] = []
    for written, kana in _tokens(run):
        if not _HIRAGANA.fullmatch(written):
            phrases.append(_WRITTEN.get(written, kana))
        elif phrases:
            phrases[-1] += _as_spoken(kana)
        else:
            phrases.append(_as_spoken(kana) if joined or len(kana) > 1 else kana)
    return " ".join(phrases)


def _as_spoken(kana: str) -> str:
    if kana in _SPOKEN:
        return _SPOKEN[kana]
    topic = _TOPIC.match(kana)
    return f"{topic[0][:-1]}わ{kana[topic.end() :]}" if topic else kana


def _tokens(run: str) -> Iterator[tuple[str, str]]:
    """Yields the words of a run and their readings.

    After a letter that it doesn't know pykakasi swallows another, so what follows is given to it anew.
    """
    at = 0
    while at < len(run):
        for token in _kakasi().convert(run[at:]):
            if not token["hira"] or not run.startswith(token["orig"], at):
                break
            yield token["orig"], token["hira"]
            at += len(token["orig"])
        at += at < len(run)


@cache
def _kakasi() -> Any:
    import pykakasi

    return pykakasi.kakasi()
