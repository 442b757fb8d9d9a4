"""Addresses of pages and of mail, as people say them."""

import re

from stages.text.spoken.languages.en.numbers import spoken
from stages.text.spoken.languages.en.spelling import spelled
from stages.text.spoken.rules import gated, having, rule

_SIGNS = {".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark"} | {
    **{"=": "equals", "&": "and", "#": "hash", "~": "tilde", "%": "percent", "+": "plus", ",": "comma"},
}
_SPELT = {
    "http",
    "https",
    "www",
    "org",
    "edu",
    "gov",
    "uk",
    "de",
    "fr",
    "eu",
    "us",
    "io",
    "html",
    "htm",
    "php",
    "pdf",
    "tv",
    "jp",
}
"""Read letter by letter, whatever espeak-ng makes of them; `org` is a word."""
_SPELT.discard("org")
ENDINGS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|co|ai|app|dev|tv|me|uk|us|ca|au|nz|ie|de|fr|es|it|pt|nl|be|ch|at|se|no|dk|fi|"
    "pl|cz|ru|jp|cn|kr|in|br|mx|eu|fm|ly|gg|xyz|online|site|shop|blog|wiki|tech|museum|london|berlin"
)
_HOST = rf"(?:[A-Za-z\d](?:[\w-]*[A-Za-z\d])?\.)+(?:{ENDINGS})(?![\w-])"
_PATH = r"(?:(?::\d+)?(?:[/?#](?:[^\s<>\"“”]*[\w/])?)?)"
_TOKEN = re.compile(r"\d+|[^\W\d_]+|[^\s\w]|_")


def _link(match: re.Match[str]) -> str:
    """Returns an address: its words, its digits, and its signs by name; `https://` isn't said."""
    written = re.sub(r"^(?:https?|ftp)://", "", match[0], flags=re.IGNORECASE).rstrip("/")
    return " ".join(_said(token) for token in _TOKEN.findall(written))


def _said(token: str) -> str:
    if token.isdecimal():
        return spoken(token)
    if token.lower() in _SPELT:
        return spelled(token)
    return _SIGNS.get(token, token)


def _handle(match: re.Match[str]) -> str:
    return f"at {' '.join(_said(token) for token in _TOKEN.findall(match['name']))}"


def _tag(match: re.Match[str]) -> str:
    return f"hashtag {' '.join(_said(token) for token in _TOKEN.findall(match['name']))}"


RULES = (
    *having(":", rule("link", r"(?<![\w@])(?:https?|ftp)://[^\s<>\"“”]*[\w/]", _link, ignore_case=True)),
    *having("@", rule("link", r"(?<![\w.])\.?[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}", _link)),
    *gated("[wW](?i:ww)", rule("link", r"(?<![\w@])www\.[^\s<>\"“”]*[\w/]", _link, ignore_case=True)),
    *gated(rf"\.(?:{ENDINGS})\b", rule("link", rf"(?<![\w@.]){_HOST}{_PATH}", _link)),
    *having("@", rule("link", r"(?<![\w@])@(?P<name>[A-Za-z]\w*)", _handle)),
    *having("#", rule("link", r"(?<![\w#&])#(?P<name>[A-Za-z]\w*)", _tag)),
)
