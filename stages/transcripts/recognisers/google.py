"""Reads the results of Google's Speech-to-Text, v1 and v2."""

from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json


def parse_google(data: Any) -> dict[str, Any]:
    """Turns `results` into segments: by the words of the first alternative, else by the ends of the results.

    Times are strings such as `1.300s`; v2 calls them offsets. With diarisation the last result holds all words again,
    with their speakers: it is used alone.
    """
    results = _results(data)
    segments: list[dict[str, Any]] = []
    reached = 0.0
    tagged = [result for result in results if _is_tagged(result)]
    languages = {result.get("languageCode") for result in results} - {None, ""}
    for result in tagged[-1:] or results:
        best = (result.get("alternatives") or [{}])[0]
        words = [_word(word) for word in best.get("words") or ()]
        end = _seconds(_first(result, "resultEndTime", "resultEndOffset", "result_end_time", "result_end_offset"))
        if words:
            segments += sentences(words, speaker=_channel(result, results))
            end = max(end or 0.0, words[-1]["end"])
        elif best.get("transcript"):
            segments.append(
                {"start": reached, "end": end, "text": best["transcript"], "speaker": _channel(result, results)}
            )
        reached = end if end is not None else reached
    return {"language": languages.pop() if len(languages) == 1 else None, "segments": segments}


def _results(data: Any) -> list[Any]:
    """Returns the results, which a finished operation wraps in `response`, and v2's batches in a file's entry."""
    data = data.get("response", data)
    if "results" not in data or isinstance(data["results"], Mapping):
        files = data["results"].values()
        data = next(iter(files))
        data = data.get("transcript") or data.get("inlineResult", {}).get("transcript") or data
    found: list[Any] = data["results"]
    return found


def _first(value: Mapping[str, Any], *keys: str) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _seconds(time: Any) -> float | None:
    if isinstance(time, Mapping):
        return int(time.get("seconds", 0)) + int(time.get("nanos", 0)) / 1e9
    return None if time is None else float(str(time).removesuffix("s"))


def _word(word: Mapping[str, Any]) -> dict[str, Any]:
    start = _seconds(_first(word, "startTime", "startOffset", "start_time", "start_offset"))
    end = _seconds(_first(word, "endTime", "endOffset", "end_time", "end_offset"))
    if end is None:
        raise ValueError(f"the word `{word.get('word')}` has no end (ask for `enableWordTimeOffsets`)")
    speaker = _first(word, "speakerLabel", "speakerTag", "speaker_label", "speaker_tag")
    return {"word": word["word"], "start": start or 0.0, "end": end, "speaker": speaker or None}


def _is_tagged(result: Mapping[str, Any]) -> bool:
    words = (result.get("alternatives") or [{}])[0].get("words") or ()
    return bool(words) and not result.get("channelTag") and all(_word(word)["speaker"] for word in words)


def _channel(result: Mapping[str, Any], results: list[Any]) -> str | None:
    several = len({other.get("channelTag") for other in results}) > 1
    return f"channel {result.get('channelTag')}" if several else None


def _is_google(text: Content) -> bool:
    if not isinstance(text.data, Mapping):
        return False
    try:
        results = _results(text.data)
    except (LookupError, TypeError, AttributeError, StopIteration):
        return False
    return isinstance(results, list) and any(
        isinstance(one, Mapping) and "alternatives" in one and "type" not in one for one in results
    )


GOOGLE = TranscriptFormat(
    "google speech",
    (),
    from_json(parse_google),
    tells="times, words, speakers, language",
    rank=15,
    within=(".json",),
    claims=_is_google,
)
