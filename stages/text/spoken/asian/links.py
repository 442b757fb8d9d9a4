"""Addresses of pages and of mail, names after @ and words after #, between letters written without spaces."""

import re
from collections.abc import Callable, Mapping

from stages.text.spoken.rules import Rule, rule

_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}"
_BARE = r"(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:com|org|net|edu|gov|info|io|cn|hk|jp|kr|tw)"
_PATH = r"(?::[0-9]+)?(?:[/?#](?:[A-Za-z0-9./?=&%#~+_-]*[A-Za-z0-9/])?)?"
_PART = re.compile("[0-9]+|[A-Za-z]+|.")
LINKED = rf"@|#|://|www\.|\.(?:{_BARE.rpartition('(?:')[2]}"
"""Finds what may be such, for `Speaker.needed`."""


def links(names: Mapping[str, str], one_by_one: Callable[[str], str], tag: str) -> tuple[Rule, ...]:
    """Returns the rules of a language.

    Args:
        names: What the signs `. @ / - _ : ? = & # % + ~` are called.
        one_by_one: Says digits.
        tag: What is said before a word with # at its beginning.
    """

    def said(match: re.Match[str]) -> str:
        address = re.sub("^(?:https?|ftp)://", "", match[0], flags=re.IGNORECASE).rstrip("/")
        parts = _PART.findall(address)
        return " ".join(one_by_one(part) if part.isdecimal() else names.get(part, part) for part in parts)

    letter = "(?<![A-Za-z0-9.@_-])"
    return (
        rule("link", rf"{letter}[A-Za-z0-9._+-]*[A-Za-z0-9]@{_HOST}(?![A-Za-z0-9-])", said),
        rule("link", rf"{letter}(?:(?i:https?|ftp)://|(?i:www)\.){_HOST}{_PATH}", said),
        rule("link", rf"{letter}{_BARE}(?![A-Za-z0-9-]|\.[A-Za-z0-9]){_PATH}", said),
        rule("link", r"#(?P<word>[^\s#]{1,30})#(?!\d)", lambda match: f"{tag} {match['word']} "),
        rule("link", r"(?<![A-Za-z0-9#&])#(?=[^\W\d_])", lambda _: f"{tag} "),
        rule("link", r"(?<![A-Za-z0-9.@])@(?=[^\W_])", lambda _: f"{names['@']} "),
    )
