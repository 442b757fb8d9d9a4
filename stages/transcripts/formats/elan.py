"""Reads ELAN's `.eaf`: tiers of annotations, each of a speaker."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.markup import parse_xml
from stages.transcripts.script import Script, TranscriptFormat
from stages.transcripts.whisperx import from_whisperx

_WORDS = frozenset({"words", "word", "tokens", "token", "tok", "wd", "w", "wort", "mot"})
_OTHER_VIEWS = """
notes note comment comments translation translations gloss glosses pos phones phonemes phonetic ipa gesture
gestures gaze morph morphs morphemes lemma ft ge ps tr mb turns noise events
"""
_NOT_SAID = frozenset(_OTHER_VIEWS.split())
_UTTERANCES = frozenset(
    {
        "default",
        "utterance",
        "utterances",
        "transcription",
        "transcript",
        "text",
        "orthography",
        "ort",
        "sentences",
        "ref",
        "tx",
    }
)


@dataclass(frozen=True, slots=True)
class _Tier:
    name: str
    participant: str
    parent: str
    values: list[tuple[float, float, str]]
    """Start and end in milliseconds, and text; by time."""

    @property
    def kind(self) -> str:
        """The part of the name before `@`, as field linguists write `tx@Anna`, in lower case."""
        return self.name.partition("@")[0].strip().lower()

    @property
    def speaker(self) -> str:
        """The participant, else what stands behind `@`."""
        return self.participant or self.name.partition("@")[2].strip()


def read_eaf(text: str, audio: AudioInfo) -> Script:
    """Reads the time-aligned tiers at the top, each annotation as a segment; tiers below them are other views of it.

    The participant, or with several tiers the tier's name, is the speaker. A tier of words below, or alone, gives the
    words. Times that aren't set are shared evenly between those that are. Notes, translations and glosses are skipped.

    Raises:
        TextError: if it isn't such a file, or no tier holds text.

    Source: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf.
    """
    root = parse_xml(text, "ANNOTATION_DOCUMENT", "ELAN's format")
    slots = _slots(root)
    tiers = [tier for element in root.iter("TIER") if (tier := _tier(element, slots)).values]
    said = [tier for tier in tiers if not tier.parent and tier.kind not in _NOT_SAID and tier.kind not in _WORDS]
    below = [tier for tier in tiers if tier.kind in _WORDS]
    if not said:
        said = [tier for tier in tiers if tier.kind in _UTTERANCES] or below
    if not said:
        raise TextError("must hold a tier with what is said, but holds none. Export it again, or remove it.")
    several = len(said) > 1
    segments: list[dict[str, Any]] = []
    for tier in said:
        speaker = tier.speaker or (tier.name if several and tier.kind not in _UTTERANCES else "")
        words = [value for other in below if other.parent == tier.name for value in other.values]
        segments += [_segment(value, speaker, words) for value in tier.values]
    language = next((element.get("LANG_DEF", "").rpartition("/")[2] for element in root.iter("LANGUAGE")), "")
    return from_whisperx({"language": _known(language), "segments": segments}, audio)


def _known(language: str) -> str | None:
    return language if language.isalpha() and language not in {"und", "mis", "mul"} else None


def _slots(root: ET.Element) -> dict[str, float]:
    """Returns the time of each slot in milliseconds; those without a time are spread between their neighbours."""
    names = [(slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    try:
        times = [None if value is None else float(value) for _, value in names]
    except ValueError as error:
        raise TextError(f"`TIME_VALUE` must be whole milliseconds, but isn't: {error}. Export it again.") from error
    known = [(place, time) for place, time in enumerate(times) if time is not None]
    if not known:
        raise TextError("must have times, but no time slot has one. Align it in ELAN first.")
    places, values = zip(*known, strict=True)
    spread = np.interp(np.arange(len(names)), places, values)
    return {name: float(time) for (name, _), time in zip(names, spread, strict=True)}


def _tier(element: ET.Element, slots: dict[str, float]) -> _Tier:
    values = []
    for annotation in element.iter("ALIGNABLE_ANNOTATION"):
        first, last = annotation.get("TIME_SLOT_REF1", ""), annotation.get("TIME_SLOT_REF2", "")
        if first not in slots or last not in slots:
            raise TextError(
                f"annotation `{annotation.get('ANNOTATION_ID')}` must have times, but has none. Export it again."
            )
        said = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
        if said:
            values.append((slots[first], slots[last], said))
    values.sort()
    return _Tier(
        element.get("TIER_ID", ""), element.get("PARTICIPANT", "").strip(), element.get("PARENT_REF", ""), values
    )


def _segment(value: tuple[float, float, str], speaker: str, words: list[tuple[float, float, str]]) -> dict[str, Any]:
    start, end, said = value
    inside = [word for word in words if start <= (word[0] + word[1]) / 2 < end]
    return {
        "start": start / 1000,
        "end": end / 1000,
        "text": said,
        "speaker": speaker or None,
        "words": [{"word": text, "start": left / 1000, "end": right / 1000} for left, right, text in inside],
    }


ELAN = TranscriptFormat("elan", (".eaf",), read_eaf, tells="times, words, speakers, language", rank=22)
