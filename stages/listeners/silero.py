"""Hears whether anybody speaks: silero's voice activity detector, whose weights ship with faster-whisper."""

import numpy as np

from stages.audio.silence import frame_power, level_of
from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, its input."""
_PAUSE_MS, _ROOM_MS = 300, 30
"""Shorter pauses count as voice; room left around each stretch."""
_QUIET_DB, _RAISED_DB = -38.0, -26.0
"""A level below which a sound is made louder before it is heard, and to what, in dB: silero misses words of it. Speech
is seldom recorded below -35."""


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
    spans = get_speech_timestamps(_audible(wave), options, sampling_rate=SAMPLE_RATE)
    return [(span["start"], min(span["end"], len(wave))) for span in spans]


def _audible(wave: Wave) -> Wave:
    """Returns a copy of a wave; a very quiet one is louder, as far as its peak stays within full scale."""
    copy = np.array(wave, np.float32)
    peak = float(np.abs(copy).max()) if len(copy) else 0.0
    if peak and (level := level_of(frame_power(copy, SAMPLE_RATE)[0])) < 10 ** (_QUIET_DB / 10):
        copy *= np.float32(min(np.sqrt(10 ** (_RAISED_DB / 10) / level), 1 / peak))
    return copy


def voice_share(wave: Wave) -> float:
    """Returns the share of a sound's time in which somebody speaks, 0 to 1.

    Args:
        wave: `[samples]` at 16 kHz, not empty.
    """
    spans = voiced(wave, pause_ms=_PAUSE_MS, room_ms=_ROOM_MS)
    return sum(end - start for start, end in spans) / len(wave)
