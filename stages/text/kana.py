"""Turns Japanese text into kana, split into phrases, because espeak-ng reads a kanji as the words "Chinese letter"."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

from stages.text.counters import NUMERALS, Reading, read_number
from stages.text.ipa import Reader
from stages.text.languages import HAN, HIRAGANA, KATAKANA
from stages.text.openjtalk import PYKAKASI, split

_JAPANESE = re.compile(f"[{HIRAGANA}{KATAKANA}ー々〆〇{HAN}]+")
_LATIN = re.compile(r"([A-Za-zÀ-ɏ]+(?:[ '’&-]+[A-Za-zÀ-ɏ]+)*)")
_HIRAGANA = re.compile(f"[{HIRAGANA}ー]+")
_NUMBER_AND = frozenset("とはがのにをもやで")
"""What pykakasi takes for a part of a word after a number."""
_READINGS = {
    **{"今日は": "きょうわ", "彼の": "かれの", "間に": "あいだに", "日本": "にほん", "通る": "とおる"},
    **{"明後日": "あさって", "一昨日": "おととい", "何時も": "いつも"},
}
"""Words of pykakasi with other readings than it gives: 今日は is `today` here; the greeting is written in kana."""
_ALONE = {"人": "ひと", "日": "ひ", "月": "つき", "年": "とし", "君": "きみ", "内": "うち"}
"""Readings of letters that are words by themselves, after kana."""
_LONGER: dict[str, tuple[re.Pattern[str], str]] = {
    "ご": (re.compile("ご飯"), "ごはん"),
    "お": (re.compile("お(?:(金)(?![利額持沢])|腹)"), ""),
    "今": (re.compile("今年"), "ことし"),
    "開": (re.compile("開け(?=[てるたまなよろ])"), "あけ"),
    "入": (re.compile("(?<!気に)入(?=[るっりらろ])(?![りっ]口)"), "はい"),
    "怒": (re.compile("怒(?=[るっりらろ])"), "おこ"),
    "降": (re.compile("降り(?=[始出続注だ])"), "ふり"),
    "島": (re.compile("島国"), "しまぐに"),
    "通": (re.compile("(?<=[へに])通(?=[っいうわ])"), "かよ"),
    "何": (re.compile("何(?=です|で(?:も|す)?な|だ)"), "なん"),
}
"""Words that pykakasi splits, or reads otherwise, by their first letter."""
_SOUNDS = {"は": "わ", "へ": "え"}
_INSIDE = re.compile(
    "(?:のは(?=いつ|ど[これう]|だれ|なに|なぜ|とても|もう|まだ|[こそあ][のれ]|よく)|では(?=はじめ|やく)"
    "|[でにとて]は(?=$|な[いかくら]|あ[りっる]|い(?:け|な|ら|ま|え)|だ|も|ま[だた]|お[りら])"
    "|(?:から|まで|より|ほど|だけ|こと|もの|とき|これ|それ|あれ|ここ|そこ|どこ|ちら|かれ|わたし|あなた|ぼく|おれ|きょう|さん|くん|ちゃん|さま)は"
    "|[^は]は$|(?:[こそどあ]こ|ちら|っち|ところ|ほう|まえ|うえ)へ|.へ$)"
)
"""Hiragana whose last letter is a particle, although pykakasi doesn't split it off."""
_AFTER_ANY = frozenset(("は", "へ", "への", "へと", "へは", "へも"))
_NOUN = re.compile(f"(?:[^{HIRAGANA}]|ども|たち|さん|くん|ちゃん|さま|り)$")
"""The end of a word after which は and へ are particles."""
_LEADING = re.compile("は(?!ず(?:$|[だでがの]))|へ(?![んたそびぼ]|や[のにがはでを]|い[わき])")
_HAN_BEFORE = re.compile(f"[{HAN}]$")
_GREETINGS = {"こんにちは": "こんにちわ", "こんばんは": "こんばんわ", "いろは": "いろは"}
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


def to_kana(text: str, analyser: str = PYKAKASI) -> str:
    """Turns text into hiragana, with spaces between phrases.

    A phrase is a word with the particles and endings after it. The particles は and へ are written わ and え, as they
    are spoken. Numbers are read with their counters, other words as the analyser does: `pykakasi`, which ignores
    context, or `openjtalk`. A kanji without a reading is dropped. Latin letters, digits and marks stay as they are.
    """
    words = _words if analyser == PYKAKASI else _words_in_context
    plain = unicodedata.normalize("NFKC", text).translate(_VARIANTS)
    return _JAPANESE.sub(lambda run: _spoken(run, words), plain)


def _spoken(run: re.Match[str], words: "_Words") -> str:
    """Returns a run of Japanese letters as phrases, separated from letters and digits around it."""
    before, after = run.string[: run.start()][-1:], run.string[run.end() :][:1]
    phrases = _phrases(run[0], words, joined=before.isalnum())
    return f"{' ' if before.isalnum() else ''}{phrases}{' ' if after.isalnum() else ''}"


def _phrases(run: str, words: "_Words", *, joined: bool) -> str:
    """Returns a run as phrases. `joined` is whether a word precedes it: then は is the particle."""
    phrases: list[str] = []
    for kana, belongs in _tokens(run, words, joined=joined):
        if belongs and phrases:
            phrases[-1] += kana
        else:
            phrases.append(kana)
    return " ".join(phrases)


def _tokens(run: str, words: "_Words", *, joined: bool) -> Iterator[tuple[str, bool]]:
    """Yields the readings of a run's words, and whether each belongs to the phrase before it.

    Numbers and their counters are read first. A letter that can't be read is dropped, and the rest is split again.
    """
    done = 0
    while done < len(run):
        at = done
        for written, kana, belongs in words(run, at, joined=joined or at > 0):
            if at >= done and (not kana or not run.startswith(written, at)):
                done = at + 1
                break
            end = at + len(written)
            if at < done < end:
                break
            if at >= done:
                number = _number(run, at, end)
                yield (number.kana, False) if number else (kana, belongs)
                done = number.end if number else end
                if done < end:
                    break
            at = end
        else:
            done = len(run)


def _number(run: str, at: int, end: int) -> Reading | None:
    """Returns the number that begins where a word was found; None where the word is more than a number: 六本木."""
    if run[at] not in NUMERALS:
        return None
    first = last = read_number(run, at)
    while last is not None and last.end < end and run[last.end : end] not in _NUMBER_AND:
        last = read_number(run, last.end)
    if first is None or last is None:
        return None
    alone = end - at == 1 or run[first.end : end] in _NUMBER_AND
    return first if first.sure or first.end > end or alone else None


class _Words(Protocol):
    """Splits a run into words from a place on: as written, as they sound, and if they belong to the phrase before."""

    def __call__(self, run: str, at: int, *, joined: bool) -> Iterator[tuple[str, str, bool]]:
        """Yields the words; `joined` is whether a word precedes. The sound of an unknown word is ""."""


def _words_in_context(run: str, at: int, *, joined: bool) -> Iterator[tuple[str, str, bool]]:  # noqa: ARG001
    """Yields the words as Open JTalk splits and reads them."""
    return split(run[at:])


def _words(run: str, at: int, *, joined: bool) -> Iterator[tuple[str, str, bool]]:
    """Yields the words of a run from a place on: as written, as they sound, and if they belong to the phrase before.

    The sound of a word that pykakasi doesn't know is "".
    """
    before = run[max(at - 2, 0) : at] or "A" * joined
    while at < len(run):
        if (longer := _LONGER.get(run[at])) and (word := longer[0].match(run, at)):
            yield word[0], longer[1] or ("おかね" if word[1] else "おなか"), False
            before, at, joined = word[0], word.end(), True
            continue
        for token in _kakasi().convert(run[at:]) or [{"orig": run[at], "hira": ""}]:
            written, kana = token["orig"], token["hira"]
            if not kana or written != run[at : at + len(written)]:
                yield written, "", False
                return
            if hiragana := _HIRAGANA.fullmatch(written) is not None:
                kana = _particles(before if joined else "", kana)
            elif written in _ALONE and not _HAN_BEFORE.search(before):
                kana = _ALONE[written]
            elif written[-1] == kana[-1] == "は":
                kana = f"{_READINGS.get(written, kana)[:-1]}わ"
            else:
                kana = _READINGS.get(written, kana)
            yield written, kana, hiragana
            before, at, joined = written, at + len(written), True
            if at < len(run) and run[at] in _LONGER and _LONGER[run[at]][0].match(run, at):
                break


def _particles(before: str, kana: str) -> str:
    """Returns hiragana with は and へ as they sound. `before` is the word before it; "" if there is none."""
    if kana in _GREETINGS:
        return _GREETINGS[kana]
    if before and (kana in _AFTER_ANY or (_NOUN.search(before) and _LEADING.match(kana))):
        kana = f"{_SOUNDS[kana[0]]}{kana[1:]}"
    if "は" not in kana and "へ" not in kana:
        return kana
    tail = before[-3:]
    return _INSIDE.sub(lambda found: f"{found[0][:-1]}{_SOUNDS[found[0][-1]]}", tail + kana)[len(tail) :]


@cache
def _kakasi() -> Any:
    import pykakasi

    return pykakasi.kakasi()
