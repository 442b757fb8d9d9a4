"""Reads audio of unknown origin out of memory, never more of it than asked for.

A small file may announce, or hold, days of sound, and a playlist may name other files: here nothing is opened but the
bytes given, and decoding stops at the longest length allowed.
"""

import io
from collections.abc import Iterator

import numpy as np

from stages.errors import AudioError
from stages.records import Wave

_CONTAINERS = "aac,ac3,aiff,amr,ape,asf,au,caf,flac,matroska,webm,mov,mp3,mp4,m4a,ogg,tta,wav,w64,wv"
"""What PyAV may take the bytes for: containers that hold their own sound."""
_RATES = 1_000, 768_000
"""Lowest and highest rate in Hz."""
_BLOCK_VALUES = 1 << 20


def decode(data: bytes, *, name: str, max_s: float) -> tuple[Wave, int]:
    """Decodes a file that lies in memory, mixed down to mono.

    Args:
        data: The file, in any common format.
        name: What messages call it.
        max_s: Longest sound, in seconds.

    Returns:
        The wave, `[samples]` float32 in [-1, 1], and its rate in Hz.

    Raises:
        AudioError: if the bytes aren't audio, are broken, empty or too long, or hold NaN or infinity.
    """
    import soundfile

    if not data:
        raise AudioError(f"`{name}` must hold audio, but is empty (0 bytes).", "EmptyFile")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = _checked_rate(int(file.samplerate), name)
            wave = _joined(_blocks(file), rate, max_s, name)
    except (soundfile.LibsndfileError, ValueError):
        wave, rate = _decode_with_av(data, max_s, name)
    if not len(wave):
        raise AudioError(f"`{name}` must hold audio, but holds no samples.", "NoAudio")
    if not np.isfinite(wave).all():
        raise AudioError(f"`{name}` must hold finite samples, but holds NaN or infinity. Export it again.", "NotFinite")
    return wave, rate


def _blocks(file: "soundfile.SoundFile") -> Iterator[Wave]:  # type: ignore[name-defined]  # noqa: F821
    frames = max(1, _BLOCK_VALUES // file.channels)
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        yield block.mean(axis=1, dtype=np.float32)


def _decode_with_av(data: bytes, max_s: float, name: str) -> tuple[Wave, int]:
    import av

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": ""}
    try:
        with av.open(io.BytesIO(data), options=options) as container:
            stream = container.streams.audio[0]
            rate = _checked_rate(int(stream.codec_context.sample_rate), name)
            resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
            frames = (part for frame in container.decode(stream) for part in resampler.resample(frame))
            # The mean, as recordings are read: FFmpeg's own mono of two equal channels is 1.4 times as loud.
            return _joined((frame.to_ndarray().mean(axis=0) for frame in frames), rate, max_s, name), rate
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise AudioError(f"`{name}` can't be read as audio. Send WAV, FLAC, MP3 or Ogg.", "NotAudio") from error


def _checked_rate(rate: int, name: str) -> int:
    lowest, highest = _RATES
    if not lowest <= rate <= highest:
        raise AudioError(f"`{name}` must have a rate of {lowest} to {highest} Hz, but has {rate} Hz.", "BrokenHeader")
    return rate


def _joined(blocks: Iterator[Wave], rate: int, max_s: float, name: str) -> Wave:
    """Joins blocks of samples; raises `AudioError` as soon as they are too long."""
    parts, most, samples = [], round(max_s * rate), 0
    for block in blocks:
        samples += len(block)
        if samples > most:
            raise AudioError(f"`{name}` must be at most {max_s:g} s long, but is longer. Cut it.", "TooLong")
        parts.append(block)
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
