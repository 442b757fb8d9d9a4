"""What a language's rules are made of, and how they are applied to a text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

_FIRST_MARK = 0xE000
_MARKS = range(_FIRST_MARK, 0xF8FF + 1)
"""Private letters that stand for what was said already, so that later rules leave it alone."""
_MARK = re.compile(f"[{chr(_MARKS.start)}-{chr(_MARKS.stop - 1)}]")


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of written thing, and how it is said."""

    kind: str
    """As reports name it: `cardinal`, `ordinal`, `decimal`, `fraction`, `range`, `money`, `date`, `time`, `measure`,
    `abbreviation`, `acronym`, `roman`, `serial`, `symbol`, `link`, …"""
    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]
    """Returns the words; None where the match isn't such a thing, so that later rules see it."""
    gates: tuple[re.Pattern[str], ...] = ()
    """What a text must have somewhere for the rule to be tried, the widest first. Many rules share them."""


def rule(kind: str, pattern: str, say: Callable[[re.Match[str]], str | None], *, ignore_case: bool = False) -> Rule:
    """Returns a rule of a regular expression; the arguments are those of `Rule`."""
    return Rule(kind, re.compile(pattern, re.IGNORECASE if ignore_case else re.NOFLAG), say)


def gated(gate: str, *rules: Rule) -> tuple[Rule, ...]:
    """Returns rules that are tried only in texts that have what a regular expression finds, beside their own gates."""
    pattern = re.compile(gate)
    return tuple(replace(one, gates=(pattern, *one.gates)) for one in rules)


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch of the text that isn't read as it is written."""

    kind: str
    written: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text in words."""

    text: str
    changes: tuple[Change, ...] = ()
    """In the order of the text."""
    unread: tuple[str, ...] = ()
    """What can't be read: letters of another script, signs without a name."""


def apply(rules: Sequence[Rule], text: str) -> tuple[str, tuple[Change, ...]]:
    """Returns a text in words, and what was changed, in the order of the text.

    Rules are tried in order, each over the whole text. What one of them said is out of the reach of later ones, which
    see a single letter that is neither a word's nor a digit in its place.

    Args:
        rules: The rules of a language, the most particular first.
        text: A line. Private letters of the Basic Multilingual Plane are left out.
    """
    text = _MARK.sub("", text)
    said: list[Change] = []

    def replaced(match: re.Match[str], rule: Rule) -> str:
        if not match[0] or len(said) == len(_MARKS) or (words := rule.say(match)) is None:
            return match[0]
        said.append(Change(rule.kind, _restored(match[0], said, written=True), _restored(words, said, written=False)))
        return chr(_FIRST_MARK + len(said) - 1)

    whole = text
    opened: dict[re.Pattern[str], bool] = {}
    gates: tuple[re.Pattern[str], ...] = ()
    tried = True
    for rule in rules:
        if rule.gates != gates:
            gates, tried = rule.gates, _open(rule.gates, whole, opened)
        if not tried:
            continue
        text = rule.pattern.sub(lambda match, rule=rule: replaced(match, rule), text)  # type: ignore[misc]
    order = [ord(mark) - _FIRST_MARK for mark in _MARK.findall(text)]
    changes = tuple(said[number] for number in order)
    return _restored(text, said, written=False), tuple(found for found in changes if found.written != found.spoken)


def _open(gates: Sequence[re.Pattern[str]], text: str, opened: dict[re.Pattern[str], bool]) -> bool:
    """Returns whether a text has what all gates ask for; each is tried once."""
    for gate in gates:
        found = opened.get(gate)
        if found is None:
            found = opened[gate] = gate.search(text) is not None
        if not found:
            return False
    return True


def _restored(text: str, said: Sequence[Change], *, written: bool) -> str:
    def original(mark: re.Match[str]) -> str:
        change = said[ord(mark[0]) - _FIRST_MARK]
        return change.written if written else change.spoken

    return _MARK.sub(original, text)
