"""Reads plain text; refuses HTK labels."""

import re

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import Segment
from stages.transcripts.script import Script, TranscriptFormat


def read_plain(text: str, audio: AudioInfo) -> Script:
    """Reads the file as one untimed text of the whole recording.

    Raises:
        TextError: if it is empty, binary, or HTK labels.
    """
    text = " ".join(text.split())
    if "\0" in text:
        raise TextError(
            "must hold plain text, but holds NUL bytes: it may be UTF-16 without a byte order mark. Save it as UTF-8."
        )
    if not text:
        raise TextError("must hold the text of its recording, but holds none. Write it, or remove the file.")
    if _HTK_LABELS.fullmatch(text):
        raise TextError("must hold plain text, but holds HTK labels (start, end, phone). Give the words instead.")
    return Script("", (Segment(0, audio.samples, text, ""),), timed=False)


_HTK_LABELS = re.compile(r"(?:\d+ \d+ \S+ ?)+")


PLAIN = TranscriptFormat("text", (".txt", ".lab"), read_plain, tells="nothing", rank=90)
