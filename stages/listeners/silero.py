"""Hears whether anybody speaks: silero's voice activity detector, whose weights ship with faster-whisper."""

from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, its input."""
_PAUSE_MS, _ROOM_MS = 300, 30
"""Shorter pauses count as voice; room left around each stretch."""


def voice_share(wave: Wave) -> float:
    """Returns the share of a sound's time in which somebody speaks, 0 to 1.

    Args:
        wave: `[samples]` at 16 kHz, not empty.

    Source: silero VAD, https://github.com/snakers4/silero-vad.
    """
    import numpy as np
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=_PAUSE_MS, speech_pad_ms=_ROOM_MS)
    spans = get_speech_timestamps(np.array(wave), options, sampling_rate=SAMPLE_RATE)
    return float(sum(span["end"] - span["start"] for span in spans) / len(wave))
