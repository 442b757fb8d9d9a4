"""Finds the labels of speakers in texts, such as `MAN:`, `>> ANNA:`, `Speaker 1:`, `[Anna]:` and dashes.

Some are sure by their form. Names such as `Anna:` count only if a file uses them throughout, since `Note: this` and
`Dr.: …` look alike.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.transcripts.cleaning.edited import Edited
from stages.transcripts.cleaning.spoken import Log, Style

_LEAD = r"(?:^|\n)[ \t]*(?:[-–—‐‑][ \t]*(?=\S))?"
_LABEL = re.compile(
    rf"(?P<lead>{_LEAD})(?P<turn>[>›»]{{2,}}[ \t]*)?"
    r"(?:[\[(](?P<boxed>[^\]\)\n]{1,40})[\])]|(?P<name>[^\W\d_][\w.'’&#()/ \-]{0,38}?))[ \t]?[:：](?=\s|$|(?<=：))"
)
_TURN = re.compile(r"(?:^|(?<=\s))[>›]{2,}[ \t]*")
_DASH = re.compile(r"(?P<lead>^|\n)[ \t]*(?:[-‐‑](?!-)|[–—](?=[ \t]))[ \t]*(?=[^\w\s:-]?[^\W\d_])")

_ROLES = (
    "speaker|spk|spkr|sprecher(?:in)?|locut(?:eur|rice)|hablante|locutor(?:a)?|oratore|falante|spreker|talare|диктор"
    "|man|woman|male|female|boy|girl|men|women|guy|lady|child|kid|narrator|interview(?:er|ee)|host|guest|moderator"
    "|reporter|announcer|anchor|voice|participant|person|student|teacher|caller|operator|agent|customer|audience"
    "|audience member|crowd|all|both|everyone|unknown|unidentified|mann|frau|erzähler(?:in)?|moderatorin|reporterin"
    "|homme|femme|narrateur|hombre|mujer|narradora?|entrevistadora?|uomo|donna|homem|mulher|男|女|男性|女性|話者"
)
_ROLE = re.compile(
    rf"(?:(?:young|old|older|elderly|unknown|unidentified)[ _-])?(?:{_ROLES})(?:[ _-]?(?:voice|speaker|man|woman))?"
    r"(?:[ _-]?#?(?:\d{1,3}|[a-z]))?",
    re.IGNORECASE,
)
_NUMBERED = re.compile(rf"(?:{_ROLES}|s)[ _-]?#?\d{{1,3}}|speaker[ _-]?[a-z]", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]|S(?:PEAKER)?_?\d{1,3}")
_NAME = re.compile(r"[A-ZÀ-ÞА-Я][\w.'’-]*(?: (?:[A-ZÀ-ÞА-Я][\w.'’-]*|de|von|van|der|da|di|la|le)){0,3}")

_ORDINARY = """
note notes warning caution tip tips nb ps fyi update breaking example examples important remember question
questions answer answers chapter part step rule fact attention disclaimer transcript subtitles subtitle captions
caption title re todo conclusion summary result results dr mr mrs ms prof st vs etc e.g i.e ex fig figure table
section page volume verse lesson unit item point first second third fourth finally next last also however therefore
thus hence because but and or so then now here there this that these those what why how when where who which yes no
ok okay well look listen see hint danger notice reminder spoiler edit source sources credit credits translation
translator author by from to date time place location address phone email web website url http https subject topic
theme abstract introduction preface epilogue prologue scene act music sound lyrics chorus intro outro bridge
problem solution reason reasons advice moral quote motto headline news today tomorrow yesterday monday tuesday
wednesday thursday friday saturday sunday hinweis achtung anmerkung beispiel frage antwort kapitel teil wichtig
merke übrigens fazit tipp zitat regel nein ja remarque exemple exemples réponse chapitre partie résumé nota bene
ejemplo pregunta respuesta capítulo atención importante aviso esempio domanda risposta capitolo attenzione exemplo
pergunta resposta atenção примечание внимание вопрос ответ глава пример
"""
_NOT_NAMES = frozenset(_ORDINARY.split())
"""What stands before a colon in ordinary texts."""

_MOSTLY = 2 / 3
"""If at least this share of the lines begin with a name, those that stand there only once are names too."""
_SHARE = 1 / 3
"""Names that look like other words count as labels if at least this share of the texts begins with one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who speaks in a segment, as far as its text says."""

    name: str = ""
    """The first label; "" if there is none."""
    several: bool = False
    """Whether more than one person speaks."""
    change: bool = False
    """Whether it begins with the mark of another speaker, but no name."""


def take_labels(texts: Sequence[Edited], style: Style, log: Log) -> list[Turn]:
    """Takes the labels of speakers out of texts.

    Args:
        texts: The texts of a file, a segment each, with their line breaks.
        style: `plain` knows fewer labels: prose may begin with `NASA:`.
        log: Counts the labels.

    Returns:
        Who speaks in each.
    """
    usual = _usual(texts)

    def is_label(match: re.Match[str]) -> bool:
        if boxed := match["boxed"]:
            return any(map(str.isalpha, boxed))
        name = match["name"].strip()
        if _is_ordinary(name):
            return False
        if match["turn"] or _NUMBERED.fullmatch(name) or name in usual:
            return True
        capitals = name.upper() == name and name.lower() != name and len(name) > 1
        if style == "plain":
            return _ROLE.fullmatch(name) is not None and capitals
        return _ROLE.fullmatch(name) is not None or (capitals and _has_lower(match))

    return [_turn(edited, is_label, style, log) for edited in texts]


def _has_lower(match: re.Match[str]) -> bool:
    """Returns whether the line after a label isn't in capitals: where all is, a label looks like any other word."""
    line = match.string[match.end() :].lstrip().partition("\n")[0]
    return any(map(str.islower, line)) or not any(map(str.isalpha, line))


def _usual(texts: Sequence[Edited]) -> frozenset[str]:
    """Returns the names that a file uses as labels throughout."""
    lines = [line for edited in texts for line in edited.text.split("\n") if line.strip()]
    found = [match["name"].strip() for line in lines if (match := _LABEL.match(line)) and match["name"]]
    counts = Counter(name for name in found if _may_be_name(name))
    of = len(texts) if len(texts) > 1 else len(lines)
    if len(counts) < 2 or counts.total() < _SHARE * of:
        return frozenset()
    throughout = counts.total() >= _MOSTLY * len(lines)
    return frozenset(name for name, count in counts.items() if count > 1 or throughout)


def _may_be_name(name: str) -> bool:
    if _is_ordinary(name) or name.endswith("."):
        return False
    return name.upper() == name or any(form.fullmatch(name) for form in (_NAME, _ROLE, _CODE))


def _is_ordinary(name: str) -> bool:
    plain = name.casefold().replace(".", "")
    return plain in _NOT_NAMES or plain.split(" ")[0] in _NOT_NAMES


def _turn(edited: Edited, is_label: Callable[[re.Match[str]], bool], style: Style, log: Log) -> Turn:
    names: list[str] = []
    late: list[bool] = []
    """For each label or turn, whether something is said before it."""

    def label(match: re.Match[str]) -> str | None:
        if not is_label(match):
            return None
        if not names:
            late.append(any(map(str.isalnum, match.string[: match.start()])))
        names.append((match["boxed"] or match["name"]).strip())
        log.add("labels", match[0].strip())
        return match["lead"][:1].strip(" -–—‐‑\t")

    def turn(match: re.Match[str]) -> str:
        late.append(any(map(str.isalnum, match.string[: match.start()])))
        log.add("labels", ">>")
        return ""

    def dash(match: re.Match[str]) -> str:
        log.add("labels", "-")
        return match["lead"]

    edited.take(_LABEL, label)
    edited.take(_TURN, turn)
    dashes = [match.start() for match in _DASH.finditer(edited.text)]
    if dashes and (style == "captions" or dashes[0] == 0):
        edited.take(_DASH, dash)
    several = len(set(names)) > 1 or any(late) or (style == "captions" and len(dashes) > 1)
    return Turn(names[0] if names else "", several, bool(late) and not names)
