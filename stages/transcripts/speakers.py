"""Which speakers the names in a transcript stand for."""

import re

from stages.transcripts.script import Script

_LABEL = re.compile(
    r"(?:spk|spkr|speaker|channel|sprecher|locuteur|hablante|falante)[_ -]?#?\w{1,3}|s?[_ -]?\d{1,3}|[a-z]"
    r"|(?:(?:young|old|older|elderly|unknown|unidentified)[ _-])?(?:man|woman|male|female|boy|girl|child|speaker|person"
    r"|narrator|interview(?:er|ee)|host|guest|moderator|reporter|announcer|voice|caller|operator|agent|customer|student"
    r"|teacher|participant|mann|frau|sprecher|homme|femme|hombre|mujer|uomo|donna|homem|mulher)"
    r"(?:[ _-](?:voice|speaker))?(?:[ _-]?#?\d{1,3})?",
    re.IGNORECASE,
)
"""Labels of diarisation, such as `SPEAKER_00`, and of captions, such as `MAN`: in each recording they stand for other
people."""


def speakers_of(recording: str, script: Script) -> dict[str, str]:
    """Maps a script's names to speakers, by the recording's id.

    Empty for fewer than two names: the recording's own speaker then counts.
    """
    names = sorted({segment.speaker for segment in script.segments if segment.speaker})
    stem = recording.rpartition(".")[0]
    return {name: f"{stem}:{name}" if _LABEL.fullmatch(name) else name for name in names} if len(names) > 1 else {}
