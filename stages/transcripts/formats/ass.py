"""Reads Advanced SubStation Alpha and SubStation Alpha (`.ass`, `.ssa`), through pysubs2."""

from typing import Any

from stages.errors import TextError
from stages.transcripts.script import TranscriptFormat
from stages.transcripts.whisperx import timed


def parse_ass(text: str) -> list[dict[str, Any]]:
    r"""Reads the dialogue lines; comments and drawings are left out, and a line that several layers show counts once.

    `\N` and `\n` break lines. The field `Name` is the speaker.

    Returns:
        Segments with `start` and `end` in seconds, `text` with its codes and line breaks, and `speaker`.

    Raises:
        TextError: if it has no section `[Events]`, or a line of it can't be read.
    """
    from pysubs2 import SSAFile
    from pysubs2.exceptions import Pysubs2Error

    if "[events]" not in text.lower():
        raise TextError("must be SubStation Alpha with a section `[Events]`, but has none. Export it again.")
    kind = "ass" if "v4+ styles" in text.lower() or "v4.00+" in text.lower() else "ssa"
    try:
        events = SSAFile.from_string(text, format_=kind).events
    except (Pysubs2Error, ValueError, LookupError) as error:
        raise TextError(f"must be whole SubStation Alpha, but isn't: {error}. Export it again.") from error
    found: dict[tuple[int, int, str], dict[str, Any]] = {}
    for event in events:
        if event.is_comment or event.is_drawing:
            continue
        said = event.text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
        key = event.start, event.end, event.plaintext
        segment = {"start": event.start / 1000, "end": event.end / 1000, "text": said, "speaker": event.name or None}
        found.setdefault(key, segment)
    return list(found.values())


ASS = TranscriptFormat("ass", (".ass", ".ssa"), timed(parse_ass, style="captions"), tells="times, speakers", rank=34)
