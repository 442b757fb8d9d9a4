"""Reads, resamples and writes audio. No other module imports soundfile or PyAV.

soundfile reads WAV, FLAC, MP3, Ogg, Opus and AIFF; PyAV reads the rest (M4A, AAC, WMA, WebM, video files). Waves are
mono, float32 in [-1, 1], at the file's own rate. Recordings are never changed.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError, blame_machine
from stages.records import Wave
from stages.tar.members import check_whole, member_file, open_file, stamp

if TYPE_CHECKING:
    import soundfile

SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
    | {".m4a", ".aac", ".mp4", ".m4b", ".webm", ".mka", ".mkv", ".mov", ".wma", ".amr", ".3gp", ".ac3", ".mp2"}
    | {".wv", ".ape", ".tta"}
)
"""Suffixes, in lower case, that a scan counts as recordings."""

_EXACT_SEEK = frozenset({"WAV", "WAVEX", "FLAC", "AIFF", "AU", "CAF", "W64", "RF64"})
"""Containers in which soundfile seeks to the exact sample. Of others the whole file is decoded for a cut."""

_SHORT_CHUNK = re.compile(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_SAMPLES = 1 << 62
"""libsndfile's length of a FLAC file that was written to a pipe is greater."""
_STREAMED = 0x7FFF0000
"""Programs that write to a pipe don't know the length, and announce this one or a greater one."""


_CANCELLED = 1e-3
"""Channels cancel if their mean has a smaller share of the power of the strongest one (-30 dB)."""
_AS_STRONG = 0.99
"""Channels of at least this share of the strongest one's power are as strong."""

_MAGIC = frozenset({b"fLaC", b"OggS", b"ID3\x03", b"ID3\x04", b"FORM", b"caff", b"wvpk", b"MAC "})
"""The first four bytes of audio files."""
Channels = npt.NDArray[np.float32]
"""`[samples, channels]`."""
_RIFF = frozenset({b"RIFF", b"RF64"})
"""The first four bytes of WAV files; bytes 8 to 12 are `WAVE`."""
_OPENING = {FileNotFoundError: "NotThere", PermissionError: "NoPermission", IsADirectoryError: "NoFile"}
"""Reject reasons for files that can't be opened; any other error is `UnreadableAudio`."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The audio properties in a file's header."""

    sample_rate: int
    """Hz."""
    samples: int
    """Length per channel. In lossy formats decoding may give a few samples fewer."""
    channels: int


def probe(path: Path) -> AudioInfo:
    """Reads the header of an audio file.

    Raises:
        AudioError: if the file is missing, unreadable or not audio.
    """
    import soundfile

    _check_file(path)
    with suppress(soundfile.LibsndfileError), soundfile.SoundFile(member_file(path) or os.fsencode(path)) as file:
        if file.frames < _UNKNOWN_SAMPLES:
            return AudioInfo(file.samplerate, file.frames, file.channels)
    data, rate = _decode_with_av(path)
    return AudioInfo(rate, len(data), 1)


def read(path: Path, start_samples: int = 0, end_samples: int | None = None) -> tuple[Wave, int]:
    """Reads a recording, or a cut of it, mixed down to mono.

    The wave is the mean of the channels. Where they cancel each other (one is wired with the opposite phase), it is the
    strongest channel alone; see `channels_cancel`.

    Args:
        path: An audio file in any common format.
        start_samples: First sample, at the file's own rate.
        end_samples: One past the last sample; None for the end of the file.

    Returns:
        The wave, `[samples]` float32 in [-1, 1], and its rate in Hz.

    Raises:
        AudioError: if the file is missing, unreadable, not audio or empty, holds NaN or infinity, or ends before the
            cut does.
    """
    import soundfile

    _check_file(path)
    try:
        with soundfile.SoundFile(member_file(path) or os.fsencode(path)) as file:
            if file.format in _EXACT_SEEK and (start_samples or end_samples is not None):
                wave, rate = _read_cut(file, start_samples, end_samples), file.samplerate
            else:
                wave, rate, _ = _whole(path, *stamp(path))
                wave = wave[start_samples:end_samples]
    except soundfile.LibsndfileError:
        wave, rate, _ = _whole(path, *stamp(path))
        wave = wave[start_samples:end_samples]
    wanted = None if end_samples is None else end_samples - start_samples
    if wanted is not None and len(wave) != wanted:
        raise AudioError(
            f"`{path}` must hold samples {start_samples} to {end_samples}, but ends after {start_samples + len(wave)}."
            " It is truncated or has changed since it was transcribed: run `valle-prep transcribe` again.",
            "Truncated",
        )
    if not len(wave):
        raise AudioError(f"`{path}` must hold audio, but holds no samples. Remove it or record it again.", "NoAudio")
    if not np.isfinite(wave).all():
        raise AudioError(f"`{path}` must hold finite samples, but holds NaN or infinity. Export it again.", "NotFinite")
    return wave, rate


def read_complete(path: Path, *, named_by: str = "") -> tuple[Wave, int]:
    """Reads a whole recording as `read` does, and checks that it is as long as its header says.

    Args:
        path: The recording.
        named_by: The table or file that names it, for the message if it is missing.

    Raises:
        AudioError: as `read`, and if the file ends more than 0.1 s before the end that its header announces.
    """
    _check_file(path, named_by)
    wave, rate = read(path)
    announced = _announced_samples(path)
    if announced - len(wave) > rate // 10:
        raise AudioError(
            f"`{path}` must hold the {announced / rate:.2f} s that its header announces, but breaks off after"
            f" {len(wave) / rate:.2f} s. Copy it again.",
            "Truncated",
        )
    return wave, rate


def channels_cancel(path: Path) -> bool:
    """Returns whether the mean of a recording's channels is silent though they aren't, so that `read` takes one.

    After `read` of the whole recording this decodes nothing again. Raises `AudioError` if it can't be read.
    """
    _check_file(path)
    return _whole(path, *stamp(path))[2]


def resample(wave: Wave, from_rate: int, to_rate: int) -> Wave:
    """Resamples a wave (soxr, high quality). Returns the same array if the rates are equal."""
    if from_rate == to_rate:
        return wave
    import soxr

    return np.asarray(soxr.resample(wave, from_rate, to_rate), dtype=np.float32)


def read_at(path: Path, sample_rate: int) -> Wave:
    """Reads a whole recording, mono, at `sample_rate` Hz. Raises as `read` does."""
    wave, rate = read(path)
    return resample(wave, rate, sample_rate)


def amplified(wave: Wave, gain_db: float) -> Wave:
    """Returns the wave with a gain in dB applied; the same array if it is 0."""
    return wave * np.float32(10 ** (gain_db / 20)) if gain_db else wave


def read_cut(path: Path, start_samples: int, end_samples: int, sample_rate: int, *, gain_db: float = 0.0) -> Wave:
    """Reads a cut of a recording, mono, at `sample_rate` Hz, with a gain applied.

    Raises:
        AudioError: as `read`, and if at that rate no sample is left, or one is not finite.
    """
    wave, rate = read(path, start_samples, end_samples)
    wave = resample(amplified(wave, gain_db), rate, sample_rate)
    if not len(wave) or not np.isfinite(wave).all():
        raise AudioError(
            f"`{path}` must hold at least one finite sample at {sample_rate} Hz, but its cut from {start_samples} to"
            f" {end_samples} holds {len(wave)} samples, or too large ones."
        )
    return wave


def write_wav(path: Path, wave: Wave, sample_rate: int) -> None:
    """Writes a mono 16-bit WAV file; samples outside [-1, 1] are clipped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_of(wave, sample_rate))  # libsndfile itself doesn't report a full disk


def wav_of(wave: Wave, sample_rate: int) -> bytes:
    """Encodes a wave as a mono 16-bit WAV file; samples outside [-1, 1] are clipped."""
    return _file_of(wave, sample_rate, "WAV")


def flac_of(wave: Wave, sample_rate: int) -> bytes:
    """Encodes a wave as a mono 16-bit FLAC file; samples outside [-1, 1] are clipped."""
    return _file_of(wave, sample_rate, "FLAC")


def _file_of(wave: Wave, sample_rate: int, kind: str) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(wave, -1.0, 1.0), sample_rate, subtype="PCM_16", format=kind)
    return file.getvalue()


def _check_file(path: Path, named_by: str = "") -> None:
    try:
        with open_file(path) as file:
            empty = not file.read(1)
        check_whole(path)
    except OSError as error:
        blame_machine(error)
        reason = _OPENING.get(type(error), "UnreadableAudio")
        hint = "Check the path and its permissions."
        if named_by and isinstance(error, FileNotFoundError) and not path.is_symlink():
            hint = f"`{named_by}` names it: add the file, or correct the row."
        raise AudioError(f"`{path}` can't be read: {error.strerror}. {hint}", reason) from error
    if empty:
        raise AudioError(f"`{path}` must hold audio, but is empty (0 bytes). Remove it or copy it again.", "EmptyFile")


@lru_cache(maxsize=1)
def _whole(path: Path, _size: int, _mtime_ns: int) -> tuple[Wave, int, bool]:
    """Decodes a whole file; returns the mono wave, its rate, and whether its channels cancel each other.

    The last one is cached, so that all cuts of a recording decode it once.

    Size and modification time are part of the cache's key: a changed file is decoded again.
    """
    import soundfile

    data = None
    with suppress(soundfile.LibsndfileError), soundfile.SoundFile(member_file(path) or os.fsencode(path)) as file:
        if file.frames < _UNKNOWN_SAMPLES:
            data, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    if data is None:
        data, rate = _decode_with_av(path)
    wave, cancelled = _mono(data)
    wave.flags.writeable = False
    return wave, rate, cancelled


def _announced_samples(path: Path) -> int:
    """Returns the number of samples that the header announces; 0 if soundfile can't read the file.

    If a chunk claims to be longer than the file, libsndfile reports the samples present, and the claim only in its log.
    """
    import soundfile

    try:
        with soundfile.SoundFile(member_file(path) or os.fsencode(path)) as file:
            frames, log = int(file.frames), file.extra_info
    except soundfile.LibsndfileError:
        return 0
    if frames >= _UNKNOWN_SAMPLES:
        return 0
    short = _SHORT_CHUNK.search(log)
    if not short or int(short[1]) >= _STREAMED:
        return frames
    return frames * int(short[1]) // max(int(short[2]), 1)


def _read_cut(file: "soundfile.SoundFile", start_samples: int, end_samples: int | None) -> Wave:
    if start_samples > file.frames:
        return np.zeros(0, np.float32)
    file.seek(start_samples)
    count = -1 if end_samples is None else end_samples - start_samples
    return _mono(file.read(count, dtype="float32", always_2d=True))[0]


def _mono(data: Channels) -> tuple[Wave, bool]:
    """Mixes channels `[samples, channels]` down; returns the wave, and whether they cancel each other."""
    if data.shape[1] == 1 or not len(data):
        return np.ascontiguousarray(data[:, 0]), False
    mean = np.ascontiguousarray(data.mean(axis=1, dtype=np.float32))
    powers = np.einsum("tc,tc->c", data, data)
    if not float(np.dot(mean, mean)) < _CANCELLED * float(powers.max()):
        return mean, False
    # Which of two opposite channels has the right phase can't be told: of equally strong ones, the last is taken.
    strongest = np.flatnonzero(powers >= _AS_STRONG * powers.max())[-1]
    return np.ascontiguousarray(data[:, strongest]), True


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


def _decode_with_av(path: Path) -> tuple[Channels, int]:
    import av

    with _av_errors(path), av.open(member_file(path) or str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        frames = [out for frame in container.decode(stream) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
        planes = [frame.to_ndarray() for frame in frames]
    if not planes:
        raise AudioError(f"`{path}` must hold audio, but its audio track is empty. Convert it or remove it.", "NoAudio")
    return np.concatenate(planes, axis=1).T, rate
