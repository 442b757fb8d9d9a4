"""Numbers in German words."""

import re

from stages.text.spoken.european.numbers import thousands
from stages.text.spoken.european.quantities import last_word, next_word
from stages.text.spoken.european.tongue import listed

SMALL = listed(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    " achtzehn neunzehn"
)
_TENS = listed("null zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_GREAT = listed("Million Milliarde Billion Billiarde Trillion Trilliarde")


def _hundreds(number: int, one: str) -> str:
    """Returns a number under 1000, with spaces where espeak-ng would mistake a long compound."""
    hundreds, rest = divmod(number, 100)
    words = [f"{'ein' if hundreds == 1 else SMALL[hundreds]} hundert"] if hundreds else []
    if rest == 1:
        words.append(one)
    elif 0 < rest < 20:
        words.append(SMALL[rest])
    elif rest:
        tens, units = divmod(rest, 10)
        words.append(f"{'ein' if units == 1 else SMALL[units]} und {_TENS[tens]}" if units else _TENS[tens])
    return " ".join(words)


def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; its last word agrees with the gender of what is counted (`m`, `f`; empty alone)."""
    if not number:
        return "null"
    words = []
    for group, power in thousands(number):
        if power == 0:
            words.append(_hundreds(group, {"f": "eine", "": "eins"}.get(gender, "ein")))
        elif power == 1:
            words.append(f"{_hundreds(group, 'ein')} tausend")
        else:
            great = _GREAT[power - 2]
            several = great + ("n" if great.endswith("e") else "en")
            words.append(f"{_hundreds(group, 'eine')} {great if group == 1 else several}")
    return " ".join(words)


def year_words(number: int) -> str:
    """Returns a year in words: neunzehn hundert neunzig."""
    hundreds, rest = divmod(number, 100)
    if not 11 <= hundreds <= 19:
        return cardinal(number, "")
    return f"{SMALL[hundreds]} hundert {_hundreds(rest, 'eins')}".rstrip()


_STEMS = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}


def ordinal(number: int, ending: str) -> str:
    """Returns an ordinal in words, with the ending of its adjective, or `el` for a part."""
    rest = number % 100
    if 0 < rest < 20:
        before = f"{cardinal(number - rest, '')} " if number > rest else ""
        return f"{before}{_STEMS.get(rest) or SMALL[rest] + 't'}{ending}"
    words = cardinal(number, "") if number else "nullt"
    words = re.sub(r"(?i)million(en)?$", "millionst", re.sub(r"(?i)(illiarde)n?$", r"\1st", words))
    return f"{words if words.endswith(('st', 'tt', 'llt')) else words + 'st'}{ending}"


_DATIVE = frozenset(
    listed(
        "am im vom zum zur beim dem den des einem einer eines keinem keiner keines meinem meiner meines"
        " seinem seiner seines"
        " ihrem ihrer ihres unserem unserer unseres diesem dieser dieses jedem jeder jedes ab seit bis nach"
        " von mit bei gegen"
        " für um vor meinen deinen seinen ihren unseren keinen einen diesen jeden hinterm unterm überm"
    )
)
_PREPOSITIONS = frozenset(
    listed(
        "in an auf aus bei mit nach von zu seit vor hinter neben über unter zwischen während wegen trotz"
        " gegenüber außer ab"
        " statt anlässlich seitens innerhalb"
    )
)
_STRONG = frozenset(listed("ein kein mein dein sein ihr unser euer"))
SKIPPED = re.compile(
    r"(?:\s|,|(?<!\w)\d+\.|[\ue000-\uf8ff]|(?<!\w)(?:und|oder|bis|sowie)(?!\w)|[-–/]"
    r"|(?<!\w)(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag(?!\w)|(?<!\w)(?:Mittwoch|Sonnabend)(?!\w))+$"
)
FEMININE = re.compile(
    r"(?:ung|heit|keit|schaft|tät|ion|ik|enz|anz|ei|e|liga|frau|nacht|stadt|art|zahl|person|schlacht|mannschaft)$",
    re.IGNORECASE,
)
NOT_FEMININE = re.compile(
    r"(?:name|junge|kollege|kunde|affe|hase|gebäude|ende|auge|interesse|käse|gelände|gemüse|löwe|experte|buchstabe"
    r"|gedanke|ei|blei|brei|schrei)$",
    re.IGNORECASE,
)
_NEUTER = re.compile(
    r"(?:chen|lein|ment|um|nis|mal|jahr|kind|kapitel|semester|quartal|spiel|tor|viertel|drittel|jahrhundert|jahrzehnt"
    r"|buch|bild|haus|lied|album|konzert|rennen|treffen|festival|gebot|regiment|bataillon)$",
    re.IGNORECASE,
)


_JOINED = re.compile(r"^(?:\s|,|\d+\.|[-–/]|(?<!\w)(?:und|oder|bis|sowie)(?!\w))*")
"""Between an ordinal and the noun that it shares with others: 2. bis 5. Klasse."""


def ending(before: str, behind: str) -> str:
    """Returns the ending of an ordinal from the words around it."""
    start = SKIPPED.sub("", before)
    word = last_word(start)
    if word in ("der", "die", "das"):
        in_dative = word == "der" and last_word(start.rstrip()[:-3]) in _PREPOSITIONS
        return "en" if in_dative else "e"
    if word in _DATIVE or word in _PREPOSITIONS:
        return "en"
    if word.rstrip("e") in _STRONG and word.endswith("e"):
        return "e"
    thing = next_word(_JOINED.sub(" ", behind))
    if not thing or word == "ins":
        return "e" if word == "ins" else "er"
    if FEMININE.search(thing) and not NOT_FEMININE.search(thing):
        return "e"
    return "es" if _NEUTER.search(thing) else "er"


ORDINAL_NOUNS = re.compile(
    r"(?i:jahrhunderts?|jh|jhd|weltkriegs?|weltkrieges|platz|rang|liga|bundesliga|runde|klasse|auflage"
    r"|etage|stock|kapitel|akt"
    r"|teil|satz|sinfonie|symphonie|geburtstags?|mal|spieltag|minute|tag|jahrestag|advent|semester|quartal|halbzeit"
    r"|stockwerk|lebensjahr|staffel|folge|obergeschoss|bezirk|armee|division|regiment|fc|preis|reich|republik)(?!\w)"
)
OPENERS = frozenset(
    listed(
        "der die das er sie es ich wir ihr du man ein eine einen einem danach dann aber und oder in im am an"
        " auf bei nach vor"
        " mit von zu für wer was wo wie wann warum auch doch so als wenn dies diese dieser dieses jetzt nun"
        " seitdem später"
    )
)
DETERMINERS = frozenset(
    listed(
        "der die das den dem des am im vom zum zur beim ins ein eine einen einem einer eines mein meine"
        " meinem meinen meiner"
        " sein seine seinem seinen seiner ihr ihre ihrem ihren ihrer unser unsere unserem unseren unserer"
        " dieser diese diesem"
        " jeder jede jedes jedem kein keine"
    )
)


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    if under == 2:
        return f"{cardinal(over, 'm')} {'halb' if over == 1 else 'halbe'}"
    return f"{cardinal(over, 'm')} {ordinal(under, 'el')}"
