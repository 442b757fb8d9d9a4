"""Gives a heard script what whisper told of its certainty: of each segment, and where it heard nothing certain."""

from collections.abc import Sequence
from dataclasses import replace

from stages.audio.files import AudioInfo
from stages.hearing.heard import Heard
from stages.records import Certainty, Segment
from stages.transcripts.script import Script

_DIGITS = 4
"""Decimals that are kept: more of them differ from one machine to the next."""


def with_certainty(script: Script, heard: Sequence[Heard], sample_rate: int) -> Script:
    """Returns a script whose segments know how sure whisper was of them.

    An aligner may have divided what was heard into sentences, or moved it: each segment gets the certainty of the
    stretch that shares most of its time, else of the nearest.

    Args:
        script: What `transcripts.whisperx` made of the result.
        heard: What whisper heard, in the same recording.
        sample_rate: Hz, of the script's segments.
    """
    if not heard:
        return script

    def sure(segment: Segment) -> Segment:
        start, end = segment.start_samples / sample_rate, segment.end_samples / sample_rate

        def shared_s(one: Heard) -> float:
            return min(one.end, end) - max(one.start, start)  # below 0: how far apart they are

        return replace(segment, certainty=_certainty_of(max(heard, key=shared_s)))

    return replace(script, segments=tuple(map(sure, script.segments)))


def with_unheard(script: Script, spans: Sequence[tuple[float, float]], audio: AudioInfo) -> Script:
    """Returns a script with a segment without text for each stretch in which somebody speaks, but nothing was heard.

    Args:
        script: What was heard.
        spans: Start and end of each stretch in seconds.
        audio: The recording.
    """
    rate = audio.sample_rate
    inside = [(round(start * rate), min(round(end * rate), audio.samples)) for start, end in spans]
    silent = [Segment(start, end, "", "") for start, end in inside if start < end]
    segments = sorted([*script.segments, *silent], key=lambda one: (one.start_samples, one.end_samples))
    return replace(script, segments=tuple(segments)) if silent else script


def _certainty_of(heard: Heard) -> Certainty:
    probability = heard.language_probability
    return Certainty(
        round(heard.avg_logprob, _DIGITS),
        round(heard.no_speech_prob, _DIGITS),
        round(heard.compression_ratio, _DIGITS),
        heard.language,
        None if probability is None else round(probability, _DIGITS),
    )
