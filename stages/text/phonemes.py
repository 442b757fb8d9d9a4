"""Turns text into phonemes, in every language of the table. The stage `g2p` and the model share it."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from stages.errors import WeightsError
from stages.records import count_phonemes
from stages.text import espeak
from stages.text.characters import composed
from stages.text.ipa import Reader
from stages.text.languages import LANGUAGES, UNSPACED, WIDE_MARKS, normalise_code
from stages.text.lexicon import NONE, Given, Lexicon
from stages.text.openjtalk import OPENJTALK, PACKAGE, PYKAKASI
from stages.text.spoken.rules import Spoken
from stages.text.spoken.table import speak
from stages.text.unread import unread

_PACKAGES = ("espeakng-loader", "phonemizer", "pykakasi", "num2words", "pypinyin", "rjieba", "opencc")

# espeak-ng keeps its state in global variables, so it can only read one text at a time.
_LOCK = threading.Lock()

_TOGETHER = 256
"""Texts that are put into words before they are read."""
_SENTENCES = re.compile(
    r"(?<=[、。])(?=\w)|(?<=[，．：！？；）」』】》])(?!(?<=[0-9０-９][．：])[0-9０-９])"
    r"(?!(?<=[0-9０-９]，)(?<![0-9０-９]{4}，)[0-9０-９]{3}(?![0-9０-９]))(?=\w)"
)
"""Where East Asian punctuation needs a space after it; `１，０００` and `10：30` stay whole, `5，10` doesn't."""
_MISSING_SPACE = re.compile(f"(?<=[”),.!?;:])(?=[“({UNSPACED}])|(?<=[{UNSPACED}])(?=[“(])")
"""Where unspaced text needs a space beside a mark, as marks have in spaced languages."""
_HAS_UNSPACED = re.compile(f"[{UNSPACED}]")

_STRESS = re.compile("[ˈˌ]")
_PUNCTUATION = re.compile('[;:,.!?¡¿—…"«»“”(){}[\\]]')


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it is read."""

    text: str
    """The text, cleaned."""
    spoken: Spoken
    """The text in words, and what was changed."""
    phonemes: str
    """In IPA, with single spaces between words; without letters if there is nothing to speak."""


def phonemize(
    texts: Sequence[str],
    language: str,
    *,
    stress: bool = True,
    punctuation: bool = True,
    lexicon: Lexicon = NONE,
) -> list[str]:
    """Turns texts into phonemes.

    Args:
        texts: Any texts; line breaks count as spaces. `[[həlˈoʊ]]` in a text gives phonemes directly.
        language: A code or name in the table, such as `en`, `en-GB` or `English`.
        stress: Whether stress marks are kept.
        punctuation: Whether punctuation is kept.
        lexicon: Words whose phonemes are known, and what reads Japanese.

    Returns:
        One string of IPA per text, with single spaces between words. It has no letters if there is nothing to speak.
        A text's phonemes don't depend on the other texts, the process or the thread.

    Raises:
        TextError: if the language isn't in the table.
        WeightsError: if espeak-ng is missing, or what reads Japanese.

    Example:
        >>> phonemize(["Hello."], language="en")
        ['həlˈoʊ.']
    """
    code = _code(texts, language)
    with _LOCK:
        return [phonemes for *_, phonemes in _Voice(code, stress, punctuation, lexicon).read(texts)]


def read_texts(
    texts: Sequence[str],
    language: str,
    *,
    stress: bool = True,
    punctuation: bool = True,
    lexicon: Lexicon = NONE,
) -> list[Reading]:
    """Turns texts into phonemes as `phonemize` does, and tells how each was read: in which words, and what wasn't."""
    code = _code(texts, language)
    with _LOCK:
        voice = _Voice(code, stress, punctuation, lexicon)
        found = []
        for given, plain, said, phonemes in voice.read(texts):
            changes = [
                replace(change, written=given.written(change.written), spoken=given.shown(change.spoken))
                for change in said.changes
            ]
            missing = unread(said.text, code, voice.names)
            spoken = Spoken(given.shown(said.text), (*given.changes(), *changes), missing)
            found.append(Reading(given.written(plain), spoken, phonemes))
        return found


def _code(texts: Sequence[str], language: str) -> str:
    """Returns the code of a language; refuses a single text in place of several."""
    if isinstance(texts, str):
        raise TypeError("`texts` must be a sequence of texts, but is one text: give `[text]`.")
    return normalise_code(language)


class _Voice:
    """Reads texts of one language; the caller holds the lock."""

    def __init__(self, code: str, stress: bool, punctuation: bool, lexicon: Lexicon) -> None:
        self._code, self._stress, self._punctuation, self._lexicon = code, stress, punctuation, lexicon
        self._reader = _reader(code, stress, punctuation)
        if LANGUAGES[code].prepare == "kana":
            check_packages(lexicon.japanese)

    def names(self, sign: str) -> bool:
        """Returns whether a sign alone has phonemes."""
        return count_phonemes(self._reader.read(sign)) > 0

    def read(self, texts: Sequence[str]) -> Iterator[tuple[Given, str, Spoken, str]]:
        """Yields what phonemes were given, the text cleaned, in words, and in phonemes, of each text.

        Some texts are put into words before the first of them is read: one kind of work at a time keeps to the
        processor's caches, which saves a tenth of the time.
        """
        for start in range(0, len(texts), _TOGETHER):
            some = list(map(self._said, texts[start : start + _TOGETHER]))
            words = [_prepared(said.text, self._code, self._lexicon.japanese) for _, _, said in some]
            whole = [text for text, (given, *_) in zip(words, some, strict=True) if not given]
            read = iter(self._reader.read_all(whole))
            for text, (given, plain, said) in zip(words, some, strict=True):
                yield given, plain, said, _spaced(self._joined(text, given) if given else next(read))

    def _said(self, text: str) -> tuple[Given, str, Spoken]:
        """Returns what phonemes were given, and the text cleaned and in words."""
        given = Given()
        plain = _clean(given.take_written(text))
        if self._lexicon.rows:
            plain = given.take_words(plain, self._lexicon, self._code)
        return given, plain, speak(plain, self._code)

    def _joined(self, words: str, given: Given) -> str:
        """Returns the phonemes of a text, with the given ones in their places."""
        parts: list[str] = []
        for plain, phonemes in given.split(words):
            read = self._reader.read(plain).strip() if plain.strip() else ""
            # Without marks, a mark beside given phonemes still divides words.
            before, after = (
                end.isspace() or not (self._punctuation or end.isalnum()) for end in (plain[:1], plain[-1:])
            )
            parts += [" " * before, read, " " * after, phonemes if self._stress else _STRESS.sub("", phonemes)]
        joined = "".join(parts)
        return joined if self._punctuation else _PUNCTUATION.sub(" ", joined)


def unspoken(texts: Sequence[str], language: str) -> list[str]:
    """Turns texts into phonemes without putting them into words first: what the voice makes of them by itself."""
    code = _code(texts, language)
    with _LOCK:
        read = _reader(code, True, True).read_all([_prepared(_clean(text), code) for text in texts])
        return [" ".join(phonemes.split()) for phonemes in read]


def in_words(text: str, language: str) -> str:
    """Returns a text as it is said, in words; raises `TextError` if the language isn't in the table."""
    return speak(_clean(text), normalise_code(language)).text


def prepared(text: str, code: str) -> str:
    """Returns the text that espeak-ng is given: cleaned, in words, and Japanese in kana."""
    return _prepared(speak(_clean(text), code).text, code)


def _prepared(words: str, code: str, japanese: str = PYKAKASI) -> str:
    if LANGUAGES[code].prepare != "kana":
        return words
    from stages.text.kana import to_kana

    return to_kana(words, japanese)


def _clean(text: str) -> str:
    """Returns the text in one line, NFC-composed, with marks that phonemizer knows."""
    if text.isascii() and text.isprintable():
        return _spaced(text)
    plain = _SENTENCES.sub(" ", composed(text)).translate(WIDE_MARKS)
    return _MISSING_SPACE.sub(" ", plain) if _HAS_UNSPACED.search(plain) else plain


def _spaced(text: str) -> str:
    """Returns a text without spaces at its ends and double ones in it, which most texts lack: to look is cheaper."""
    text = text.strip()
    return " ".join(text.split()) if "  " in text else text


@cache
def _reader(code: str, stress: bool, punctuation: bool) -> Reader:
    """Returns the reader of a language; cached, because each backend costs 100 ms and leaks 5 MB."""
    check_packages()
    espeak.configure()
    language = LANGUAGES[code]
    if language.prepare == "tones":
        from stages.text.mandarin import Mandarin

        return Mandarin(language.espeak, stress=stress, punctuation=punctuation)
    if language.prepare == "kana":
        from stages.text.kana import Japanese

        latin = Reader(LANGUAGES[language.latin].espeak, stress=stress, punctuation=punctuation)
        return Japanese(language.espeak, stress=stress, punctuation=punctuation, latin=latin)
    return Reader(language.espeak, stress=stress, punctuation=punctuation)


@cache
def reader_packages(japanese: str = PYKAKASI) -> str:
    """Returns the packages that turn text into phonemes, with their versions, for fingerprints.

    Args:
        japanese: What reads Japanese: a value of `g2p.japanese`.
    """
    packages = (*_PACKAGES, PACKAGE) if japanese == OPENJTALK else _PACKAGES
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def check_packages(japanese: str = PYKAKASI) -> None:
    """Checks that the packages that turn text into phonemes are installed.

    Args:
        japanese: What reads Japanese: a value of `g2p.japanese`.

    Raises:
        WeightsError: if one is missing, or espeak-ng is unusable.
    """
    if japanese == OPENJTALK and not _version(PACKAGE):
        raise WeightsError(
            f"`g2p.japanese=openjtalk` needs {PACKAGE}, but can't find it. Run `make setup EXTRAS=dev,openjtalk`"
            f" (`pip install {PACKAGE}`)."
        )
    missing = [package for package in _PACKAGES if not _version(package)]
    if missing:
        raise WeightsError(
            f"`g2p` needs {', '.join(_PACKAGES)}, but can't find {', '.join(missing)}."
            f" Run `pip install {' '.join(missing)}`."
        )
    espeak.locate()


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
