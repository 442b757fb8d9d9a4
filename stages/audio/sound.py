"""Opens recordings: which decoder reads a file, at which scale, and which channel or mix of them is its mono wave.

Short recordings are held in memory, long ones are decoded as they are read (`Tape`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.audio.containers.table import shape_of
from stages.audio.decoder import Channels, Raw
from stages.audio.decoders import decoder_of
from stages.audio.scale import scale_of
from stages.audio.sndfile import SoundFileDecoder
from stages.audio.tape import KEPT_S, Samples, Tape
from stages.errors import AudioError
from stages.ids import Channel
from stages.records import Wave

WHOLE_S = 600.0
"""Seconds. Longer recordings aren't held in memory."""
_CANCELLED = 0.03
"""Channels cancel if their mean has a smaller share of the power of the strongest one (-15 dB). Beside a
silent channel it has a quarter."""
_AS_STRONG = 0.99
"""Channels of at least this share of the strongest one's power are as strong."""


class _Mix:
    """Adds up the powers of the channels and of their mean."""

    def __init__(self, channels: int) -> None:
        self._powers = np.zeros(channels)
        self._mean = 0.0

    def add(self, block: Channels, mean: Wave) -> None:
        self._powers += np.einsum("tc,tc->c", block, block)
        self._mean += float(np.dot(mean, mean))

    def alone(self) -> int | None:
        """Returns the channel that must be taken alone, since the mean of the channels is silent; None if it isn't."""
        if len(self._powers) == 1:
            return None
        strongest = float(self._powers.max())
        if not self._mean < _CANCELLED * strongest:
            return None
        # Which of two opposite channels has the right phase can't be told: of equally strong ones, the last is taken.
        return int(np.flatnonzero(self._powers >= _AS_STRONG * strongest)[-1])


def _taken(block: Channels, index: int | None) -> Wave:
    """Returns one channel, `[samples]`, or the mean of all."""
    if index is None and block.shape[1] > 1:
        return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
    return np.ascontiguousarray(block[:, index or 0])


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a wave once the file was decoded to its end."""

    samples: int
    alone: int | None
    """The channel that is taken because the mix of all is silent; None if none is."""
    finite: bool
    """Whether it is free of NaN and infinity."""
    silent: bool
    """Whether every sample is 0."""


class Sound:
    """An opened recording.

    Args:
        path: The file.
        raw: The told format of a file without a header.

    Raises:
        AudioError: if it can't be opened, breaks off, or has a scale that can't be told.
    """

    def __init__(self, path: Path, raw: Raw | None = None) -> None:
        shape = shape_of(path)
        if shape.fault:
            raise AudioError(f"`{path}` {shape.fault}", shape.reason)
        self._path = path
        self._decoder, overruled = decoder_of(path, shape, raw)
        self.rate = self._decoder.rate
        self.channels = self._decoder.channels
        self._shape = shape
        self._waves: dict[Channel, Samples] = {}
        self._known: dict[Channel, Known] = {}
        self._scale, told = scale_of(path, self._decoder.blocks()) if self._decoder.floats else (1.0, "")
        late = self._decoder.late_s
        self.marks = [
            *([f"in {len(shape.parts)} joined parts"] if shape.parts else []),
            *([f"by FFmpeg, since {overruled}"] if overruled else []),
            *([f"after {late:.3f} s without sound"] if late else []),
            *([told] if told else []),
            *([f"as {raw}"] if raw else []),
        ]
        """What is unusual in how the file is read, in words; known without decoding it."""

    @property
    def exact(self) -> bool:
        """Whether a cut can be read without decoding what is before."""
        return isinstance(self._decoder, SoundFileDecoder) and self._decoder.exact

    @property
    def announced(self) -> int | None:
        """The number of samples, without decoding; in lossy formats a few more or fewer. None if it isn't known."""
        if self._decoder.samples is not None:
            return self._decoder.samples
        return None if self._shape.seconds is None else round(self._shape.seconds * self.rate)

    def cut(self, start_samples: int, end_samples: int | None, channel: Channel) -> Wave:
        """Reads a cut of an `exact` recording."""
        assert isinstance(self._decoder, SoundFileDecoder)
        block, index = self._scaled(self._decoder.cut(start_samples, end_samples)), self._index(channel)
        wave = _taken(block, index)
        if index is not None or self.channels == 1:
            return wave
        mix = _Mix(self.channels)
        mix.add(block, wave)
        alone = mix.alone()
        return wave if alone is None else _taken(block, alone)

    def wave(self, channel: Channel) -> Samples:
        """Returns the mono wave: an array, or for a long recording a `Tape`. Decodes the file once, if it must.

        Raises:
            AudioError: if the file is damaged or breaks off, or if there is no such channel.
        """
        if channel not in self._waves:
            known, announced = self._known.get(channel), self._decoder.samples
            if known is not None and known.samples > self._most:
                taken = self._index(channel) if known.alone is None else known.alone
                self._waves[channel] = self._tape(taken, known.samples)
            elif announced is not None and announced > self._most and (channel != "mix" or self.channels == 1):
                self._waves[channel] = self._tape(self._index(channel), announced)
            else:
                self._waves[channel] = self._decoded(channel)
        return self._waves[channel]

    def known(self, channel: Channel) -> Known:
        """Returns what decoding the file to its end tells of a wave. Raises as `wave` does."""
        if channel not in self._known:
            self._waves[channel] = self._decoded(channel)
        return self._known[channel]

    def forget(self) -> None:
        """Frees the waves."""
        self._waves.clear()

    @property
    def _most(self) -> int:
        return round(WHOLE_S * self.rate)

    def _tape(self, index: int | None, samples: int) -> Tape:
        return Tape(lambda: self._mono(index), samples, round(KEPT_S * self.rate))

    def _decoded(self, channel: Channel) -> Samples:
        index, mix, most = self._index(channel), _Mix(self.channels), self._most
        kept: list[Wave] = []
        samples, finite, silent = 0, True, True
        for block in self._blocks():
            wave = _taken(block, index)
            if index is None and self.channels > 1:
                mix.add(block, wave)
            finite = finite and bool(np.isfinite(wave).all())
            silent = silent and not wave.any()
            samples += len(wave)
            if samples <= most:
                kept.append(wave)
            else:
                kept.clear()
        alone = mix.alone()
        self._known[channel] = Known(samples, alone, finite, silent and alone is None)
        taken = index if alone is None else alone
        if samples > most:
            return self._tape(taken, samples)
        if alone is not None:
            kept = list(self._mono(alone))
        whole = kept[0] if len(kept) == 1 else np.concatenate([np.zeros(0, np.float32), *kept])
        whole.flags.writeable = False
        return whole

    def _mono(self, index: int | None) -> Iterator[Wave]:
        for block in self._blocks():
            yield _taken(block, index)

    def _blocks(self) -> Iterator[Channels]:
        for block in self._decoder.blocks():
            yield self._scaled(block)

    def _scaled(self, block: Channels) -> Channels:
        return block if self._scale == 1 else block * np.float32(self._scale)

    def _index(self, channel: Channel) -> int | None:
        if channel == "mix":
            return None
        index = 0 if channel == "left" else 1
        if index >= self.channels:
            raise AudioError(
                f"`{self._path}` must have two channels for `transcribe.channels: {channel}`, but has {self.channels}."
                " Set it to `mix`.",
                "NoChannel",
            )
        return index
