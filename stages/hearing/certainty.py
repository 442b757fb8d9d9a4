"""Gives each segment of a heard script what whisper told of its certainty."""

from collections.abc import Sequence
from dataclasses import replace

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


def _certainty_of(heard: Heard) -> Certainty:
    probability = heard.language_probability
    return Certainty(
        round(heard.avg_logprob, _DIGITS),
        round(heard.no_speech_prob, _DIGITS),
        round(heard.compression_ratio, _DIGITS),
        heard.language,
        None if probability is None else round(probability, _DIGITS),
    )
