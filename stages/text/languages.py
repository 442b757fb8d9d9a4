"""The table of languages, and detection of the language of a text.

To add a language, append a row to `_ROWS`: earlier rows win where a text fits several. espeak-ng must have a voice for
it, and py3langid must know its code. If whisper doesn't know the code, its recordings need transcripts.
"""

import difflib
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.artefacts.unpacked import unpacked
from stages.errors import TextError
from stages.tables import by_key

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


@dataclass(frozen=True, slots=True)
class Language:
    """A language of texts: a row of the table."""

    code: str
    """ISO 639-1."""
    name: str
    """In English."""
    espeak: str
    """The voice of espeak-ng."""
    words: frozenset[str] = frozenset()
    """Words often recorded alone (digits, yes, no); they are too short for letter statistics."""
    prepare: str = ""
    """Extra work of `g2p`: `kana` before espeak-ng, `tones` (Mandarin) after it, or none (empty)."""
    latin: str = ""
    """The language in which words in Latin letters are read; empty for its own voice."""
    spaced: bool = True
    """Whether its words are separated by spaces."""
    script: str = "latin"
    """Whose letters it is written in, of `SCRIPTS`."""


def _row(code: str, name: str, espeak: str = "", words: str = "", **rest: Any) -> Language:
    return Language(code, name, espeak or code, frozenset(words.split()), **rest)


_ROWS = (
    _row("en", "English", "en-us", "zero one two three four five six seven eight nine ten yes no hello okay stop go"),
    _row("de", "German", words="null eins zwei drei vier fünf sechs sieben acht neun zehn ja nein hallo bitte danke"),
    _row("fr", "French", "fr-fr", "zéro un deux trois quatre cinq six sept huit neuf dix oui non bonjour merci salut"),
    _row("es", "Spanish", words="cero uno dos tres cuatro cinco seis siete ocho nueve diez sí no hola gracias"),
    _row("it", "Italian", words="zero uno due tre quattro cinque sei sette otto nove dieci sì no ciao grazie"),
    # Brazilian: nine in ten speakers, and nearly all open Portuguese corpora.
    _row("pt", "Portuguese", "pt-br", "zero um dois três quatro cinco seis sete oito nove dez sim não olá obrigado"),
    _row("ja", "Japanese", prepare="kana", latin="en", spaced=False, script="japanese"),
    _row("zh", "Chinese", "cmn", prepare="tones", spaced=False, script="chinese"),
    _row("ko", "Korean", script="hangul"),
    _row("sv", "Swedish", words="noll ett två tre fyra fem sex sju åtta nio tio ja nej hej tack"),
    _row("nl", "Dutch", words="nul één twee drie vier vijf zes zeven acht negen tien ja nee hallo dank"),
    _row("pl", "Polish", words="zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć tak nie cześć"),
    _row(
        "ru",
        "Russian",
        words="ноль один два три четыре пять шесть семь восемь девять десять да нет привет",
        script="cyrillic",
    ),
    _row(
        "uk",
        "Ukrainian",
        words="нуль один два три чотири п'ять шість сім вісім дев'ять десять так ні привіт",
        script="cyrillic",
    ),
    _row("cs", "Czech", words="nula jedna dva tři čtyři pět šest sedm osm devět deset ano ne ahoj"),
    _row("da", "Danish", words="nul en to tre fire fem seks syv otte ni ti ja nej hej tak"),
    _row("no", "Norwegian", "nb", "null en to tre fire fem seks sju åtte ni ti ja nei hei takk"),
    _row("fi", "Finnish", words="nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan kyllä ei hei kiitos"),
    _row("hu", "Hungarian", words="nulla egy kettő három négy öt hat hét nyolc kilenc tíz igen nem szia"),
    _row("ro", "Romanian", words="zero unu doi trei patru cinci șase șapte opt nouă zece da nu salut"),
    _row("tr", "Turkish", words="sıfır bir iki üç dört beş altı yedi sekiz dokuz on evet hayır merhaba"),
    _row("el", "Greek", words="μηδέν ένα δύο τρία τέσσερα πέντε έξι επτά οκτώ εννέα δέκα ναι όχι", script="greek"),
    _row("hi", "Hindi", script="devanagari"),
)

LANGUAGES: Mapping[str, Language] = by_key((row.code, row.name, row) for row in _ROWS)
"""The languages by ISO 639-1 code, in order of preference."""

_NAMES = {row.name.lower(): row.code for row in _ROWS}
_THREE_LETTERS = """
eng en deu de ger de fra fr fre fr spa es ita it por pt jpn ja zho zh chi zh cmn zh kor ko swe sv nld nl dut nl pol pl
rus ru ukr uk ces cs cze cs dan da nor no nob no nno no fin fi hun hu ron ro rum ro tur tr ell el gre el hin hi
"""
"""ISO 639-2 and 639-3 codes, each with its code here."""
_PAIRS = iter(_THREE_LETTERS.split())
_CODES = dict(zip(_PAIRS, _PAIRS, strict=True)) | {"nb": "no", "nn": "no"}
_ALIASES = _NAMES | _CODES

_WITHIN = LANGUAGES.keys() | _ALIASES.keys() | {"zxx"}
"""Codes of languages in the table, and `zxx` (no language)."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")

# Ranges of letters, for use in the brackets of a regular expression.
HIRAGANA = "\u3041-\u3096"
KATAKANA = "\u30a1-\u30fa"
HANGUL = "\uac00-\ud7a3"
"""Syllables."""
RARE_HAN = "\U00020000-\U000323af"
"""Han letters outside the Basic Multilingual Plane."""
HAN = f"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff{RARE_HAN}"
UNSPACED = f"\u3040-\u30ff{HAN}"
"""Letters written without spaces: kana, with the marks in their block, and Han."""
LATIN = r"\x00-\x7e\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u036f\u1d00-\u1dbf\u1e00-\u1eff"
"""ASCII, Latin letters and their accents."""
MARKS = r"\u00a0\u00a1\u00ab\u00ad\u00b4\u00b7\u00bb\u00bf\u2000-\u206f\u3000-\u303f\ufe00-\ufe0f\uff00-\uffef"
"""Spaces and punctuation outside ASCII."""
SCRIPTS: Mapping[str, str] = {
    "latin": "",
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "devanagari": "\u0900-\u097f",
    "hangul": f"\u1100-\u11ff\u3131-\u318e{HANGUL}",
    "japanese": f"\u3040-\u30ff{HAN}",
    "chinese": f"\u3100-\u312f{HAN}",
}
"""The letters of each script, beside the Latin ones, which every language reads."""
WIDE_MARKS: Mapping[int, str] = {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)} | dict(
    zip(map(ord, "、。「」『』〈〉《》【】・"), ",.“”“”“”“”“” ", strict=True)
)
"""East Asian punctuation to its Western equivalent, for `str.translate`."""
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…")
CLOSING_MARKS = "\"'”’»)]"
"""Marks that may follow the end of a sentence."""
_KANA = re.compile(f"[{HIRAGANA}{KATAKANA}\uff66-\uff9d]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_HAN = re.compile(f"[{HAN}]")
_EAST_ASIAN = re.compile("|".join(script.pattern for script in (_KANA, _HANGUL, _HAN)))

_SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "DEVANAGARI", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"} | {
    *("MODIFIER", "IDEOGRAPHIC", "KATAKANA-HIRAGANA"),
}
"""The first words of the Unicode names of letters in which the languages of the table are written."""
_CLEAR = 2.0
"""A language must be this many times likelier than an earlier one in the table to be preferred."""
_STRANGE = 30.0
"""A text is rejected if a language outside the table is this many times likelier than every language in it.

Measured on texts of four words or more. Of 37,000 in languages of the table (messages of programs, transcripts,
documentation) two were rejected, both alphabets. Of messages of programs in other languages: over 99 % in Vietnamese;
over 90 % in Welsh, Basque, Lithuanian, Indonesian and Croatian; in near relatives of the table's languages half
(Catalan, Slovak) or a quarter (Galician).
"""
_FEWEST_WORDS = 4
"""Texts of fewer words aren't rejected so: names alone don't identify a language."""
_REMEDY = "Remove it, or add its language to the table (`stages/text/languages.py`)."


def is_spaced(code: str) -> bool:
    """Returns whether a language separates words by spaces; True for a language outside the table."""
    return code not in LANGUAGES or LANGUAGES[code].spaced


def normalise_code(code: str) -> str:
    """Returns the table's code for `en`, `EN`, `en-US`, `en_US`, `eng` or `English`.

    Raises:
        TextError: if the language isn't in the table; the message suggests the nearest one.
    """
    wanted = code.strip().lower()
    for name in (wanted, re.split(r"[-_]", wanted, maxsplit=1)[0]):
        if name in LANGUAGES:
            return name
        if name in _ALIASES:
            return _ALIASES[name]
    close = difflib.get_close_matches(wanted, [*LANGUAGES, *_NAMES], n=1, cutoff=0.5)
    nearest = f" Did you mean `{close[0]}`?" if close else ""
    raise TextError(f"`{code}` must be a supported language ({', '.join(LANGUAGES)}), but isn't.{nearest}")


def detect(text: str, candidates: Sequence[str] | None = None, *, setting: str = "transcribe.languages") -> str:
    """Detects the language of a text, and returns its code. A single candidate is returned whatever the text is.

    Kana, Hangul and Han letters decide by themselves. Next, words are looked up among the digits and greetings of the
    table. Otherwise py3langid's letter statistics decide. If several languages fit, the first candidate is returned: so
    `six` is English, not French.

    Args:
        text: One word or more. Near relatives (Danish, Norwegian) need a sentence.
        candidates: The possible codes, preferred ones first; None for the whole table.
        setting: The key or option that sets the language, for messages.

    Raises:
        TextError: if the text has no letters and several languages are possible. Without candidates also if most of
            its letters are of a script, or its words of a language, that isn't in the table.
    """
    codes = [normalise_code(code) for code in candidates] if candidates else list(LANGUAGES)
    if len(codes) == 1:
        return codes[0]
    text = unicodedata.normalize("NFC", text)
    words = _WORD.findall(text.lower().replace("’", "'"))
    if not words:
        raise TextError(
            f"`{text[:40]}` must hold letters for its language to be detected, but holds none."
            f" Write it out in words, or set its language with `{setting}`."
        )
    if candidates is None:
        _check_script(text)
    by_script = _of_script(text, sum(map(len, words)))
    if by_script in codes:
        return by_script
    spaced_words = {word for word in words if not _EAST_ASIAN.search(word)} or set(words)
    for code in codes:
        if LANGUAGES[code].words.issuperset(spaced_words):
            return code
    likelihood = dict(_identifier().rank(text))
    if candidates is None:
        _check_known(text, likelihood, setting)
    clear = max(likelihood[code] for code in codes) / _CLEAR
    return next(code for code in codes if likelihood[code] >= clear)


def _check_script(text: str) -> None:
    """Raises `TextError` if most letters are of a script that no language of the table uses."""
    if text.isascii():
        return
    letters = [letter for letter in text if letter.isalpha()]
    strange = [letter for letter in letters if not letter.isascii() and script_of(letter) not in _SCRIPTS]
    if 2 * len(strange) > len(letters):
        [(script, _)] = Counter(map(script_of, strange)).most_common(1)
        raise TextError(
            f"`{text[:40]}` must be in the script of a supported language ({', '.join(LANGUAGES)}), but is in"
            f" {script.capitalize()} letters. {_REMEDY}"
        )


def script_of(letter: str) -> str:
    """Returns the script of a letter: the first word of its name in Unicode, in capitals."""
    return unicodedata.name(unicodedata.normalize("NFKC", letter)[0], "UNNAMED").partition(" ")[0]


def _check_known(text: str, likelihood: Mapping[str, float], setting: str) -> None:
    """Raises `TextError` if a language outside the table is far likelier than every language in it."""
    if len(text.split()) < _FEWEST_WORDS:
        return
    strange = max((code for code in likelihood if code not in _WITHIN), key=lambda code: likelihood[code])
    if likelihood[strange] > _STRANGE * max(likelihood[code] for code in LANGUAGES):
        raise TextError(
            f"`{text[:40]}` must be in a supported language ({', '.join(LANGUAGES)}), but looks like `{strange}`."
            f" {_REMEDY} If it is in a supported one, set that with `{setting}`."
        )


def _of_script(text: str, letters: int) -> str:
    """Returns the East Asian language with at least a quarter of the letters in its script; "" if there is none."""
    kana, hangul, han = (len(script.findall(text)) for script in (_KANA, _HANGUL, _HAN))
    if 4 * (kana + hangul + han) < letters:
        return ""
    if hangul > kana + han:
        return "ko"
    # A Japanese sentence has kana endings and particles; Chinese uses at most a stray の.
    return "ja" if 10 * kana > kana + han else "zh"


@cache
def _identifier() -> "LanguageIdentifier":
    """Loads py3langid's model, which takes half a second to unpack: from where it is kept unpacked, if it can be."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    from py3langid.modelio import load_model

    packed = Path(MODEL_DIR, MODEL_FILE)
    kept = unpacked(packed, "py3langid", lambda folder: _save(load_model(packed), folder))
    if kept:
        try:
            return _mapped(kept)
        except (OSError, ValueError):  # damaged
            shutil.rmtree(kept, ignore_errors=True)
    return LanguageIdentifier.from_model_file(packed, norm_probs=True)


_PARTS = "ptc", "pc", "classes", "nextmove", "row", "output"
"""What py3langid's `load_model` returns, in order."""


def _save(model: Sequence[Any], folder: Path) -> None:
    import numpy as np

    for name, part in zip(_PARTS, model, strict=True):
        np.save(folder / f"{name}.npy", np.asarray(part))


def _mapped(folder: Path) -> "LanguageIdentifier":
    """Maps what `_save` wrote, 68 MB, of which a text reads little."""
    import numpy as np
    from py3langid.langid import LanguageIdentifier

    ptc, pc, classes, moves, row, output = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PARTS)
    return LanguageIdentifier(
        *(ptc, pc, classes.tolist()),
        memoryview(moves),  # its items are ints; to take one of a NumPy array is slow
        output.tolist(),
        norm_probs=True,
        tk_row=row.tolist(),
    )
