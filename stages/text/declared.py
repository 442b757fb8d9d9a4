"""The languages that a configuration declares: their codes, and `transcribe.languages` by speaker."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from stages.errors import TextError
from stages.text.languages import normalise_code


def known_code(code: str) -> str:
    """Returns the table's code of a language, as `normalise_code`, for validators.

    Raises:
        ValueError: if the language isn't in the table.
    """
    try:
        return normalise_code(code)
    except TextError as error:
        raise ValueError(str(error)) from error


def language_of(languages: Mapping[str, str], group: str, speaker: str) -> str | None:
    """Returns the language that a speaker is given, or None.

    Plain names win over patterns; of plain names the narrowest wins, of patterns the one with more letters.

    Args:
        languages: Language by `group/speaker`, speaker or group, with `*` and `?`.
        group: The speaker's group; "" for none.
        speaker: The speaker.
    """
    ranks = {pattern: _rank(pattern, group, speaker) for pattern in sorted(languages)}
    best = max(ranks, key=lambda pattern: ranks[pattern], default="")
    return languages[best] if any(ranks.get(best, ())) else None


def _rank(pattern: str, group: str, speaker: str) -> tuple[int, int, int]:
    """Returns how specifically a pattern matches a speaker: larger is more specific; zeros for no match."""
    names = [f"{group}/{speaker}"] if "/" in pattern else [group, speaker]
    if pattern in names:
        return 2, len(names) == 1, names.index(pattern)
    if any(fnmatchcase(name, pattern) for name in names):
        return 1, sum(letter not in "*?[]" for letter in pattern), 0
    return 0, 0, 0
