"""Reads times as people and programs write them."""

import re

CLOCK = r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})(?:[.,:;](\d{1,6}))?"
"""`MM:SS`, `HH:MM:SS`, both with a fraction; four groups."""
_CLOCK = re.compile(CLOCK)


def seconds(hours: str | None, minutes: str, second: str, fraction: str | None) -> float:
    """Returns the seconds of the groups of `CLOCK`."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(f"{second}.{fraction or 0}")


def seconds_of(text: str) -> float:
    """Returns the seconds of a time; raises `ValueError` if it isn't one."""
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        raise ValueError(f"`{text.strip()[:40]}` isn't a time")
    hours, minutes, second, fraction = found.groups()
    return seconds(hours, minutes, second, fraction)


_LIKE = r"\w{1,3}:\w{1,2}(?::\w{1,2})?(?:[.,]\w{1,6})?"
_LIKE_TIMES = re.compile(rf"\s*[\[({{<]?\s*({_LIKE})[\])}}>]?\s*(?:-+>|→|[-–—,;])\s*[\[({{<]?({_LIKE})")


def looks_like_times(line: str) -> bool:
    """Returns whether a line begins with what may be two times, as `00:0x:01,000 -> 00:00:03,000`."""
    found = _LIKE_TIMES.match(line)
    return found is not None and all(
        sum(map(str.isalpha, time)) <= 2 <= sum(map(str.isdigit, time)) for time in found.groups()
    )
