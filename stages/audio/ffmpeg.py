"""Decodes by FFmpeg (PyAV): what libsndfile doesn't read, or of which it would read a part only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stages.audio.containers.container import TOLERANCE_S
from stages.audio.containers.mpeg import Run, sounding
from stages.audio.decoder import BLOCK_VALUES, HEADLESS, Channels, Raw, broken_off, check_same
from stages.errors import AudioError
from stages.tar.members import member_file, open_file

_DECODER_DELAY = 529
"""Samples by which MP3 decoders are late."""
_LEAST_LATE_S = 0.005
"""Seconds. A track that begins later than its file by less begins with it: its times were rounded."""


class AvDecoder:
    """Decodes by FFmpeg.

    Args:
        path: The file.
        demuxer: FFmpeg's name of the container; None: FFmpeg finds it.
        seconds: The length that the file's structure has, if known; decoding much less is an error.
        raw: The format of a file without a header.

    Raises:
        AudioError: if it can't be opened.
    """

    def __init__(self, path: Path, demuxer: str | None, seconds: float | None, raw: Raw | None = None) -> None:
        self._path = path
        self._demuxer = demuxer
        self._seconds = seconds
        self._raw = raw
        with _av_errors(path), self._opened() as container:
            stream = container.streams.audio[0]
            self.rate, self.channels = int(stream.codec_context.sample_rate), int(stream.codec_context.channels)
            self.floats = stream.codec_context.name.startswith("pcm_f")
            late = _late_s(container, stream)
            self.samples: int | None = None
            if demuxer in {"wv", "ape"} and stream.duration and seconds is None:
                self._seconds = float(stream.duration * stream.time_base)
        if not self.rate or not self.channels:
            raise AudioError(f"`{path}` can't be read as audio: its track has no rate. Convert it.", "BrokenHeader")
        self.late_s = late if late >= _LEAST_LATE_S else 0.0
        """Seconds by which the track begins later than the file."""

    def _opened(self) -> Any:
        import av

        options = {}
        if raw := self._raw:
            options = {"sample_rate": str(raw.rate)} if raw.coding != "g722" else {}
            if raw.coding in HEADLESS:
                options["ch_layout"] = {1: "mono", 2: "stereo"}.get(raw.channels, f"{raw.channels}c")
        return av.open(member_file(self._path) or str(self._path), format=self._demuxer, options=options)

    def blocks(self) -> Iterator[Channels]:
        """Decodes the file from its start; where its track begins late in a video, silence comes first."""
        if late := round(self.late_s * self.rate):
            yield np.zeros((late, self.channels), np.float32)
        done = 0
        for block in _joined(self._decoded()):
            done += len(block)
            yield block
        if not done:
            raise AudioError(
                f"`{self._path}` must hold audio, but its audio track is empty. Convert it or remove it.", "NoAudio"
            )
        if self._seconds is not None and self._seconds - done / self.rate > TOLERANCE_S:
            raise broken_off(self._path, self._seconds, done / self.rate)

    def _decoded(self) -> Iterator[Channels]:
        """Yields `[channels, samples]`."""
        import av

        with _av_errors(self._path), self._opened() as container:
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=self.rate)
            for packet in container.demux(stream):
                for frame in packet.decode():
                    check_same(self._path, self, frame.sample_rate, frame.layout.nb_channels)
                    yield from (part.to_ndarray() for part in resampler.resample(frame))
            yield from (part.to_ndarray() for part in resampler.resample(None))


class FrameDecoder:
    """Decodes MP3 frame by frame: all frames that hold sound, each joined part without the padding at its ends.

    FFmpeg's demuxer believes the first header, and takes a tag between two parts for sound.

    Args:
        path: The file.
        layer: 3 for MP3, 2 for MP2.
        seconds: Its length.
    """

    floats = False
    late_s = 0.0

    def __init__(self, path: Path, layer: int, seconds: float) -> None:
        self._path = path
        self._codec = f"mp{layer}float"
        first = next(self._frames(), None)
        if first is None:
            raise AudioError(f"`{path}` begins as audio does, but can't be read. Copy it again.", "BrokenHeader")
        self.rate, self.channels = int(first[1].sample_rate), int(first[1].layout.nb_channels)
        self.samples: int | None = round(seconds * self.rate)

    def blocks(self) -> Iterator[Channels]:
        """Decodes the file from its start."""
        yield from _joined(self._trimmed())

    def _trimmed(self) -> Iterator[Channels]:
        """Yields `[channels, samples]`."""
        now: Run | None = None
        nothing = np.zeros((self.channels, 0), np.float32)
        held, skip, hold = nothing, 0, 0
        for run, frame in self._frames():
            check_same(self._path, self, frame.sample_rate, frame.layout.nb_channels)
            if run is not now:
                told = run.delay + run.padding > 0
                skip = run.delay + _DECODER_DELAY if told else 0
                held, hold, now = nothing, max(0, run.padding - _DECODER_DELAY) if told else 0, run
            held = np.concatenate([held, frame.to_ndarray()], axis=1)
            ready = max(0, held.shape[1] - hold)
            yield held[:, min(skip, ready) : ready]
            skip, held = max(0, skip - ready), held[:, ready:]

    def _frames(self) -> Iterator[tuple[Run, Any]]:
        """Yields the frames with the run that each belongs to."""
        import av

        now: Run | None = None
        codec: Any = None
        with _av_errors(self._path):
            for run, data in sounding(self._path):
                if run is not now:
                    codec, now = av.CodecContext.create(self._codec, "r"), run
                for frame in codec.decode(av.Packet(data)):
                    yield run, frame


def _joined(parts: Iterator[Channels]) -> Iterator[Channels]:
    """Joins small parts `[channels, samples]` to blocks `[samples, channels]`."""
    waiting: list[Channels] = []
    values = 0
    for part in parts:
        waiting.append(part)
        values += part.size
        if values >= BLOCK_VALUES:
            yield np.concatenate(waiting, axis=1).T
            waiting, values = [], 0
    if waiting:
        yield np.concatenate(waiting, axis=1).T


def _late_s(container: Any, stream: Any) -> float:
    """Returns how much later than the file its audio begins, in seconds."""
    if stream.start_time is None or container.start_time is None or len(container.streams) == 1:
        return 0.0
    return float(stream.start_time * stream.time_base) - float(container.start_time) / 1_000_000


_MAGIC = frozenset({b"fLaC", b"OggS", b"ID3\x03", b"ID3\x04", b"FORM", b"caff", b"wvpk", b"MAC "})
"""The first four bytes of audio files."""
_RIFF = frozenset({b"RIFF", b"RF64"})
"""The first four bytes of WAV files; bytes 8 to 12 are `WAVE`."""


@contextmanager
def _av_errors(path: Path) -> Iterator[None]:
    import av

    try:
        yield
    except (av.FFmpegError, IndexError) as error:
        with open_file(path) as file:
            head = file.read(12)
        if head[:4] in _MAGIC or (head[:4] in _RIFF and head[8:] == b"WAVE"):
            raise AudioError(
                f"`{path}` begins as audio does, but can't be read: {error}. Copy it again.", "BrokenHeader"
            ) from error
        raise AudioError(f"`{path}` can't be read as audio: {error}. Convert it or remove it.", "NotAudio") from error
