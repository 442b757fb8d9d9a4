"""Turns text into phonemes, in every language of the table. The stage `g2p` and the model share it."""

import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from stages.errors import WeightsError
from stages.text import espeak
from stages.text.ipa import Reader
from stages.text.kana import Japanese, to_kana
from stages.text.languages import LANGUAGES, UNSPACED, WIDE_MARKS, normalise_code
from stages.text.mandarin import Mandarin
from stages.text.spoken.table import speak

_PACKAGES = ("espeakng-loader", "phonemizer", "pykakasi")

# espeak-ng keeps its state in global variables, so it can only read one text at a time.
_LOCK = threading.Lock()

_UNSPOKEN = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\U000e0100-\U000e01ef]+"
)
"""Characters to drop: soft hyphens, direction marks, lone surrogates, variation selectors of kanji."""
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_SENTENCES = re.compile(
    r"(?<=[、。])(?=\w)|(?<=[，．：！？；）」』】》])(?!(?<=[0-9０-９][．：])[0-9０-９])"
    r"(?!(?<=[0-9０-９]，)(?<![0-9０-９]{4}，)[0-9０-９]{3}(?![0-9０-９]))(?=\w)"
)
"""Where East Asian punctuation needs a space after it; `１，０００` and `10：30` stay whole, `5，10` doesn't."""
_MISSING_SPACE = re.compile(f"(?<=[”),.!?;:])(?=[“({UNSPACED}])|(?<=[{UNSPACED}])(?=[“(])")
"""Where unspaced text needs a space beside a mark, as marks have in spaced languages."""
_HAS_UNSPACED = re.compile(f"[{UNSPACED}]")

_PREPARE: dict[str, Callable[[str], str]] = {"kana": to_kana}
"""Functions applied before espeak-ng, by the `prepare` column of the table of languages."""


def phonemize(texts: Sequence[str], language: str, *, stress: bool = True, punctuation: bool = True) -> list[str]:
    """Turns texts into phonemes.

    Args:
        texts: Any texts; line breaks count as spaces.
        language: A code or name in the table, such as `en`, `en-GB` or `English`.
        stress: Whether stress marks are kept.
        punctuation: Whether punctuation is kept.

    Returns:
        One string of IPA per text, with single spaces between words. It has no letters if there is nothing to speak.
        A text's phonemes don't depend on the other texts, the process or the thread.

    Raises:
        TextError: if the language isn't in the table.
        WeightsError: if espeak-ng is missing.

    Example:
        >>> phonemize(["Hello."], language="en")
        ['həlˈoʊ.']
    """
    if isinstance(texts, str):
        raise TypeError("`texts` must be a sequence of texts, but is one text: give `[text]`.")
    code = normalise_code(language)
    with _LOCK:
        read = _reader(code, stress, punctuation)
        return [" ".join(read(prepared(text, code)).split()) for text in texts]


def prepared(text: str, code: str) -> str:
    """Returns the text that espeak-ng is given: cleaned, in words, and Japanese in kana."""
    plain = speak(_clean(text), code).text
    prepare = _PREPARE.get(LANGUAGES[code].prepare)
    return prepare(plain) if prepare else plain


def _clean(text: str) -> str:
    """Returns the text in one line, NFC-composed, with marks that phonemizer knows."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFC", _SPACE.sub(" ", _UNSPOKEN.sub("", text))).strip()
    plain = _SENTENCES.sub(" ", plain).translate(WIDE_MARKS)
    return _MISSING_SPACE.sub(" ", plain) if _HAS_UNSPACED.search(plain) else plain


@cache
def _reader(code: str, stress: bool, punctuation: bool) -> Callable[[str], str]:
    """Returns the reader of a language; cached, because each backend costs 100 ms and leaks 5 MB."""
    check_packages()
    espeak.configure()
    language = LANGUAGES[code]
    if language.prepare == "tones":
        return Mandarin(language.espeak, stress=stress, punctuation=punctuation).read
    if language.prepare == "kana":
        latin = Reader(LANGUAGES[language.latin].espeak, stress=stress, punctuation=punctuation)
        return Japanese(language.espeak, stress=stress, punctuation=punctuation, latin=latin).read
    return Reader(language.espeak, stress=stress, punctuation=punctuation).read


@cache
def reader_packages() -> str:
    """Returns the packages that turn text into phonemes, with their versions, for fingerprints."""
    return ", ".join(f"{package} {_version(package)}" for package in _PACKAGES)


def check_packages() -> None:
    """Checks that the packages that turn text into phonemes are installed.

    Raises:
        WeightsError: if one is missing, or espeak-ng is unusable.
    """
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
