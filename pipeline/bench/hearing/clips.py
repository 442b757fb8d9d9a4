"""The clips of read English that benchmarks of hearing share: their groups, texts and speech."""

from functools import cache
from hashlib import blake2b
from pathlib import Path

from stages.audio.silence import SILENCE_DB, sound_edges
from stages.corpora.scan import scan
from stages.hearing.sphinx import SphinxAligner
from stages.ids import path_of
from stages.listeners.silero import SAMPLE_RATE, voiced
from stages.records import Recording, Wave

GROUPS = ("librispeech-test-other", "ljspeech", "vctk")
"""Groups whose clips have transcripts."""
TOLERANCE_S = 0.05
"""Largest error of a word or border that still counts as right."""


def english(recordings: Path) -> list[Recording]:
    """Returns the clips of these groups that have texts."""
    return [clip for clip in scan(recordings).recordings if clip.group in GROUPS and clip.transcript]


def text_of(recordings: Path, clip: Recording) -> str:
    """Returns the text beside a clip, in one line."""
    return " ".join((recordings / path_of(clip.transcript)).read_text(encoding="utf-8-sig").split())


def speech_in(wave: Wave) -> list[tuple[int, int]]:
    """Returns where a clip at 16 kHz has speech, by silero on that clip alone.

    Short pauses are left out, and so is silence at the clip's ends: silero needs some to tell that speech is over.
    """
    edges = sound_edges(wave, SAMPLE_RATE, silence_db=SILENCE_DB) or (0, 0)
    found = voiced(wave, pause_ms=50, shortest_ms=60)
    within = [(max(start, edges[0]), min(end, edges[1])) for start, end in found]
    return [(start, end) for start, end in within if start < end]


def words_in(wave: Wave, text: str) -> list[tuple[int, int]] | None:
    """Returns where each word of a clip at 16 kHz lies, by pocketsphinx on it alone; None if the text misfits."""
    spans = _aligner().prefix(wave, text.split(), whole=True)
    if spans is None:
        return None
    return [(round(span[0] * SAMPLE_RATE), round(span[1] * SAMPLE_RATE)) for span in spans if span]


@cache
def _aligner() -> SphinxAligner:
    return SphinxAligner()


def mark(name: str) -> bytes:
    """Returns a hash of a name, by which recordings are drawn and halved."""
    return blake2b(name.encode()).digest()
