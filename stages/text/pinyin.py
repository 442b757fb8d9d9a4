"""Turns pinyin as people type it, `nǐ hǎo`, into the form that espeak-ng reads: `ni3 hao3`."""

import re
import unicodedata

_FINALS = {
    "b": "a o ai ei ao an en ang eng i ie iao ian in ing u",
    "p": "a o ai ei ao ou an en ang eng i ie iao ian in ing u",
    "m": "a o e ai ei ao ou an en ang eng i ie iao iu ian in ing u",
    "f": "a o ei ou an en ang eng u",
    "d t": "a e ai ei ao ou an en ang eng ong i ia ie iao iu ian ing u uo ui uan un",
    "n l": "a o e ai ei ao ou an en ang eng ong i ia ie iao iu ian in iang ing u uo uan un v ve",
    "g k h": "a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang",
    "z c s": "i a e ai ei ao ou an en ang eng ong u uo ui uan un",
    "zh ch sh": "i a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang",
    "r": "i e ao ou an en ang eng ong u ua uo ui uan un",
    "j q x": "i ia ie iao iu ian in iang ing iong u ue uan un",
    "y": "a o e ao ou an ang i in ing ong u ue uan un",
    "w": "a o ai ei an en ang eng u",
}
"""The finals that may follow each initial consonant; ü is `v`."""
_WITH_CONSONANT = frozenset(
    consonant + final
    for consonants, finals in _FINALS.items()
    for consonant in consonants.split()
    for final in finals.split()
)
_FIRST = _WITH_CONSONANT | {"a", "o", "e", "ai", "ei", "ao", "ou", "an", "en", "ang", "eng", "er"}
_LATER = _WITH_CONSONANT | {"r"}
"""Syllables that may follow another. One without a consonant needs an apostrophe (`Xī'ān`); `r` is 儿."""
_LONGEST = max(map(len, _FIRST))
_TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_MARKED = re.compile("[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ]", re.IGNORECASE)
_WORD = re.compile("[a-zà-ÿĀ-ǜ]+(?:['’][a-zà-ÿĀ-ǜ]+)*", re.IGNORECASE)


def numbered(text: str) -> str:
    """Replaces the tone marks of pinyin in a text by tone numbers; a syllable without a mark gets 5.

    A word is pinyin if it has a tone mark and splits into Mandarin syllables: `hǎo` is, `café` isn't.
    """
    return _WORD.sub(_numbered_word, text) if _MARKED.search(text) else text


def _numbered_word(word: re.Match[str]) -> str:
    if not _MARKED.search(word[0]):
        return word[0]
    letters, tones = _apart(word[0])
    numbered, at = "", 0
    for part in re.split("['’]", letters):
        syllables = _syllables(part)
        if not syllables:
            return word[0]
        for syllable in syllables:
            tone = "".join(tones.get(index, "") for index in range(at, at + len(syllable)))
            numbered += f"er{tone or 2}" if syllable == "r" else f"{syllable}{tone or 5}"
            at += len(syllable)
        at += 1
    return numbered


def _apart(word: str) -> tuple[str, dict[int, str]]:
    """Returns the plain letters of a word, and the tones by index of their letter."""
    letters, tones = "", {}
    for letter in unicodedata.normalize("NFD", word.lower()):
        if letter in _TONES:
            tones[len(letters) - 1] = _TONES[letter]
        elif letter == "\u0308" and letters.endswith("u"):
            letters = f"{letters[:-1]}v"
        else:
            letters += letter
    return letters, tones


def _syllables(letters: str, known: frozenset[str] = _FIRST) -> list[str]:
    """Splits a word into Mandarin syllables, the longest first; returns none if it doesn't split."""
    for end in range(min(len(letters), _LONGEST), 0, -1):
        if letters[:end] not in known:
            continue
        if end == len(letters):
            return [letters]
        if rest := _syllables(letters[end:], _LATER):
            return [letters[:end], *rest]
    return []
