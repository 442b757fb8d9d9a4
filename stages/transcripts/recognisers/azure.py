"""Reads Azure's transcriptions: of batches, fast ones (`phrases`), and single results (`NBest`)."""

import re
from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import from_json

_TICKS = 10_000_000
"""Ticks of 100 ns in a second."""
_LENGTH = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")


def parse_azure(data: Any) -> dict[str, Any]:
    """Turns phrases into segments: their display form, and the words where their times are told.

    Speakers are those told, or the channels if there are several.
    """
    if "phrases" in data:
        phrases = [_fast(phrase) for phrase in data["phrases"]]
    elif "recognizedPhrases" in data:
        phrases = [
            _batch(one) for one in data["recognizedPhrases"] if one.get("recognitionStatus", "Success") == "Success"
        ]
    else:
        results = data if isinstance(data, list) else [data]
        phrases = [_single(one) for one in results if one.get("RecognitionStatus", "Success") == "Success"]
    several = len({phrase["channel"] for phrase in phrases}) > 1
    for phrase in phrases:
        channel = phrase.pop("channel")
        if phrase["speaker"] is None and several:
            phrase["speaker"] = f"channel {channel}"
    locales = {phrase.pop("locale") for phrase in phrases} - {None}
    return {"language": locales.pop() if len(locales) == 1 else None, "segments": phrases}


def _segment(start: float, length: float, text: str, words: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    speaker, channel, locale = (more.get(key) for key in ("speaker", "channel", "locale"))
    named = None if speaker is None else str(speaker)
    return {
        "start": start,
        "end": start + length,
        "text": text,
        "words": words,
        "speaker": named,
        "channel": channel,
        "locale": locale,
    }


def _fast(phrase: Mapping[str, Any]) -> dict[str, Any]:
    words = [
        _word(word["text"], word["offsetMilliseconds"] / 1000, word["durationMilliseconds"] / 1000)
        for word in phrase.get("words") or ()
    ]
    start, length = phrase["offsetMilliseconds"] / 1000, phrase["durationMilliseconds"] / 1000
    return _segment(
        start, length, phrase["text"], words, **{key: phrase.get(key) for key in ("speaker", "channel", "locale")}
    )


def _batch(phrase: Mapping[str, Any]) -> dict[str, Any]:
    best = phrase["nBest"][0]
    told = best.get("displayWords") or best.get("words") or ()
    words = [
        _word(word.get("displayText") or word["word"], _time(word, "offset"), _time(word, "duration")) for word in told
    ]
    more = {key: phrase.get(key) for key in ("speaker", "channel", "locale")}
    return _segment(_time(phrase, "offset"), _time(phrase, "duration"), best["display"], words, **more)


def _single(result: Mapping[str, Any]) -> dict[str, Any]:
    best = (result.get("NBest") or [{}])[0]
    words = [
        _word(word["Word"], word["Offset"] / _TICKS, word["Duration"] / _TICKS) for word in best.get("Words") or ()
    ]
    text = result.get("DisplayText") or best.get("Display") or ""
    return _segment(result["Offset"] / _TICKS, result["Duration"] / _TICKS, text, words, channel=result.get("Channel"))


def _word(text: str, start: float, length: float) -> dict[str, Any]:
    return {"word": text, "start": start, "end": start + length}


def _time(value: Mapping[str, Any], key: str) -> float:
    """Returns a time in seconds, which Azure writes in ticks, or as `PT1M2.3S`."""
    if (ticks := value.get(f"{key}InTicks")) is not None:
        return float(ticks) / _TICKS
    match = _LENGTH.fullmatch(value[key])
    if not match:
        raise ValueError(f"`{key}` is `{value[key]}`")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)


def _is_azure(text: Content) -> bool:
    data = text.data[0] if isinstance(text.data, list) and text.data else text.data
    return isinstance(data, Mapping) and (
        "recognizedPhrases" in data or "RecognitionStatus" in data or ("phrases" in data and "combinedPhrases" in data)
    )


AZURE = TranscriptFormat(
    "azure speech",
    (),
    from_json(parse_azure),
    tells="times, words, speakers, language",
    rank=16,
    within=(".json",),
    claims=_is_azure,
)
