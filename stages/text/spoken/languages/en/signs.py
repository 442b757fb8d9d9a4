"""Signs by their names."""

import re
import unicodedata

from stages.text.spoken.languages.en.numbers import NUMBER, cardinal, spoken
from stages.text.spoken.languages.en.spelling import apart
from stages.text.spoken.rules import gated, having, rule

_NAMES = {
    **{
        "&": "and",
        "+": "plus",
        "=": "equals",
        "@": "at",
        "%": "percent",
        "°": "degrees",
        "×": "times",
        "÷": "divided by",
    },
    **{"±": "plus or minus", "≤": "less than or equal to", "≥": "greater than or equal to", "≠": "not equal to"},
    **{
        "≈": "approximately equal to",
        "∞": "infinity",
        "√": "square root of",
        "∑": "sum of",
        "∆": "delta",
        "µ": "micro",
    },
    **{
        "§": "section",
        "¶": "paragraph",
        "©": "copyright",
        "‰": "per mille",
        "∂": "partial",
    },
    **{
        "−": "minus",
        "№": "number",
        "†": "dagger",
        "∈": "in",
        "∪": "union",
        "∩": "intersection",
        "∫": "integral of",
        "℃": "degrees Celsius",
    },
    **{
        "→": "to",
        "¬": "not",
        "∧": "and",
        "∨": "or",
        "\\": "backslash",
        "/": "slash",
        "^": "to the power of",
        "♯": "sharp",
        "♭": "flat",
    },
}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PAIRS = {("he", "she"), ("she", "he"), ("his", "her"), ("him", "her"), ("yes", "no"), ("true", "false"), ("s", "he")}
_SILENT = "|~`^™®•·●■◆★☆►▪◦"


def _named(match: re.Match[str]) -> str:
    """Returns a sign's name, separated from the letters and digits beside it."""
    sign = match["sign"]
    return apart(match, _NAMES[sign])


def _power(match: re.Match[str]) -> str:
    power = int(match[0].translate(_RAISED))
    return {2: " squared", 3: " cubed"}.get(power, f" to the power of {cardinal(power)}")


def _minus(match: re.Match[str]) -> str:
    return f"{spoken(match['before'])} minus "


def _scientific(match: re.Match[str]) -> str:
    power = int(match["power"].replace("−", "-"))
    return f"{spoken(match['number'])} times ten to the power of {cardinal(power)}"


def _compared(match: re.Match[str]) -> str:
    return f"{' ' if match.start() else ''}{ {'<': 'less than', '>': 'greater than'}[match[0].strip()] } "


def _either(match: re.Match[str]) -> str:
    """Returns `or` between two words of which one is meant; else the sign's name."""
    pair = re.search(r"\w+$", match.string[: match.start()]), re.match(r"\w+", match.string[match.end() :])
    words = tuple(word[0] for word in pair if word)
    return " " if words == ("and", "or") else " or " if words in _PAIRS else " slash "


def _letter(match: re.Match[str]) -> str | None:
    """Returns the name of a Greek letter that stands alone."""
    name = unicodedata.name(match[0], "").split()
    return apart(match, name[-1].lower() if "FINAL" not in name else "sigma") if "WITH" not in name else None


def _circled(match: re.Match[str]) -> str:
    return apart(match, spoken(str(int(unicodedata.numeric(match[0])))))


def _nothing(match: re.Match[str]) -> str:
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return " " if before.isalnum() and after.isalnum() else ""


MARKUP = (rule("markup", r"<[A-Za-z/][^<>]*>", lambda match: match[0]),)
"""Left as it is."""
RULES = (
    *having("#", rule("symbol", r"#(?=\d)", lambda _: "number ")),
    *having("~≈", rule("symbol", r"(?<![\w~])[~≈](?= ?[\d$£€.\ue000-\uf8ff])", lambda _: "about ")),
    *having("§", rule("symbol", r"§§ ?", lambda _: "sections ")),
    *having("=", rule("math", rf"(?<![\w-])(?P<before>\d+) ?[-−](?= ?{NUMBER} ?=)", _minus)),
    *having("*×", rule("math", r"(?<=\d) ?[*×] ?(?=\d)", lambda _: " times ")),
    *having("<>", rule("math", r"(?:(?<=[\w)]) ?|(?<!\S))[<>] ?(?=[\d$£€.])", _compared)),
    *gated(
        r"\de|\.\d+E|\dE[+−-]",
        rule("math", r"(?<![\w.,])(?P<number>\d+(?:\.\d+)?)[eE](?P<power>[+−-]?\d+)(?!\w|\.\d)", _scientific),
    ),
)
"""Before the numbers beside them are read."""
POWERS = (rule("math", "(?<=[0-9A-Za-z)])⁻?[⁰¹²³⁴-⁹]+", _power),)
"""After the measures, whose units have such too."""
BETWEEN = (rule("symbol", r"[.,:](?<=[\ue000-\uf8ff].)(?=[\ue000-\uf8ff])", lambda _: " "),)
"""Between numbers these are no marks."""
AFTER = (
    *having("#", rule("symbol", r"(?<=\b[A-G])#(?!\w)", lambda _: " sharp")),
    *having(
        "/",
        rule("symbol", r"(?<=[a-z])/(?=[a-z])", _either),
        rule("symbol", r"(?<=[A-Z])/(?=[A-Z])", lambda _: " "),
    ),
    *having("*", rule("symbol", r"(?<=\b[A-Z])\*(?![\w*])", lambda _: " star")),
    *having("_", rule("symbol", r"_(?<=[^\W_]_)_*(?=[^\W_])", lambda _: " underscore ")),
    *having("".join(_NAMES), rule("symbol", f"(?P<sign>[{re.escape(''.join(_NAMES))}])", _named)),
    *gated(
        r"[^\x00-\x7f]",
        rule("symbol", "(?<![\u0370-\u03ff])[\u0391-\u03a9\u03b1-\u03c9](?![\u0370-\u03ff])", _letter),
        rule("cardinal", "[\u2460-\u2473\u2776-\u277f]", _circled),
    ),
    *having(f"{_SILENT}*", rule("symbol", rf"[{_SILENT}]+|\*+", _nothing)),
    *having("_", rule("symbol", r"_(?:(?<!\w_)_*|_*(?!\w))", _nothing)),
)
