"""Hears whether anybody speaks: silero's voice activity detector, whose weights ship with faster-whisper."""

import numpy as np

from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, its input."""
_PAUSE_MS, _ROOM_MS = 300, 30
"""Shorter pauses count as voice; room left around each stretch."""


def voiced(wave: Wave, *, pause_ms: int, room_ms: int = 0, shortest_ms: int = 0) -> list[tuple[int, int]]:
    """Returns where somebody speaks: the first sample of each stretch, and one past its last, in order.

    Args:
        wave: `[samples]` at 16 kHz.
        pause_ms: Shorter pauses count as voice.
        room_ms: Room left around each stretch.
        shortest_ms: Shorter stretches don't count.

    Source: silero VAD, https://github.com/snakers4/silero-vad.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=pause_ms, speech_pad_ms=room_ms, min_speech_duration_ms=shortest_ms)
    spans = get_speech_timestamps(np.array(wave), options, sampling_rate=SAMPLE_RATE)
    return [(span["start"], min(span["end"], len(wave))) for span in spans]


def voice_share(wave: Wave) -> float:
    """Returns the share of a sound's time in which somebody speaks, 0 to 1.

    Args:
        wave: `[samples]` at 16 kHz, not empty.
    """
    spans = voiced(wave, pause_ms=_PAUSE_MS, room_ms=_ROOM_MS)
    return sum(end - start for start, end in spans) / len(wave)
