"""The languages: one row each, how espeak-ng speaks them, and which of them a text is written in.

A new language is a row: espeak-ng must have a voice for it, and py3langid and whisper must know its code. The order of
the rows is the order of preference where a text could be in several languages.
"""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from stages.errors import TextError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


@dataclass(frozen=True, slots=True)
class Language:
    """A language that text can be in."""

    code: str
    """ISO 639-1."""
    name: str
    """In English."""
    espeak: str
    """The voice of espeak-ng that stands for the language where it has several."""
    words: frozenset[str] = frozenset()
    """Words that stand alone in recordings (digits, yes, no), too short for letter statistics."""
    prepare: str = ""
    """What `g2p` does beside espeak-ng's reading: `kana` before it, Mandarin's `tones` after it, or nothing."""


def _row(code: str, name: str, espeak: str = "", words: str = "", prepare: str = "") -> Language:
    return Language(code, name, espeak or code, frozenset(words.split()), prepare)


_ROWS = (
    _row("en", "English", "en-us", "zero one two three four five six seven eight nine ten yes no hello okay stop go"),
    _row("de", "German", words="null eins zwei drei vier fünf sechs sieben acht neun zehn ja nein hallo bitte danke"),
    _row("fr", "French", "fr-fr", "zéro un deux trois quatre cinq six sept huit neuf dix oui non bonjour merci salut"),
    _row("es", "Spanish", words="cero uno dos tres cuatro cinco seis siete ocho nueve diez sí no hola gracias"),
    _row("it", "Italian", words="zero uno due tre quattro cinque sei sette otto nove dieci sì no ciao grazie"),
    # Brazilian: nine in ten speakers, and nearly all of the open Portuguese corpora.
    _row("pt", "Portuguese", "pt-br", "zero um dois três quatro cinco seis sete oito nove dez sim não olá obrigado"),
    _row("ja", "Japanese", prepare="kana"),
    _row("zh", "Chinese", "cmn", prepare="tones"),
    _row("ko", "Korean"),
    _row("sv", "Swedish", words="noll ett två tre fyra fem sex sju åtta nio tio ja nej hej tack"),
    _row("nl", "Dutch", words="nul één twee drie vier vijf zes zeven acht negen tien ja nee hallo dank"),
    _row("pl", "Polish", words="zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć tak nie cześć"),
    _row("ru", "Russian", words="ноль один два три четыре пять шесть семь восемь девять десять да нет привет"),
    _row("uk", "Ukrainian", words="нуль один два три чотири п'ять шість сім вісім дев'ять десять так ні привіт"),
    _row("cs", "Czech", words="nula jedna dva tři čtyři pět šest sedm osm devět deset ano ne ahoj"),
    _row("da", "Danish", words="nul en to tre fire fem seks syv otte ni ti ja nej hej tak"),
    _row("no", "Norwegian", "nb", "null en to tre fire fem seks sju åtte ni ti ja nei hei takk"),
    _row("fi", "Finnish", words="nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan kyllä ei hei kiitos"),
    _row("hu", "Hungarian", words="nulla egy kettő három négy öt hat hét nyolc kilenc tíz igen nem szia"),
    _row("ro", "Romanian", words="zero unu doi trei patru cinci șase șapte opt nouă zece da nu salut"),
    _row("tr", "Turkish", words="sıfır bir iki üç dört beş altı yedi sekiz dokuz on evet hayır merhaba"),
    _row("el", "Greek", words="μηδέν ένα δύο τρία τέσσερα πέντε έξι επτά οκτώ εννέα δέκα ναι όχι"),
    _row("hi", "Hindi"),
)

LANGUAGES: Mapping[str, Language] = {row.code: row for row in _ROWS}
"""Every language by its ISO 639-1 code, in order of preference."""

_ALIASES = {row.name.lower(): row.code for row in _ROWS} | {"cmn": "zh", "nb": "no", "nn": "no"}

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")

_SHORT_WORDS = 3
"""Texts of up to so many words are looked up in the words of the rows first."""
_CLEAR = 2.0
"""A language must be so many times likelier than one that stands before it in the table."""


def normalise_code(code: str) -> str:
    """Returns the table's code for `en`, `EN`, `en-US`, `en_US` or `English`.

    Raises:
        TextError: if the table doesn't hold the language; the message names the nearest one it holds.
    """
    wanted = code.strip().lower()
    for name in (wanted, re.split(r"[-_]", wanted, maxsplit=1)[0]):
        if name in LANGUAGES:
            return name
        if name in _ALIASES:
            return _ALIASES[name]
    close = difflib.get_close_matches(wanted, [*LANGUAGES, *_ALIASES], n=1, cutoff=0.5)
    nearest = f" Did you mean `{close[0]}`?" if close else ""
    raise TextError(f"`{code}` must be a language of the table ({', '.join(LANGUAGES)}), but isn't one.{nearest}")


def detect(text: str, candidates: Sequence[str] | None = None) -> str:
    """Returns the code of the language that a text is written in.

    Kana, Hangul and Han letters decide by themselves; up to three words are looked up among the digits and greetings of
    the table; the rest is for py3langid's letter statistics. What stays open goes to the candidate that stands first,
    so `six` is English and not French.

    Args:
        text: Anything from one word up; a sentence is needed to tell near relatives (Danish, Norwegian) apart.
        candidates: Codes to choose among, preferred ones first; None for the whole table.

    Raises:
        TextError: if the text holds no letters, so that it could be read in any language.
    """
    codes = [normalise_code(code) for code in candidates or LANGUAGES]
    text = unicodedata.normalize("NFC", text)
    words = _WORD.findall(text.lower().replace("’", "'"))
    if not words:
        raise TextError(
            f"`{text[:40]}` must hold letters for its language to be told, but holds none."
            " Write it out in words, or name its language in `transcribe.languages`."
        )
    if len(codes) == 1:
        return codes[0]
    by_script = _of_script(text, sum(map(len, words)))
    if by_script in codes:
        return by_script
    if len(words) <= _SHORT_WORDS:
        for code in codes:
            if LANGUAGES[code].words.issuperset(words):
                return code
    likelihood = dict(_identifier().rank(text))
    clear = max(likelihood[code] for code in codes) / _CLEAR
    return next(code for code in codes if likelihood[code] >= clear)


def _of_script(text: str, letters: int) -> str:
    """Returns the East Asian language whose script fills at least a quarter of the letters, or "" ."""
    kana, hangul, han = (len(script.findall(text)) for script in (_KANA, _HANGUL, _HAN))
    if 4 * (kana + hangul + han) < letters:
        return ""
    if hangul > kana + han:
        return "ko"
    # A Japanese sentence has kana endings and particles; Chinese uses at most a stray の.
    return "ja" if 10 * kana > kana + han else "zh"


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
