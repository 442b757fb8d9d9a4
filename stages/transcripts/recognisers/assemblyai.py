"""Reads AssemblyAI's transcripts: `words` and, with speakers, `utterances`; times in milliseconds."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json


def parse_assemblyai(data: Any) -> dict[str, Any]:
    """Turns utterances, or else all words, into segments. Speakers are letters."""
    utterances = data.get("utterances") or [{"words": data["words"], "text": data.get("text", "")}]
    segments = []
    for utterance in utterances:
        words = [
            {
                "word": word["text"],
                "start": word["start"] / 1000,
                "end": word["end"] / 1000,
                "speaker": word.get("speaker"),
            }
            for word in utterance["words"]
        ]
        segments += sentences(words, speaker=utterance.get("speaker"))
    return {"language": data.get("language_code"), "segments": segments}


def _is_assemblyai(text: Content) -> bool:
    words = text.under("words")
    return (
        isinstance(words, Sequence)
        and bool(words)
        and isinstance(words[0], Mapping)
        and {"text", "start", "end"} <= words[0].keys()
        and all(isinstance(words[0][key], int) for key in ("start", "end"))
        and "type" not in words[0]
    )


ASSEMBLYAI = TranscriptFormat(
    "assemblyai",
    (),
    from_json(parse_assemblyai),
    tells="times, words, speakers, language",
    rank=14,
    within=(".json",),
    claims=_is_assemblyai,
)
