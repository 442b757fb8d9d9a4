"""Turns Japanese text into kana, split into phrases, because espeak-ng reads a kanji as the words "Chinese letter"."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from stages.text.counters import NUMERALS, Reading, read_number
from stages.text.ipa import Reader
from stages.text.languages import HAN, HIRAGANA, KATAKANA

_JAPANESE = re.compile(f"[{HIRAGANA}{KATAKANA}ー々〆{HAN}]+")
_LATIN = re.compile(r"([A-Za-zÀ-ɏ]+(?:[ '’&-]+[A-Za-zÀ-ɏ]+)*)")
_HIRAGANA = re.compile(f"[{HIRAGANA}ー]+")
_TOPIC = re.compile(r".*[^は]は$|(?:で|これ|それ|あれ|ここ|そこ|どこ)は")
"""Hiragana whose は is the particle, although pykakasi doesn't split it off."""
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
_PARTICLES = frozenset("とはがのにをもやで")
"""What pykakasi takes for a part of a word after a number."""
_WRITTEN = {"今日は": "きょうわ"}
"""Corrected readings of pykakasi: in a sentence, this means `today`; the greeting is written in kana."""
_VARIANTS = str.maketrans("𠮷𠮟𣘺髙﨑瀨德增寬緖淸敎說吳鄕栁桒槗郞靑濵", "吉叱橋高崎瀬徳増寛緒清教説呉郷柳桑橋郎青浜")
"""Variant forms of common kanji, mostly in names, that pykakasi doesn't know."""


class Japanese(Reader):
    """Reads Japanese texts in kana. Latin words go to `latin`, because the Japanese voice spells them out."""

    def __init__(self, voice: str, *, stress: bool, punctuation: bool, latin: Reader) -> None:
        super().__init__(voice, stress=stress, punctuation=punctuation)
        self._latin = latin

    def speak(self, part: str) -> str:
        """Returns the IPA of a part without punctuation."""
        speak = super().speak
        runs = filter(str.strip, _LATIN.split(part))
        return " ".join(self._latin.speak(run) if _LATIN.match(run) else speak(run) for run in runs)


def to_kana(text: str) -> str:
    """Turns text into hiragana, with spaces between phrases.

    A phrase is a word with the particles and endings after it. The particles は and へ are written わ and え, as they
    are spoken. Readings are pykakasi's, which ignores context. A kanji without a reading is dropped. Latin letters,
    digits and marks stay as they are.
    """
    return _JAPANESE.sub(_spoken, unicodedata.normalize("NFKC", text).translate(_VARIANTS))


def _spoken(run: re.Match[str]) -> str:
    """Returns a run of Japanese letters as phrases, separated from letters and digits around it."""
    before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
    return (
        f"{' ' if before.isalnum() else ''}{_phrases(run[0], joined=before.isalnum())}{' ' if after.isalnum() else ''}"
    )


def _phrases(run: str, *, joined: bool) -> str:
    """Returns a run as phrases. `joined` is whether a word precedes it: then は is the particle."""
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
    """Yields the words of a run with their readings: numbers with their counters, and the words of pykakasi.

    pykakasi drops the letter after one that it doesn't know, so the rest is converted again from there.
    """
    at = 0
    while at < len(run):
        for token in _kakasi().convert(run[at:]):
            if not token["hira"] or not run.startswith(token["orig"], at):
                at += 1
                break
            end = at + len(token["orig"])
            if (number := _number(run, at, end)) is None:
                yield token["orig"], token["hira"]
                at = end
                continue
            yield run[at : number.end], number.kana
            at = number.end
            if at != end:
                break


def _number(run: str, at: int, end: int) -> Reading | None:
    """Returns the number that begins where pykakasi found a word; None where the word is more than a number: 六本木."""
    if run[at] not in NUMERALS:
        return None
    first = last = read_number(run, at)
    while last is not None and last.end < end and run[last.end : end] not in _PARTICLES:
        last = read_number(run, last.end)
    if first is None or last is None:
        return None
    alone = end - at == 1 or run[first.end : end] in _PARTICLES
    return first if first.sure or first.end > end or alone else None


@cache
def _kakasi() -> Any:
    import pykakasi

    return pykakasi.kakasi()
