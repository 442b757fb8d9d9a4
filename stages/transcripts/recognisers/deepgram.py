"""Reads Deepgram's results: `results.channels[].alternatives[].words`."""

from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json


def parse_deepgram(data: Any) -> dict[str, Any]:
    """Turns the words of each channel into segments, with their punctuation; times in seconds.

    With several channels, the speakers are the channels.
    """
    channels = data["results"]["channels"]
    segments = []
    for number, channel in enumerate(channels):
        words = [
            {
                "word": word.get("punctuated_word") or word["word"],
                "start": word["start"],
                "end": word["end"],
                "speaker": word.get("speaker") if len(channels) == 1 else None,
            }
            for word in channel["alternatives"][0]["words"]
        ]
        segments += sentences(words, speaker=f"channel {number}" if len(channels) > 1 else None)
    languages = {channel.get("detected_language") for channel in channels} - {None}
    return {"language": languages.pop() if len(languages) == 1 else None, "segments": segments}


def _is_deepgram(text: Content) -> bool:
    return isinstance(results := text.under("results"), Mapping) and "channels" in results


DEEPGRAM = TranscriptFormat(
    "deepgram",
    (),
    from_json(parse_deepgram),
    tells="times, words, speakers, language",
    rank=15,
    within=(".json",),
    claims=_is_deepgram,
)
