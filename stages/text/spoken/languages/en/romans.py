"""Roman numbers: of kings, of chapters, of wars. A lone I is never one."""

import re

from stages.text.spoken.languages.en.numbers import cardinal, counted, ordinal
from stages.text.spoken.languages.en.sentences import STARTER
from stages.text.spoken.languages.en.spelling import spelled
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import rule

_REGNAL = (
    "Adrian|Albert|Alexander|Alfonso|Alphonse|Amenhotep|Anne|Antiochus|Artaxerxes|August|Augustus|Baldwin|Benedict|"
    "Boniface|Canute|Carl|Carlos|Casimir|Catherine|Charles|Christian|Clement|Cleopatra|Conrad|Constantine|Darius|David|"
    "Demetrius|Edmund|Edward|Elizabeth|Emmanuel|Eric|Eugene|Felipe|Ferdinand|Francis|Franz|Frederick|Friedrich|George|"
    "Gregory|Gustav|Gustavus|Haakon|Hadrian|Harald|Harold|Henri|Henry|Honorius|Innocent|Isabella|Ivan|James|Joao|John|"
    "Joseph|Juan|Julius|Justinian|Karl|Kenneth|Leo|Leopold|Louis|Ludwig|Magnus|Malcolm|Manuel|Margaret|Maria|Martin|"
    "Mary|Matthew|Matthias|Maximilian|Mehmed|Michael|Murad|Napoleon|Nero|Nicholas|Olaf|Oscar|Otto|Paul|Pedro|Peter|Philip|"
    "Philippe|Phillip|Pius|Ptolemy|Ramesses|Ramses|Richard|Robert|Rudolf|Rudolph|Sancho|Selim|Seti|Sigismund|Sixtus|"
    "Stephen|Suleiman|Theodosius|Thomas|Thutmose|Tiberius|Urban|Valdemar|Valentinian|Victor|Victoria|Vladimir|Walter|"
    "Wenceslaus|Wilhelm|Willem|William|Xerxes|Yaroslav"
)
_GIVEN = re.compile(rf"\b(?:{_REGNAL})(?: [A-Z]\.| [A-Z][a-z]+),? $|\b(?:{_REGNAL})(?: [A-Z]\.?)+ [A-Z][\w-]+,? $")
"""A given name and another: what follows is who bears it, as in `John D. Rockefeller III`."""
_SURNAME = re.compile(rf"(?:\. ?| )(?!{STARTER}\b)(?:[A-Z]\. ?)*[A-Z][a-z]")
"""After a middle initial: `Robert V. Smith`."""
_TITLES = "King|Queen|Pope|Emperor|Empress|Tsar|Czar|Kaiser|Sultan|Pharaoh|Duke|Archduke|Count|Prince|Elector|Saint|St."
_PARTS = (
    "act|annex|apollo|appendix|article|band|book|bowl|canto|chap\\.|chapter|column|corps|division|element|episode|"
    "exhibit|fig\\.|figure|form|gemini|group|item|lesson|level|mark|mk|mk\\.|movement|number|no\\.|nr\\.|olympiad|page|"
    "paragraph|part|period|phase|plate|psalm|pt\\.|question|scene|schedule|season|sect\\.|section|series|sonnet|stage|"
    "step|symphony|table|theorem|title|tome|type|vatican|vol\\.|volume|war|world"
)
_ALWAYS_NUMBERED = ("type", "phase", "class", "stage", "world war", "war", "vatican", "grade", "level", "appendix")
"""After these a lone I is a number whatever follows."""
_NOT_NUMBERS = {
    "MIX",
    "DIX",
    "XXX",
    "CD",
    "DC",
    "MC",
    "CC",
    "CV",
    "DI",
    "MD",
    "DM",
    "LI",
    "MM",
    "CM",
    "CI",
    "MI",
    "DVI",
}


_IN_FULL = {
    "vol.": "volume",
    "chap.": "chapter",
    "fig.": "figure",
    "mk": "mark",
    "mk.": "mark",
    "pt.": "part",
    "sect.": "section",
} | {
    **{"no.": "number", "nr.": "number"},
}


def _reign(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if (
        not number
        or (match["roman"], match["name"]) == ("X", "Malcolm")
        or (len(match["roman"]) == 1 and _SURNAME.match(match.string, match.end()))
    ):
        return None
    if number == 1 and not _first_of_its_name(match):
        return None
    return f"{match['name']} the {ordinal(number)}"


def _first_of_its_name(match: re.Match[str]) -> bool:
    """Returns whether the I after a name is a number, not the word: after a title, or where the word can't stand."""
    titled = re.search(rf"\b(?:{_TITLES}) (?:[A-Z]\w+ )?$", match.string[: match.start()])
    return bool(titled) or bool(re.match(r"['’]s\b|[),;]| of [A-Z]|[.!?]?$", match.string[match.end() :]))


def _part(match: re.Match[str]) -> str | None:
    number, name = from_roman(match["roman"]), match["part"]
    if not number or (match["roman"].islower() and not name.islower()):
        return None
    if number == 1 and name.lower() in ("no.", "nr."):
        return None
    if number == 1 and name.lower() not in _ALWAYS_NUMBERED:
        # `the chapter I read` is no number; `Chapter I` is, and so is `chapter I.`
        after = match.string[match.end() :]
        if name[0].islower() and not re.match(r"\s*$|[.,;:)]", after):
            return None
        if name[0].isupper() and re.match(
            r" (?:am|was|have|had|will|would|can|could|do|did|think|thought|like|liked|know)\b", after
        ):
            return None
    return f"{_IN_FULL.get(name.lower(), name)} {cardinal(number)}"


def _war(match: re.Match[str]) -> str:
    number = match["number"]
    return f"World War {cardinal(int(number) if number.isdecimal() else from_roman(number))}"


def _century(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return ordinal(number) if number else None


def _other(match: re.Match[str]) -> str | None:
    """Returns a number of two figures or more after a name, or of three after anything."""
    written = match["roman"]
    number = from_roman(written)
    if not number or written in _NOT_NUMBERS:
        return None
    named = re.search(r"(?:^|[\s(\"“])[A-Z][\w'’]*[a-z][,]? $", match.string[: match.start()])
    if _GIVEN.search(match.string[: match.start()]):
        return f"the {ordinal(number)}"
    plain = set(written) <= set("IVX")
    if written == "IV" and not named:
        return spelled(written)
    if not (plain or len(written) > 3):
        return None
    return counted(str(number))


def _bracketed(match: re.Match[str]) -> str:
    return f"({cardinal(from_roman(match['roman']))})"


RULES = (
    rule("roman", r"(?<!\w)WW ?(?P<number>III|II|I|[123])(?!\w)", _war),
    rule(
        "roman",
        rf"(?<!\w)(?P<part>World War|{_PARTS}|class|grade) (?P<roman>[IVXLC]+|[ivxl]{{2,}})(?!\w|['’]\w)",
        _part,
        ignore_case=True,
    ),
    rule(
        "roman",
        rf"(?<!\w)(?P<name>(?i:{_REGNAL})) (?:(?:the )?(?P<roman>[IVX]+|(?i:[ivx]{{2,}})))(?!\w|['’](?!s))",
        _reign,
    ),
    rule("roman", r"(?<!\w)(?P<roman>[IVX]+)(?:th)?(?=(?: |-)centur)", _century),
    rule("roman", r"\((?P<roman>ii|iii|iv|vi|vii|viii|ix)\)", _bracketed),
    rule("roman", r"(?<![\w.&/-])(?P<roman>[IVXLCDM]{2,})(?![\w&/]|\.\w|['’](?!s))", _other),
)
