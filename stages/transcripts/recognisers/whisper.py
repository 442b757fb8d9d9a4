"""Reads the JSON of whisperX, openai-whisper, faster-whisper and OpenAI's server: `segments`, or only a `text`."""

from collections.abc import Mapping
from typing import Any

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.script import Script, TranscriptFormat, parse_json
from stages.transcripts.whisperx import from_whisperx

_NO_RESULT = (
    "must be the JSON of a recogniser that is known, but has neither `segments` nor a `text`, only {found}."
    " `valle-prep formats` lists them."
)


def read_whisper(text: str, audio: AudioInfo) -> Script:
    """Reads `{"language", "segments": [{"start", "end", "text", "words"}]}`, times in seconds.

    Words that stand beside the segments, as OpenAI's server writes them, go to the segments that they lie in; if there
    are no segments, they make one of the whole text. A file with `text` alone is an untimed transcript.

    Raises:
        TextError: if it isn't such JSON, holds no text, or has impossible times.
    """
    data = getattr(text, "data", None)
    if data is None:
        data = parse_json(text)
    if isinstance(data, Mapping):
        if data and not data.keys() & {"segments", "text"}:
            raise TextError(_NO_RESULT.format(found=", ".join(f"`{key}`" for key in list(data)[:5])))
        heard = "segments" in data or _words(data)
        return from_whisperx(_with_words(data), audio, style="heard" if heard else "plain")
    return from_whisperx(data, audio)


def _words(data: Mapping[str, Any]) -> list[Any]:
    """Returns the words that stand beside the segments, if they have times."""
    words = data.get("words")
    if not isinstance(words, list) or not all(
        isinstance(word, Mapping) and {"word", "start", "end"} <= word.keys() for word in words
    ):
        return []
    return words


def _with_words(data: Mapping[str, Any]) -> Mapping[str, Any]:
    words = _words(data)
    if not words:
        return data
    segments = data.get("segments")
    if not segments:
        segment = {"start": words[0]["start"], "end": words[-1]["end"], "text": data.get("text", ""), "words": words}
        return {"language": data.get("language"), "segments": [segment]}
    if not all(isinstance(segment, Mapping) and "words" not in segment for segment in segments):
        return data
    return {**data, "segments": [{**segment, "words": _inside(segment, words)} for segment in segments]}


def _inside(segment: Mapping[str, Any], words: list[Any]) -> list[Any]:
    start, end = segment.get("start"), segment.get("end")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return []
    return [word for word in words if start <= (word["start"] + word["end"]) / 2 < end]


WHISPER = TranscriptFormat("whisperx", (".json",), read_whisper, tells="times, words, speakers, language", rank=10)
