"""Reads lists of texts to speak, and speaks them.

A `.jsonl` file has an object a line, with `text` and, if wanted, `ref`, `ref_text`, `voice`, `language`, `seed`,
`retries`, `best_of` and `out`; any other file has a text a line. Blank lines are skipped. Every line is checked before
any work begins.
"""

import difflib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.inference.requests import Request
from stages.errors import AudioError, UsageError, ValleError

if TYPE_CHECKING:
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import Voice

STANDARD = "-"
"""Names standard input in place of a text, and standard output in place of a file."""
LIST = "@"
"""Comes before the path of a list, in place of a text."""
SUFFIX = ".wav"

_KEYS: dict[str, type] = dict.fromkeys(("text", "ref", "ref_text", "voice", "language", "out"), str) | dict.fromkeys(
    ("seed", "retries", "best_of"), int
)
_TOLD = 10
"""Most bad lines that a message lists."""


@dataclass(frozen=True, slots=True)
class Order:
    """One text of a list."""

    request: Request
    out: Path
    """The file to write."""
    line: str
    """File and line number, for messages."""


def read_text(text: str) -> str:
    """Returns a text, or standard input for `-`; raises `UsageError` if that isn't UTF-8."""
    if text != STANDARD:
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"Standard input must be UTF-8, but its byte {error.start} is not. Convert it.") from error


def read_orders(path: Path, out: Path, default: Request, *, voices: Path | None = None) -> list[Order]:
    """Reads a list of texts.

    Args:
        path: The list. Paths of recordings in it are relative to its folder.
        out: The folder for the files, which are numbered unless a line names one.
        default: The request whose values a line's own replace.
        voices: Folder of the kept voices that lines name; by default a line's `voice` is a file, relative to the list's
            folder.

    Returns:
        One order per text.

    Raises:
        UsageError: if the file can't be read or has no text, or a line is wrong; the message has a line for each.
    """
    if out.suffix or str(out) == STANDARD:
        raise UsageError(f"For a list of texts `OUT` must be a folder, without a suffix, but is `{out}`.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        hint = f"To say a text that begins with `{LIST}`, give `{STANDARD}` and the text on standard input."
        raise UsageError(f"`{path}` must be a list of texts in UTF-8, but can't be read: {error}. {hint}") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise UsageError(f"`{path}` must hold texts, one a line, but is empty.")
    digits = max(4, len(str(len(numbered))))
    opened = _opener(path.parent, voices)
    orders: list[Order] = []
    wrong: list[str] = []
    for count, (number, line) in enumerate(numbered, start=1):
        where = f"{path}, line {number}"
        try:
            values = _parsed(line) if path.suffix.lower() == ".jsonl" else {"text": line.strip()}
            name = values.pop("out", f"{count:0{digits}d}{SUFFIX}")
            orders.append(Order(_request(values, default, path.parent, opened), out / _checked_name(name), where))
        except ValleError as error:
            wrong.append(f"{where}: {error}")
    for first, second in _same_files(orders):
        wrong.append(f"{second.line}: `out` must differ from line to line, but `{second.out}` is that of {first.line}.")
    _raise(wrong)
    return orders


def check_orders(synthesizer: "Synthesizer", orders: Sequence[Order]) -> None:
    """Checks that a model can speak all orders; raises `UsageError` with a line for each that it can't."""
    wrong = []
    for order in orders:
        try:
            synthesizer.check(order.request)
        except ValleError as error:
            wrong.append(f"{order.line}: {error}")
    _raise(wrong)


def speak_orders(synthesizer: "Synthesizer", orders: Sequence[Order]) -> Iterator[tuple[Order, "Speech | ValleError"]]:
    """Yields each order with its speech, or with the error that stopped it and no other."""
    return zip(orders, synthesizer.each([order.request for order in orders]), strict=True)


def _raise(wrong: Sequence[str]) -> None:
    if wrong:
        more = [f"… and {len(wrong) - _TOLD} more lines"] if len(wrong) > _TOLD else []
        raise UsageError("\n".join([*wrong[:_TOLD], *more]))


def _parsed(line: str) -> dict[str, Any]:
    """Returns the object of a line, with known keys and values of their types."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise UsageError(f"A line must be a JSON object, but isn't JSON: {error}.") from error
    if not isinstance(values, dict):
        raise UsageError(f'A line must be a JSON object such as {{"text": "Hello."}}, but is `{line.strip()[:40]}`.')
    for key, value in values.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            nearest = f" Did you mean `{close[0]}`?" if close else ""
            raise UsageError(f"`{key}` is not a known key ({', '.join(_KEYS)}).{nearest}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            kind = "text" if _KEYS[key] is str else "a whole number"
            raise UsageError(f"`{key}` must be {kind}, but is `{json.dumps(value, ensure_ascii=False)}`.")
    if "text" not in values:
        raise UsageError("A line must have a `text`, but has none.")
    return values


def _opener(folder: Path, voices: Path | None) -> "Callable[[str], Voice]":
    """Returns what opens the kept voice that a line names; each is read once."""

    @cache
    def opened(name: str) -> "Voice":
        from model.inference.voices import read_voices

        return read_voices([str(folder / name)] if voices is None else [name], voices)

    return opened


def _request(values: dict[str, Any], default: Request, folder: Path, opened: "Callable[[str], Voice]") -> Request:
    """Returns the request of a line."""
    if not values["text"].strip():
        raise UsageError("`text` must hold something to say, but is empty.")
    own: dict[str, Any] = {key: values[key] for key in ("text", "language", "seed") if key in values}
    own["guard"] = replace(default.guard, **{key: values[key] for key in ("retries", "best_of") if key in values})
    if "voice" in values:
        if superfluous := [key for key in ("ref", "ref_text") if key in values]:
            raise UsageError(f"`voice` takes the place of `{superfluous[0]}`: leave one of them out.")
        return replace(default, **own, prompt=None, prompt_text=None, voice=opened(values["voice"]))
    if "ref" in values:
        reference = folder / values["ref"]
        _check_recording(reference)
        return replace(default, **own, prompt=reference, prompt_text=values.get("ref_text"), voice=None)
    if default.prompt is None and default.voice is None:
        raise UsageError("A line must have a `ref`, a recording of the voice, or a `voice`, since `REF` is `-`.")
    if default.voice is not None:
        if "ref_text" in values:
            raise UsageError("`ref_text` needs a `ref` on its line, since the voice isn't a single `REF`.")
        return replace(default, **own)
    return replace(default, **own, prompt_text=values.get("ref_text", default.prompt_text))


def _check_recording(path: Path) -> None:
    from stages.audio.files import probe

    try:
        probe(path)
    except AudioError as error:
        raise UsageError(f"`ref` must be a recording: {error}") from error


def _checked_name(name: str) -> Path:
    path = Path(name)
    if path.suffix.lower() != SUFFIX or path.is_absolute() or ".." in path.parts:
        raise UsageError(f"`out` must be a path below `OUT` that ends in `{SUFFIX}`, but is `{name}`.")
    return path


def _same_files(orders: Sequence[Order]) -> Iterator[tuple[Order, Order]]:
    """Yields each order that would write the file of an earlier one, after that one."""
    seen: dict[Path, Order] = {}
    for order in orders:
        if order.out in seen:
            yield seen[order.out], order
        seen.setdefault(order.out, order)
