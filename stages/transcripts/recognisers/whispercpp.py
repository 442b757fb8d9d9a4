"""Reads the JSON of whisper.cpp (`-oj`), and the full one with tokens (`-ojf`)."""

from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import from_json


def parse_whispercpp(data: Any) -> dict[str, Any]:
    """Turns `transcription`, with `offsets` in milliseconds, into segments.

    The full form has tokens: those that begin with a space begin a word; `[_BEG_]` and the like are no text.
    """
    segments = []
    for one in data["transcription"]:
        speaker = one.get("speaker")
        segments.append(
            {
                "start": one["offsets"]["from"] / 1000,
                "end": one["offsets"]["to"] / 1000,
                "text": one["text"],
                "speaker": None if speaker in {None, "", "?"} else f"speaker {speaker}",
                "words": _words(one.get("tokens") or ()),
            }
        )
    return {"language": data.get("result", {}).get("language"), "segments": segments}


def _words(tokens: Any) -> list[dict[str, Any]]:
    words: list[dict[str, Any]] = []
    for token in tokens:
        text, times = token["text"], token.get("offsets")
        if not text.strip() or text.startswith("[_") or not times:
            continue
        start, end = times["from"] / 1000, times["to"] / 1000
        if text.startswith(" ") or not words:
            words.append({"word": text.strip(), "start": start, "end": end})
        else:
            words[-1] |= {"word": words[-1]["word"] + text, "end": end}
    return words


def _is_whispercpp(text: Content) -> bool:
    return isinstance(text.under("transcription"), list)


WHISPER_CPP = TranscriptFormat(
    "whisper.cpp",
    (),
    from_json(parse_whispercpp),
    tells="times, words, language",
    rank=11,
    within=(".json",),
    claims=_is_whispercpp,
)
