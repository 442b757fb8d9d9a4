"""What a language's rules are made of, and how they are applied to a text."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple

_FIRST_MARK = 0xE000
_MARKS = range(_FIRST_MARK, 0xF8FF + 1)
"""Private letters that stand for what was said already, so that later rules leave it alone."""
_MARK = re.compile(f"[{chr(_MARKS.start)}-{chr(_MARKS.stop - 1)}]")


_PLANS = 1 << 10
"""Number of kinds of texts whose rules are kept: which of the letters that gates ask for they hold."""
_UNTRIED = object()


@dataclass(frozen=True)
class Rule:
    """A kind of written thing, and how it is said."""

    kind: str
    """As reports name it: `cardinal`, `ordinal`, `decimal`, `fraction`, `range`, `money`, `date`, `time`, `measure`,
    `abbreviation`, `acronym`, `roman`, `serial`, `symbol`, `link`, …"""
    regex: str
    say: Callable[[re.Match[str]], str | None]
    """Returns the words; None where the match isn't such a thing, so that later rules see it."""
    gates: tuple["Gate", ...] = ()
    """What a text must have somewhere for the rule to be tried, the widest first. Many rules share them."""
    flags: re.RegexFlag = re.NOFLAG

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What it finds; compiled for the first text that has its gates, since few texts need many of the rules."""
        return re.compile(self.regex, self.flags)


Gate = re.Pattern[str] | frozenset[str]
"""What is found somewhere in a text: a regular expression, or one of some letters."""


def rule(kind: str, pattern: str, say: Callable[[re.Match[str]], str | None], *, ignore_case: bool = False) -> Rule:
    """Returns a rule of what a regular expression finds; `kind` and `say` are those of `Rule`."""
    return Rule(kind, pattern, say, flags=re.IGNORECASE if ignore_case else re.NOFLAG)


def gated(gate: str, *rules: Rule) -> tuple[Rule, ...]:
    """Returns rules that are tried only in texts that have what a regular expression finds, beside their own gates."""
    return _behind(re.compile(gate), rules)


def having(letters: str, *rules: Rule) -> tuple[Rule, ...]:
    """Returns rules that are tried only in texts that have one of some letters, beside their own gates."""
    return _behind(frozenset(letters), rules)


def _behind(gate: Gate, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(replace(one, gates=(gate, *one.gates)) for one in rules)


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


class Rules:
    """The rules of a language, in their order, with the gates that several of them share.

    Args:
        rules: The most particular first.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._groups = tuple((gates, tuple(group)) for gates, group in groupby(rules, key=attrgetter("gates")))
        gates = dict.fromkeys(gate for shared, _ in self._groups for gate in shared)
        self._letters = tuple(gate for gate in gates if isinstance(gate, frozenset))
        self._plan = lru_cache(_PLANS)(self._planned)

    def __iter__(self) -> Iterator[Rule]:
        """Yields the rules in their order."""
        return chain.from_iterable(rules for _, rules in self._groups)

    def _planned(self, missing: tuple[bool, ...]) -> "_Plan":
        """Returns the rules that are left for a text, by which of the letters that gates ask for it lacks."""
        shut = {gate for gate, lacked in zip(self._letters, missing, strict=True) if lacked}
        open_ = [(gates, rules) for gates, rules in self._groups if shut.isdisjoint(gates)]
        patterns = [tuple(gate for gate in gates if isinstance(gate, re.Pattern)) for gates, _ in open_]
        numbers = {
            gate: number for number, gate in enumerate(dict.fromkeys(gate for some in patterns for gate in some))
        }
        shared = [tuple(numbers[gate] for gate in some) for some in patterns]
        groups = tuple(
            (some, rules, _next(shared, at)) for at, (some, (_, rules)) in enumerate(zip(shared, open_, strict=True))
        )
        return _Plan(tuple(gate.search for gate in numbers), groups)

    def apply(self, text: str) -> tuple[str, tuple[Change, ...]]:
        """Returns a text in words, and what was changed, in the order of the text.

        Rules are tried in order, each over the whole text. What one of them said is out of the reach of later ones,
        which see a single letter that is neither a word's nor a digit in its place.

        Args:
            text: A line. Private letters of the Basic Multilingual Plane are left out.
        """
        if not text.isascii():
            text = _MARK.sub("", text)
        said: list[Change] = []

        def replaced(match: re.Match[str], rule: Rule) -> str:
            if not match[0] or len(said) == len(_MARKS) or (words := rule.say(match)) is None:
                return match[0]
            written = _restored(match[0], said, written=True)
            said.append(Change(rule.kind, written, _restored(words, said, written=False)))
            return chr(_FIRST_MARK + len(said) - 1)

        for rule in self._open(text):
            if rule.pattern.search(text):
                text = rule.pattern.sub(lambda match, rule=rule: replaced(match, rule), text)  # type: ignore[misc]
        if not said:
            return text, ()
        order = [ord(mark) - _FIRST_MARK for mark in _MARK.findall(text)]
        changes = tuple(said[number] for number in order)
        return _restored(text, said, written=False), tuple(found for found in changes if found.written != found.spoken)

    def _open(self, text: str) -> Iterator[Rule]:
        """Yields the rules whose gates a text has; each gate is tried once."""
        has = frozenset(text).isdisjoint
        plan = self._plan(tuple(map(has, self._letters)))
        found: list[object] = [_UNTRIED] * len(plan.gates)
        at, end = 0, len(plan.groups)
        while at < end:
            shared, rules, after = plan.groups[at]
            at += 1
            for depth, gate in enumerate(shared):
                if found[gate] is _UNTRIED:
                    found[gate] = plan.gates[gate](text)
                if not found[gate]:
                    at = after[depth]
                    break
            else:
                yield from rules


class _Plan(NamedTuple):
    """The rules for texts with the same letters that gates ask for."""

    gates: tuple[Callable[[str], object], ...]
    """The searches of the regular expressions."""
    groups: tuple[tuple[tuple[int, ...], tuple[Rule, ...], tuple[int, ...]], ...]
    """The gates of rules, the rules, and the next group where a gate is shut."""


def _next(groups: Sequence[tuple[int, ...]], at: int) -> tuple[int, ...]:
    """Returns, for each gate of a group of rules, the next group that isn't behind it and those before it."""
    ends = range(1, len(groups[at]) + 1)
    later = [*range(at + 1, len(groups))]
    return tuple(
        next((other for other in later if groups[other][:end] != groups[at][:end]), len(groups)) for end in ends
    )


def _restored(text: str, said: Sequence[Change], *, written: bool) -> str:
    def original(mark: re.Match[str]) -> str:
        change = said[ord(mark[0]) - _FIRST_MARK]
        return change.written if written else change.spoken

    return text if text.isascii() else _MARK.sub(original, text)
