"""Abbreviations, initials and acronyms."""

import re

from stages.text.spoken.languages.en.abbreviations import (
    AFTER_A,
    AFTER_NAMES,
    ANYWHERE,
    BARE,
    MISREAD,
    MONTHS,
    NOT_INITIALS,
    NUMBERED,
    SPELT,
    STREETS,
    TITLES,
    WITHIN,
    points,
)
from stages.text.spoken.languages.en.sentences import STARTER, ends_after
from stages.text.spoken.languages.en.spelling import LETTER_A, spelled
from stages.text.spoken.rules import gated, rule

_WITHOUT_POINT = "Mr|Mrs|Ms|Dr"
_MAY_BE_SAINT = r"(?:Mount|Mt\.|Fort|Ft\.|Port|Lake|Old|East|West|North|South|New|Sault|Little|Great|Church of|Bay)"
_LETTERS = r"(?:[A-Za-z]\.){2,}(?:[A-Za-z](?![\w]))?"
"""Letters with points: U.S., a.k.a., e.s.t."""


def _stop(match: re.Match[str]) -> str:
    return "." if match[0].endswith(".") and ends_after(match) else ""


def _title(match: re.Match[str]) -> str:
    return _capitalised(TITLES[match["short"].lower()].lower(), match["short"])


def _after_name(match: re.Match[str]) -> str:
    return AFTER_NAMES[match["short"].lower()] + _stop(match)


def _street(match: re.Match[str]) -> str:
    return STREETS[match["short"].lower()] + _stop(match)


def _saint(match: re.Match[str]) -> str | None:
    """Returns `Saint` before a name, `Street` after one."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    named = re.search(r"(?:[A-Z][\w'’]*|\d(?:st|nd|rd|th)|[\ue000-\uf8ff]) $", before)
    before_name = re.match(r" [A-Z]", after) and not re.match(rf" {STARTER}\b", after)
    if not before_name:
        return f"Street{'.' if match[0].endswith('.') and ends_after(match) else ''}" if named else None
    addressed = re.search(r"(?:\d+|[\ue000-\uf8ff]) (?:[A-Z]\w* )*[A-Z]\w* $", before)
    if addressed and not re.search(rf"{_MAY_BE_SAINT} $", before):
        return f"Street{_stop(match)}"
    return "Saint"


def _numbered(match: re.Match[str]) -> str:
    return f"{_capitalised(NUMBERED[match['short'].lower()], match['short'])} "


def _capitalised(words: str, written: str) -> str:
    """Returns words with a capital if what was written has one."""
    return words[0].upper() + words[1:] if written[0].isupper() else words


def _abbreviation(match: re.Match[str]) -> str:
    short = match["short"].lower()
    stop = "" if short in WITHIN else _stop(match)
    return _capitalised(ANYWHERE[short], match["short"]) + stop


def _bare(match: re.Match[str]) -> str:
    return BARE[match[0].lower()]


def _month(match: re.Match[str]) -> str:
    return MONTHS[match["short"].lower()] + _stop(match)


def _life(match: re.Match[str]) -> str:
    """Returns what is said before a year of someone's life."""
    return {"b": "born ", "d": "died ", "fl": "flourished ", "r": "reigned "}[match["short"]]


def _pointed(match: re.Match[str]) -> str | None:
    letters = match[0].replace(".", "")
    if len(letters) == 2 and letters[0].islower() != letters[1].islower():
        return None
    return spelled(letters) + (_stop(match) if match[0].endswith(".") else "")


def _initial(match: re.Match[str]) -> str | None:
    """Returns a letter before a name without its point."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    previous = before.rstrip().rsplit(" ", 1)[-1].lower()
    if re.match(rf" ?{STARTER}\b(?!['’])", after) and not before.endswith(". "):
        return None
    if match["letter"] == "I" and (
        not re.match(r" ?[A-Z](?:\.|[a-z])", after) or (previous.strip(".").islower() and not before.endswith(". "))
    ):
        return None
    if previous in NOT_INITIALS:
        return None
    return f"{spelled(match['letter'])}{'' if after.startswith(' ') else ' '}"


def _plural(match: re.Match[str]) -> str:
    first, last = match["letters"][:-1], match["letters"][-1]
    return f"{spelled(first)} {LETTER_A if last == 'A' else last}'s"


def _spelt(match: re.Match[str]) -> str:
    return spelled(match[0])


def _letter_a(match: re.Match[str]) -> str:  # noqa: ARG001
    return LETTER_A


def _small_saint(match: re.Match[str]) -> str:
    """Returns what `st.` means in a text without capitals: a saint before a word, else a street."""
    return "saint" if re.match(r" [a-z]", match.string[match.end() :]) else f"street{_stop(match)}"


def _small_initial(match: re.Match[str]) -> str | None:
    """Returns an initial in a text without capitals."""
    if not match.string.islower():
        return None
    return f"{spelled(match[0])}{'' if match.string[match.end() :].startswith(' ') else ' '}"


def _with_and(match: re.Match[str]) -> str:
    return " and ".join(map(spelled, match[0].split("&")))


def _any(table: dict[str, str]) -> str:
    return "|".join(re.escape(short) for short in sorted(table, key=len, reverse=True))


RULES = (
    *gated(
        r"Ph\.? ?D", rule("abbreviation", r"(?<![\w.])(?:PhD|Ph\.? ?D\.)(?!\w)", lambda match: f"P H D{_stop(match)}")
    ),
    *gated(
        r"\.(?<=[A-Za-z]\.) ?[A-Z]",
        rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(TITLES)}))\.(?= ?[A-Z])(?! {STARTER}\b)", _title),
    ),
    *gated(
        "[MmDd][RrSs]",
        rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_WITHOUT_POINT}))\.?(?= [a-zA-Z&])(?! {STARTER}\b)", _title),
    ),
    *gated(r"S[tT]\b", rule("abbreviation", r"(?<![\w.])S[tT]\.?(?!\w)(?=[ ]|[,.;:!?)]|$)", _saint)),
    *gated(
        r"\.(?:(?<= [A-Z][a-z]\.)|(?<= [A-Z][a-z]{2}\.)|(?<= [A-Z][a-z]{3}\.))",
        rule(
            "abbreviation",
            rf"(?<=[a-z\d\ue000-\uf8ff] )(?P<short>{'|'.join(short.capitalize() for short in STREETS)})\.(?!\w)",
            _street,
        ),
        rule(
            "abbreviation",
            rf"(?<=[\w.,] )(?P<short>{'|'.join(short.capitalize() for short in AFTER_NAMES)})\.(?!\w)",
            _after_name,
        ),
    ),
    *gated(
        r"\d",
        *gated(
            r"\.(?<=[A-Za-z]\.) ?[^ ]",
            rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(NUMBERED)}))\. ?(?=[\d#\ue000-\uf8ff])", _numbered),
        ),
        *gated(
            "No |[Vv]ol |pp |[Ff]ig ",
            rule(
                "abbreviation",
                r"(?<![\w.])(?P<short>(?<=[a-z,] )No|Vol|vol|pp|Fig|fig) (?=[\d\ue000-\uf8ff])",
                _numbered,
            ),
        ),
    ),
    *gated(
        points(ANYWHERE),
        rule("abbreviation", rf"(?<![\w.])(?P<short>(?i:{_any(ANYWHERE)}))\.(?![\w])", _abbreviation),
    ),
    *gated(
        r"[vVeEaAwWbBcCiI](?<![\w./].)(?i:(?<=v)s|(?<=e)tc|(?<=e)g|(?<=a)pprox|(?<=[wbc])/|(?<=i)e)",
        rule("abbreviation", r"(?<![\w./])(?:vs|etc|approx|w/o|w/|b/c|c/o|ie|eg)(?!\w|\.\w)", _bare, ignore_case=True),
    ),
    *gated(
        r"\.(?:(?<=[A-Z][a-z]{2}\.)|(?<=[A-Z][a-z]{3}\.))",
        rule("abbreviation", rf"(?<![\w.])(?P<short>{'|'.join(map(str.capitalize, MONTHS))})\.(?!\w)", _month),
    ),
    *gated(
        r"\.(?:(?<=\b[A-Za-z]\.)|(?<=\bfl\.)|(?<=\bs[tT]\.))",
        rule("abbreviation", r"(?<![\w.])(?P<short>b|d|fl|r)\. ?(?=(?:c\. ?)?\d{4})", _life),
        rule("abbreviation", rf"(?<![\w.]){_LETTERS}(?!\w)", _pointed),
        rule("abbreviation", r"(?<![\w.'’])(?P<letter>[A-Z])\.(?= ?[A-Z](?:[\w'’-]|\.))", _initial),
        rule("abbreviation", r"(?<![\w.])s[tT]\.(?!\w)", _small_saint),
        rule("abbreviation", r"(?<![\w.'’])[b-hj-z]\.(?= [a-z](?:[\w'’-]|\.)| ?[a-z]\.)", _small_initial),
    ),
    *gated(
        "[A-Z][A-Z&]",
        rule("acronym", rf"(?<![\w-])(?P<letters>[B-DF-HJ-NP-TV-XZ]{{2,5}}|{SPELT})['’]?s(?!\w)", _plural),
        rule("acronym", rf"(?<![\w&-])(?:{MISREAD})(?![\w&-])", _spelt),
        rule("acronym", r"(?<![\w&])[A-Z]{1,3}&[A-Z]{1,3}(?![\w&])", _with_and),
    ),
    *gated(r" A\b", rule("acronym", rf"(?<=[a-z0-9] )A(?=$|[.,;:!?)]| (?:{AFTER_A})\b)", _letter_a)),
)
