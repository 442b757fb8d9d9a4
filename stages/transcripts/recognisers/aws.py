"""Reads the results of Amazon Transcribe: `results.items`, words and punctuation in turn."""

from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json


def parse_aws(data: Any) -> dict[str, Any]:
    """Turns `items` into segments; times are strings, in seconds. Punctuation goes to the word before it.

    Speakers are those of the items, or of `speaker_labels`, or the channels.
    """
    results = data["results"]
    channels = results.get("channel_labels", {}).get("channels") or [{"items": results["items"]}]
    labels = _labels(results.get("speaker_labels") or {})
    segments = []
    for channel in channels:
        words: list[dict[str, Any]] = []
        for item in channel["items"]:
            said = item["alternatives"][0]["content"]
            if item["type"] == "punctuation":
                if words:
                    words[-1]["word"] += said
                continue
            speaker = item.get("speaker_label") or labels.get(item["start_time"])
            start, end = float(item["start_time"]), float(item["end_time"])
            words.append({"word": said, "start": start, "end": end, "speaker": speaker})
        segments += sentences(words, speaker=channel.get("channel_label") if len(channels) > 1 else None)
    return {"language": results.get("language_code") or data.get("language_code"), "segments": segments}


def _labels(told: Mapping[str, Any]) -> dict[str, str]:
    """Returns the speaker by the start of a word, as it is written."""
    items = (item for segment in told.get("segments", ()) for item in segment.get("items", ()))
    return {item["start_time"]: item["speaker_label"] for item in items}


def _is_aws(text: Content) -> bool:
    return isinstance(results := text.under("results"), Mapping) and "items" in results


AWS = TranscriptFormat(
    "aws transcribe",
    (),
    from_json(parse_aws),
    tells="times, words, speakers, language",
    rank=14,
    within=(".json",),
    claims=_is_aws,
)
