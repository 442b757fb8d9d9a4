"""Encodes waves as files of common formats: whole, or piece by piece while they are made.

WAV and PCM are written here; MP3, Opus (in Ogg) and FLAC by PyAV. All are mono.
"""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from stages.audio.files import resample, sixteen_bit
from stages.errors import UsageError
from stages.records import Wave

FormatName = Literal["mp3", "opus", "flac", "wav", "pcm"]


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table of formats."""

    media_type: str
    codec: str = ""
    """PyAV's encoder; "" for 16-bit samples as they are, little-endian."""
    muxer: str = ""
    rates: frozenset[int] = frozenset()
    """Rates in Hz that it takes; empty: any."""
    otherwise: int = 0
    """The rate, in Hz, for waves of another."""
    bit_rate: int = 0
    """Bits per second; 0: the encoder's own."""
    streamed: Mapping[str, str] = field(default_factory=dict)
    """Options of the muxer where it can't go back to write what it learns at the end."""


_MP3_RATES = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
_OPUS_RATES = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
FORMATS: Mapping[FormatName, Format] = {
    # Without a Xing frame: written before the length is known, it would tell players to stop early.
    "mp3": Format("audio/mpeg", "libmp3lame", "mp3", _MP3_RATES, 48_000, 64_000, {"write_xing": "0"}),
    "opus": Format("audio/opus", "libopus", "ogg", _OPUS_RATES, 48_000, 32_000, {"page_duration": "100000"}),
    "flac": Format("audio/flac", "flac", "flac"),
    "wav": Format("audio/wav"),
    "pcm": Format("audio/pcm", rates=frozenset({24_000}), otherwise=24_000),
}
"""The formats by name. Headerless PCM is always at 24 kHz, which OpenAI's clients take for granted."""

_UNKNOWN = 0xFFFFFFFF
"""Length in the header of a WAV file that is still being made."""


def encode(wave: Wave, sample_rate: int, name: FormatName) -> bytes:
    """Encodes a whole wave.

    Args:
        wave: `[samples]` float in [-1, 1]; samples outside are clipped.
        sample_rate: Hz. Where the format doesn't take this rate, the wave is resampled.
        name: The format.

    Returns:
        The file's bytes.

    Raises:
        UsageError: if there is no such format.
    """
    form = format_named(name)
    wave = resample(wave, sample_rate, rate := encoded_rate(sample_rate, name))
    if not form.codec:
        samples = sixteen_bit(wave).tobytes()
        return (wav_header(rate, len(samples)) if name == "wav" else b"") + samples
    sink = io.BytesIO()
    encoder = _Muxed(sink, form, rate, {})
    encoder.write(wave)
    encoder.close()
    return sink.getvalue()


def format_named(name: str) -> Format:
    """Returns the format of a name; raises `UsageError` if there is none."""
    found: Mapping[str, Format] = dict(FORMATS.items())
    if name not in found:
        raise UsageError(f"`response_format` must be one of {', '.join(FORMATS)}, but is `{name}`.")
    return found[name]


def encoded_rate(sample_rate: int, name: FormatName) -> int:
    """Returns the rate in Hz at which waves of `sample_rate` are encoded."""
    form = FORMATS[name]
    return sample_rate if not form.rates or sample_rate in form.rates else form.otherwise


def wav_header(sample_rate: int, data_bytes: int | None = None) -> bytes:
    """Returns the 44 bytes before the samples of a mono 16-bit WAV file; the length is left open if not given."""
    data = _UNKNOWN if data_bytes is None else data_bytes
    whole = _UNKNOWN if data_bytes is None else 36 + data_bytes
    fields = (b"RIFF", whole, b"WAVEfmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16, b"data", data)
    return struct.pack("<4sI8sIHHIIHH4sI", *fields)


class StreamEncoder:
    """Encodes a wave that comes in chunks; the joined results are the file.

    Args:
        sample_rate: Of the chunks, in Hz.
        name: The format.

    Raises:
        UsageError: if there is no such format.

    Example:
        >>> encoder = StreamEncoder(24_000, "mp3")
        >>> file = b"".join([encoder.encode(first), encoder.encode(second), encoder.finish()])
    """

    def __init__(self, sample_rate: int, name: FormatName) -> None:
        form = format_named(name)
        rate = encoded_rate(sample_rate, name)
        self._resampler = _resampler(sample_rate, rate) if rate != sample_rate else None
        self._sink = _Drained()
        self._muxed = _Muxed(self._sink, form, rate, form.streamed) if form.codec else None
        if name == "wav":
            self._sink.write(wav_header(rate))

    def encode(self, chunk: Wave) -> bytes:
        """Encodes the next `[samples]`; returns what is ready, which may be nothing."""
        return self._take(chunk, last=False)

    def finish(self) -> bytes:
        """Ends the file; returns what was held back."""
        return self._take(np.zeros(0, np.float32), last=True)

    def _take(self, chunk: Wave, *, last: bool) -> bytes:
        if self._resampler is not None:
            chunk = np.asarray(self._resampler.resample_chunk(chunk.astype(np.float32), last), np.float32)
        if self._muxed is None:
            self._sink.write(sixteen_bit(chunk).tobytes())
        else:
            self._muxed.write(chunk)
            if last:
                self._muxed.close()
        return self._sink.drain()


def _resampler(from_rate: int, to_rate: int) -> Any:
    import soxr

    return soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")


class _Muxed:
    """An encoder of PyAV that writes to a file object."""

    def __init__(self, sink: "io.BytesIO | _Drained", form: Format, rate: int, options: Mapping[str, str]) -> None:
        import av

        self._rate = rate
        # Else Ogg's serial number would be drawn anew each time: the same wave gives the same file.
        self._container = av.open(sink, "w", format=form.muxer, options={"fflags": "bitexact", **options})
        self._stream = self._container.add_stream(form.codec, rate=rate, layout="mono")
        if form.bit_rate:
            self._stream.bit_rate = form.bit_rate
        self._written_samples = 0
        self._container.start_encoding()

    def write(self, wave: Wave) -> None:
        import av

        if not len(wave):
            return
        frame = av.AudioFrame.from_ndarray(sixteen_bit(wave)[None], format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._written_samples
        self._written_samples += len(wave)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _Drained:
    """A file object that can't seek, and gives away what was written to it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def drain(self) -> bytes:
        """Returns what was written since the last call."""
        taken, self._parts = b"".join(self._parts), []
        return taken
