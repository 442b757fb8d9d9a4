"""Takes out of a text what nobody says: sounds, songs, markup. Marks words that weren't written down as `<unk>`.

Two styles of text differ in what brackets mean:

* `captions`: subtitles, and what recognisers write. All that stands in `[…]`, `{…}` and `<…>` is taken out; of `(…)`
  what describes a sound by its words or its form, and what stands in a line of its own.
* `plain`: prose that is read aloud. Only what surely isn't read: known words for sounds, markers in capitals, HTML
  tags. Other brackets stay.
"""

import html
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from stages.records import UNKNOWN, Taken
from stages.transcripts.cleaning.edited import Edited, gap
from stages.transcripts.cleaning.sounds import is_description, is_sound, is_unheard

Style = Literal["captions", "plain"]

_SUNG_ON = 3
"""Captions over which a song may go on before its last note."""
_EXAMPLES = 5
_LONGEST_EXAMPLE = 60

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});")
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069\u00ad]")
_TAGS = (
    "b|i|u|s|c|v|p|br|em|rp|rt|rb|sub|sup|tt|big|del|div|ins|pre|ruby|lang|font|span|small|strong|strike|center|body"
    "|sync|html"
)
_RUBY = re.compile(r"<(rt|rp)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(
    rf"</?({_TAGS})(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>|</?(c|v|lang|ruby|rt)(?:[.\s][^<>\n]*)?>", re.IGNORECASE
)
_ASS = re.compile(r"\{\\[^{}]*\}|\{[yYcCfFsSpP]:[^{}]*\}")
_TIME_TAG = re.compile(r"<\d{1,2}:\d{2}(?::\d{2})?[.,]\d{1,3}>")
_ANGLE = re.compile(r"<(/?[a-zA-Z_@][^<>\n]{0,60})>")
_SQUARE = re.compile(r"\[([^\[\]]{0,200})\]|［([^［］]{0,200})］|【([^【】]{0,200})】")
_BRACE = re.compile(r"\{([^{}]{0,200})\}")
_ROUND = re.compile(r"\(([^()]{0,200})\)|（([^（）]{0,200})）")
_TWICE_ROUND = re.compile(r"\(\(\s*\)\)")
_STARS = re.compile(r"(?<![\w*])\*+([^*\n]{1,60}?)\*+(?![\w*])")
_PLUSES = re.compile(r"\+\+\s*([^+\n]{1,40}?)\s*\+\+")
_MASKED = re.compile(r"(?<![\w*])[\w]?\*{2,}\w{0,3}(?![\w*])|(?<![\w#])#{3,}(?!\w)|%hesitation\b", re.IGNORECASE)
_BARE = re.compile(r"(?<!\S)spn(?!\S)")
_SUNG = re.compile(r"[♪♫♩♬]+[^♪♫♩♬\n]*(?:\n[^♪♫♩♬\n]+){0,2}[♪♫♩♬]+|(?m:^[ \t\-–—>]*[♪♫♩♬].*$)")
_NOTE = re.compile(r"[♪♫♩♬]+")
_HASHED = re.compile(r"(?m:^[ \t]*#[ \t][^#\n]+[ \t]#[ \t]*$)")
_ANY = re.compile(
    r"[&<\[［【{(（*#%♪♫♩♬\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069\u00ad]|\+\+|(?<!\S)spn(?!\S)"
)
"""What a match of any of these patterns holds: most texts hold none of it."""
_LAUGHED = re.compile(r"(?:laughter|laughing|laughs)-([^\W\d_]+(?:['’-][^\W\d_]+)*)", re.IGNORECASE)
_CAPITALS = re.compile(r"[A-Z][A-Z_ '’.-]*[A-Z]")
_FILLER = re.compile(r"(?:uh|um|er|erm|ah|eh|hm|hmm|mm|mhm|uhm)", re.IGNORECASE)
_ACRONYM = 5
"""Letters. A single word in capitals that is no longer may be an acronym, as in `the agency [NASA]`."""


class Log:
    """Counts what is taken out."""

    def __init__(self) -> None:
        self._found: dict[str, Counter[str]] = {}
        self._more: dict[str, int] = {}

    def add(self, kind: str, what: str) -> None:
        """Counts one stretch of text."""
        short = " ".join(what.split())
        self._found.setdefault(kind, Counter())[short[:_LONGEST_EXAMPLE]] += 1

    def add_many(self, kind: str, count: int) -> None:
        """Counts what has no text worth showing."""
        if count:
            self._more[kind] = self._more.get(kind, 0) + count

    def taken(self) -> tuple[Taken, ...]:
        """Returns the counts by kind, each with its most frequent examples."""
        more = [Taken(kind, count) for kind, count in self._more.items()]
        found = [
            Taken(kind, sum(of.values()), tuple(sorted(of, key=lambda what: (-of[what], what))[:_EXAMPLES]))
            for kind, of in self._found.items()
        ]
        return tuple(sorted(found + more, key=lambda taken: taken.kind))


def strip(edited: Edited, style: Style, log: Log) -> None:
    """Takes out of a text what isn't speech, all but the labels of speakers.

    Args:
        edited: One segment's text, with its line breaks.
        style: What brackets mean in it.
        log: Counts what was taken.
    """
    if not _ANY.search(edited.text):
        return
    captions = style == "captions"

    def out(kind: str, *, joined: bool = False) -> Callable[[re.Match[str]], str]:
        def decide(match: re.Match[str]) -> str:
            log.add(kind, match[0])
            return "" if joined else gap(match)

        return decide

    edited.take(_ENTITY, lambda match: html.unescape(match[0]))
    edited.take(_INVISIBLE, lambda _: "")
    edited.take(_TIME_TAG, lambda _: "")
    edited.take(_RUBY, out("markup", joined=True))
    edited.take(_HTML, lambda match: _markup(match, log))
    edited.take(_ASS, out("markup", joined=True))
    edited.take(_SUNG, lambda match: _song(match, log))
    edited.take(_NOTE, out("songs"))
    if captions:
        edited.take(_HASHED, out("songs"))
    edited.take(_TWICE_ROUND, lambda match: _unknown(match, log))
    for pattern, judge in (
        (_ANGLE, _in_angle),
        (_SQUARE, _in_square),
        (_BRACE, _in_square),
        (_ROUND, _in_round),
        (_STARS, _in_stars),
        (_PLUSES, _in_angle),
    ):
        edited.take(pattern, lambda match, judge=judge: _judged(match, judge, log, captions=captions))  # type: ignore[misc]
    edited.take(_MASKED, lambda match: _unknown(match, log))
    edited.take(_BARE, lambda match: _unknown(match, log))


def sung_on(texts: Sequence[str]) -> list[str]:
    """Marks the captions of a song that begins with a note in one caption and ends with one in a later one."""
    found = list(texts)
    notes = [len(_NOTE.findall(text)) for text in texts]
    for place, text in enumerate(texts):
        if notes[place] != 1 or not _NOTE.match(text.strip()):
            continue
        following = range(place + 1, min(place + 1 + _SUNG_ON, len(texts)))
        last = next((other for other in following if notes[other]), None)
        if last is not None and notes[last] == 1 and _NOTE.match(texts[last].strip()[-1]):
            for other in range(place + 1, last + 1):
                found[other] = f"♪ {found[other].replace(chr(10), ' ')}"
    return found


def _markup(match: re.Match[str], log: Log) -> str:
    name = (match[1] or match[2]).lower()
    log.add("markup", f"<{name}>")
    return "\n" if name in {"br", "p", "div"} else ""


def _song(match: re.Match[str], log: Log) -> str | None:
    if not any(map(str.isalnum, match[0])):
        return None
    log.add("songs", match[0])
    return gap(match)


def _unknown(match: re.Match[str], log: Log) -> str:
    log.add("unknown", match[0])
    return f" {UNKNOWN} "


_Judge = Callable[[str, re.Match[str], bool], bool]
"""Takes what a bracket holds, its match, and whether it stands in captions; returns whether it is no speech."""


def _judged(match: re.Match[str], judge: _Judge, log: Log, *, captions: bool) -> str | None:
    inside = next((group for group in match.groups() if group is not None), "")
    remark = match.re is _ROUND and not (captions and any(map(str.isalpha, inside)))
    if is_unheard(inside, prose=remark):
        return _unknown(match, log)
    if match.re is not _ROUND and (laughed := _LAUGHED.fullmatch(inside.strip())):
        log.add("sounds", match[0])
        return laughed[1]
    if match.re is not _ROUND and _FILLER.fullmatch(inside.strip()):
        return inside.strip().lower()
    if not judge(inside, match, captions):
        return None
    if match.re is _ANGLE and not _in_angle(inside, match, captions=False):
        log.add("markup", match[0])
        return ""
    log.add("sounds", match[0])
    return gap(match)


def _in_angle(inside: str, match: re.Match[str], captions: bool) -> bool:  # noqa: ARG001
    word = inside.strip("/ ")
    return captions or is_sound(word) or _CAPITALS.fullmatch(word) is not None


def _in_square(inside: str, match: re.Match[str], captions: bool) -> bool:
    if match.string[match.end() : match.end() + 1] in {":", "："}:
        return False  # the label of a speaker
    if captions or is_sound(inside):
        return True
    marker = inside.strip()
    if match.re is _BRACE and _CAPITALS.fullmatch(marker):
        return True
    return _CAPITALS.fullmatch(marker) is not None and (len(marker) > _ACRONYM or not marker.isalpha())


def _in_round(inside: str, match: re.Match[str], captions: bool) -> bool:
    if not captions:
        return is_sound(inside, prose=True)
    if not any(map(str.isalpha, inside)):
        return False
    before, after = match.string[: match.start()], match.string[match.end() :]
    alone = not any(map(str.isalnum, before + after))
    line = not any(map(str.isalnum, before.rpartition("\n")[2] + after.partition("\n")[0]))
    few = len(inside.split()) <= 3 and not re.search(r"\d", inside)
    return alone or (line and few) or is_description(inside)


def _in_stars(inside: str, match: re.Match[str], captions: bool) -> bool:  # noqa: ARG001
    return is_sound(inside) or (captions and is_description(inside))
