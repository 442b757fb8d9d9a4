"""Reads, resamples and writes audio. No other room imports soundfile or PyAV.

soundfile reads WAV, FLAC, MP3, Ogg, Opus, AIFF and SPHERE; PyAV reads the rest (M4A, AAC, WMA, WebM, AMR, Speex, video
files), and files of which libsndfile would read a part only. What a file is, its content says, not its name. Waves are
mono, float32 in [-1, 1], at the file's own rate. Recordings are never changed.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stages.audio.containers.table import shape_of
from stages.audio.decoder import RAW_CODINGS, Channels, Raw
from stages.audio.sound import Sound
from stages.audio.tape import KEPT_S, Samples, Tape, stretches
from stages.errors import AudioError, blame_machine
from stages.ids import Place
from stages.records import Wave
from stages.tar.members import check_whole, open_file, stamp

SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
    | {".m4a", ".aac", ".mp4", ".m4b", ".webm", ".mka", ".mkv", ".mov", ".wma", ".amr", ".3gp", ".ac3", ".mp2"}
    | {".wv", ".ape", ".tta", ".sph", ".nist", ".spx", ".g722", ".gsm", ".3g2", ".awb"}
)
"""Suffixes, in lower case, that a scan counts as recordings."""
RAW_SUFFIXES = frozenset({".raw", ".pcm", ".ulaw", ".ul", ".alaw", ".al", ".sln"})
"""Suffixes of files without a header, which count as recordings if their format is told."""

_SHORTEST_S = 0.1
"""Seconds. No recording of a word is shorter."""
_STRETCH_S = 60
"""Seconds of a long recording that are gone through at a time."""
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
    reading: str | None = None
    """What is unusual in how the file was read, in words; None if nothing is, or if only its header was read."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A recording that was decoded to its end."""

    path: Path
    wave: Samples
    """Mono, in [-1, 1]: an array, or for a long recording a `Tape`, which decodes again what is read."""
    sample_rate: int
    """Hz."""
    silent: bool
    """Whether every sample is 0."""
    reading: str | None
    """What is unusual in how it was read, in words; None if nothing is."""

    @property
    def info(self) -> AudioInfo:
        """Its rate and length, and how it was read."""
        return AudioInfo(self.sample_rate, len(self.wave), 1, self.reading)

    def check_speakable(self) -> None:
        """Raises `AudioError` if it can't hold speech: it is too short, or every sample is 0."""
        if len(self.wave) < _SHORTEST_S * self.sample_rate:
            found = f"{len(self.wave) / self.sample_rate:.3f} s"
            raise AudioError(
                f"`{self.path}` must last at least {_SHORTEST_S} s, but lasts {found}. Remove it.", "TooShort"
            )
        if self.silent:
            raise AudioError(
                f"`{self.path}` must hold sound, but every sample is 0. Remove it or record it again.", "Silent"
            )

    def resampled(self, sample_rate: int) -> Samples:
        """Returns the wave at another rate, as `resample` does."""
        return resampled(self.wave, self.sample_rate, sample_rate)


def probe(where: Path | Place) -> AudioInfo:
    """Reads the header of an audio file.

    Raises:
        AudioError: if the file is missing, unreadable or not audio.
    """
    sound = _opened(where)
    samples = len(_held(sound).wave("mix")) if sound.announced is None else sound.announced
    return AudioInfo(sound.rate, samples, sound.channels)


def read(where: Path | Place, start_samples: int = 0, end_samples: int | None = None) -> tuple[Wave, int]:
    """Reads a recording, or a cut of it, mixed down to mono.

    The wave is the mean of the channels. Where they cancel each other (one is wired with the opposite phase), it is the
    strongest channel alone; see `channels_cancel`. A `Place` may name one channel.

    Args:
        where: An audio file in any common format.
        start_samples: First sample, at the file's own rate.
        end_samples: One past the last sample; None for the end of the file.

    Returns:
        The wave, `[samples]` float32 in [-1, 1], and its rate in Hz.

    Raises:
        AudioError: if the file is missing, unreadable, not audio or empty, breaks off or goes on after its end, holds
            NaN or infinity or samples of an unknown scale, or ends before the cut does.
    """
    place = _place(where)
    sound = _opened(place)
    if sound.exact and (start_samples or end_samples is not None):
        wave = sound.cut(start_samples, end_samples, place.channel)
    else:
        wave = _held(sound).wave(place.channel)[start_samples:end_samples]
    wanted = None if end_samples is None else end_samples - start_samples
    if wanted is not None and len(wave) != wanted:
        raise AudioError(
            f"`{place.path}` must hold samples {start_samples} to {end_samples}, but ends after"
            f" {start_samples + len(wave)}. It is truncated or has changed since it was transcribed: run"
            " `valle-prep transcribe` again.",
            "Truncated",
        )
    _check_samples(place.path, len(wave), finite=bool(np.isfinite(wave).all()))
    return wave, sound.rate


def listen(where: Path | Place, *, named_by: str = "") -> Decoded:
    """Decodes a recording to its end, and checks it on the way.

    Args:
        where: The recording.
        named_by: The table or file that names it, for the message if it is missing.

    Raises:
        AudioError: as `read`.
    """
    place = _place(where)
    sound = _held(_opened(place, named_by))
    known = sound.known(place.channel)
    _check_samples(place.path, known.samples, finite=known.finite)
    marks = list(sound.marks)
    if known.alone is not None:
        marks.append(f"channel {known.alone + 1} of {sound.channels}, since the mix of all is silent")
    return Decoded(place.path, sound.wave(place.channel), sound.rate, known.silent, "; ".join(marks) or None)


def read_complete(where: Path | Place, *, named_by: str = "") -> tuple[Wave, int]:
    """Reads a whole recording as `read` does. Raises as `listen` does."""
    heard = listen(where, named_by=named_by)
    return heard.wave[:], heard.sample_rate


def unusual(where: Path | Place, *, mixes: bool) -> list[str]:
    """Returns what is unusual in how a recording is read, or why it isn't, without decoding it; [] for most.

    Args:
        where: The recording.
        mixes: Whether several channels are unusual too: decoding may show that they cancel each other.
    """
    try:
        sound = _opened(where)
    except AudioError as error:
        return [error.reason]
    return [*sound.marks, *([f"mix of {sound.channels}"] if mixes and sound.channels > 1 else [])]


def channels_in(where: Path | Place) -> int:
    """Returns the number of channels. Raises `AudioError` if the file can't be opened."""
    return _opened(where).channels


def channels_cancel(where: Path | Place) -> bool:
    """Returns whether the mean of a recording's channels is silent though they aren't, so that `read` takes one.

    After `read` of the whole recording this decodes nothing again. Raises `AudioError` if it can't be read.
    """
    place = _place(where)
    return _held(_opened(place)).known(place.channel).alone is not None


def parse_raw(told: str) -> Raw:
    """Reads the format of files without a header: coding, rate in Hz and number of channels, as in `s16le 8000 1`.

    Raises:
        ValueError: if it isn't one.
    """
    parts = told.split()
    if len(parts) != 3 or parts[0] not in RAW_CODINGS or not all(part.isdigit() and int(part) for part in parts[1:]):
        codings = ", ".join(sorted(RAW_CODINGS))
        raise ValueError(f"must be a coding ({codings}), a rate in Hz and a number of channels, but is {told!r}")
    return Raw(parts[0], int(parts[1]), int(parts[2]))


def resample(wave: Wave, from_rate: int, to_rate: int) -> Wave:
    """Resamples a wave (soxr, high quality). Returns the same array if the rates are equal."""
    if from_rate == to_rate:
        return wave
    import soxr

    return np.asarray(soxr.resample(wave, from_rate, to_rate), dtype=np.float32)


def resampled(wave: Samples, from_rate: int, to_rate: int) -> Samples:
    """Resamples a wave as `resample` does; a `Tape` gives another, with the same samples."""
    if from_rate == to_rate:
        return wave
    if not isinstance(wave, Tape):
        return resample(wave[:], from_rate, to_rate)
    samples = (2 * len(wave) * to_rate + from_rate) // (2 * from_rate)
    tape = wave.again()
    return Tape(lambda: _resampled_blocks(tape, from_rate, to_rate), samples, round(KEPT_S * to_rate))


def _resampled_blocks(wave: Tape, from_rate: int, to_rate: int) -> Iterator[Wave]:
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    for part in stretches(wave, from_rate * _STRETCH_S):
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def read_at(where: Path | Place, sample_rate: int) -> Wave:
    """Reads a whole recording, mono, at `sample_rate` Hz. Raises as `read` does."""
    wave, rate = read(where)
    return resample(wave, rate, sample_rate)


def amplified(wave: Wave, gain_db: float) -> Wave:
    """Returns the wave with a gain in dB applied; the same array if it is 0."""
    return wave * np.float32(10 ** (gain_db / 20)) if gain_db else wave


def read_cut(
    where: Path | Place, start_samples: int, end_samples: int, sample_rate: int, *, gain_db: float = 0.0
) -> Wave:
    """Reads a cut of a recording, mono, at `sample_rate` Hz, with a gain applied.

    Raises:
        AudioError: as `read`, and if at that rate no sample is left, or one is not finite.
    """
    path = _place(where).path
    wave, rate = read(where, start_samples, end_samples)
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


def write_flac(path: Path, blocks: Iterable[Channels], sample_rate: int, channels: int) -> None:
    """Writes blocks of samples, `[samples, channels]` in [-1, 1], as a 24-bit FLAC file, without holding them all.

    Raises:
        OSError: if the file can't be written.
    """
    import soundfile

    with path.open("wb") as file:
        noted = _Noted(file)
        with soundfile.SoundFile(noted, "w", sample_rate, channels, "PCM_24", format="FLAC") as out:
            for block in blocks:
                out.write(twenty_four_bit(block) * 256)  # of 32 bits, libsndfile takes the upper 24
        if noted.failed:  # libsndfile itself doesn't report a full disk
            raise noted.failed


class _Noted:
    """A file that remembers the first error in writing to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failed: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, content: bytes) -> int:
        """Writes, and returns how much of it."""
        try:
            return self._file.write(content)
        except OSError as error:
            self.failed = self.failed or error
            return len(content)


def twenty_four_bit(block: Channels) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    """Returns samples in [-1, 1] as the nearest of 2^24 steps."""
    return np.clip(np.rint(block.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype("<i4")


def _file_of(wave: Wave, sample_rate: int, kind: str) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, sixteen_bit(wave), sample_rate, subtype="PCM_16", format=kind)
    return file.getvalue()


def sixteen_bit(wave: Wave) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Returns samples in [-1, 1] as the nearest of 65,536 steps: reading them again divides by 32,768.

    libsndfile itself would round down in WAV files, and to the nearest in FLAC files.
    """
    steps: Wave = np.rint(wave * 32_768)
    return np.clip(steps, -32_768, 32_767).astype("<i2")


def _check_file(path: Path, named_by: str = "") -> None:
    try:
        with open_file(path) as file:
            empty = not file.read(1)
    except OSError as error:
        blame_machine(error)
        reason = _OPENING.get(type(error), "UnreadableAudio")
        hint = "Check the path and its permissions."
        if named_by and isinstance(error, FileNotFoundError) and not path.is_symlink():
            hint = f"`{named_by}` names it: add the file, or correct the row."
        raise AudioError(f"`{path}` can't be read: {error.strerror}. {hint}", reason) from error
    if empty:
        raise AudioError(f"`{path}` must hold audio, but is empty (0 bytes). Remove it or copy it again.", "EmptyFile")


def _place(where: Path | Place) -> Place:
    return where if isinstance(where, Place) else Place(where)


def _check_samples(path: Path, samples: int, *, finite: bool) -> None:
    if not samples:
        raise AudioError(f"`{path}` must hold audio, but holds no samples. Remove it or record it again.", "NoAudio")
    if not finite:
        raise AudioError(f"`{path}` must hold finite samples, but holds NaN or infinity. Export it again.", "NotFinite")


def _opened(where: Path | Place, named_by: str = "") -> Sound:
    place = _place(where)
    try:
        size, changed_ns = stamp(place.path)
        sound = _sound(place.path, place.raw, size, changed_ns) if size else None
    except OSError:
        sound = None
    if sound is None:
        _check_file(place.path, named_by)
        sound = _sound(place.path, place.raw, *stamp(place.path))
    return sound


@lru_cache(maxsize=1024)
def _sound(path: Path, raw: str, _size: int, _mtime_ns: int) -> Sound:
    """Opens a file; size and modification time are part of the key: a changed file is opened again."""
    check_whole(path)
    headless = path.suffix.lower() in RAW_SUFFIXES
    if headless and not raw and not shape_of(path).container:
        raise AudioError(
            f"`{path}` must have a header, or a format that is told, but has neither. Set `transcribe.raw`, such as"
            " `s16le 8000 1`.",
            "NoFormat",
        )
    return Sound(path, parse_raw(raw) if raw and headless else None)


_holding: list[Sound] = []
"""The recording whose wave is in memory: all cuts of one decode it once."""


def _held(sound: Sound) -> Sound:
    """Returns the recording, after the one that was held before has let go of its wave."""
    if _holding and _holding[0] is not sound:
        _holding.pop().forget()
    if not _holding:
        _holding.append(sound)
    return sound
