"""Containers made of chunks with a length before each: WAV, RF64, AIFF, W64, CAF; and AU, which has a single one."""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stages.audio.containers.container import TOLERANCE_S, Bytes, Container, Shape, seconds

_STREAMED = 0x7FFF0000
"""Programs that write to a pipe don't know the length, and announce this one or a greater one."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    start: int
    """Of its content."""
    size: int
    """As announced."""

    @property
    def end(self) -> int:
        return self.start + self.size


Step = Callable[[Bytes, int], _Chunk | None]
"""Reads the header of the chunk at a position; None if there is none."""


def _riff(file: Bytes, at: int, *, little: bool) -> _Chunk | None:
    head = file.at(at, 8)
    if len(head) < 8 or not _is_name(head[:4]):
        return None
    return _Chunk(head[:4], at + 8, int.from_bytes(head[4:], "little" if little else "big"))


def _w64(file: Bytes, at: int) -> _Chunk | None:
    head = file.at(at, 24)
    if len(head) < 24 or not _is_name(head[:4]) or head[:4] == b"riff":
        return None
    return _Chunk(head[:4], at + 24, max(0, int.from_bytes(head[16:], "little") - 24))


def _caf(file: Bytes, at: int) -> _Chunk | None:
    head = file.at(at, 12)
    if len(head) < 12 or not _is_name(head[:4]):
        return None
    return _Chunk(head[:4], at + 12, int.from_bytes(head[4:], "big"))


def _is_name(name: bytes) -> bool:
    return all(0x20 <= letter < 0x7F for letter in name)


def _chunks(file: Bytes, start: int, step: Step, align: int) -> Iterator[_Chunk]:
    while start < file.size and (chunk := step(file, start)):
        yield chunk
        start = chunk.start + -(-chunk.size // align) * align


def _only_chunks(file: Bytes, start: int, step: Step, align: int) -> bool:
    """Returns whether well-formed chunks, or nothing, fill the file from `start` to its end."""
    end = start
    for chunk in _chunks(file, start, step, align):
        end = chunk.end
    return 0 <= file.size - end < align or start >= file.size


def _judged(name: str, file: Bytes, data: _Chunk, rate: float, *, goes_on: Callable[[int], bool]) -> Shape:
    """Returns the shape of a file whose sound is one chunk.

    Args:
        name: The container.
        file: The file.
        data: The chunk.
        rate: Bytes per second.
        goes_on: Returns whether something that may be sound follows at a position.
    """
    there = file.size - data.start
    if data.size >= _STREAMED and data.end > file.size:
        return Shape(name, soundfile=True, seconds=there / rate)
    if data.end > file.size + TOLERANCE_S * rate:
        announced = f"{seconds(data.size / rate)} that its header announces"
        return Shape(
            name, fault=f"must hold the {announced}, but breaks off after {seconds(there / rate)}. Copy it again."
        )
    if data.size == 0 and there > 0 and goes_on(data.start):
        return Shape(name, soundfile=True, seconds=there / rate)
    left = file.size - data.end
    if left > TOLERANCE_S * rate and goes_on(data.end) and goes_on(data.end + data.size % 2):
        told = f"{seconds(data.size / rate)}, but goes on for {left:,} bytes after that"
        return Shape(
            name, fault=f"must end where its header says, after {told}. Write it again as one file.", reason="GoesOn"
        )
    return Shape(name, soundfile=True)


def _follows(file: Bytes, step: Step, align: int) -> Callable[[int], bool]:
    def goes_on(start: int) -> bool:
        if file.at(start, 16).startswith(_TAGS):
            return False
        return not _only_chunks(file, start, step, align) and not _is_empty(file, start)

    return goes_on


def _is_empty(file: Bytes, start: int) -> bool:
    while block := file.at(start, 1 << 16):
        if block.strip(b"\0"):
            return False
        start += len(block)
    return True


def _wav(file: Bytes, start: int) -> Shape:
    little = file.at(start, 4) != b"RIFX"

    def step(file: Bytes, at: int) -> _Chunk | None:
        found = _riff(file, at, little=little)
        # Another file's head isn't a chunk of this one.
        return None if found and found.name in {b"RIFF", b"RIFX", b"RF64"} else found

    rate, long_size = 0, 0
    for chunk in _chunks(file, start + 12, step, 2):
        if chunk.name == b"ds64":
            long_size = file.integer(chunk.start + 8, 8, little=True)
        elif chunk.name == b"fmt ":
            rate = file.integer(chunk.start + 8, 4, little=little)
        elif chunk.name == b"data" and rate:
            long = chunk.size == 0xFFFFFFFF and 0 < long_size < 1 << 62
            data = _Chunk(chunk.name, chunk.start, long_size) if long else chunk
            return _judged("wav", file, data, rate, goes_on=_follows(file, step, 2))
    return Shape("wav", soundfile=True)


def _aiff(file: Bytes, start: int) -> Shape:
    def step(file: Bytes, at: int) -> _Chunk | None:
        found = _riff(file, at, little=False)
        return None if found and found.name == b"FORM" else found

    rate = 0.0
    for chunk in _chunks(file, start + 12, step, 2):
        if chunk.name == b"COMM":
            channels, _, bits = struct.unpack(">HIH", file.at(chunk.start, 8).ljust(8, b"\0"))
            compressed = chunk.size > 18 and file.at(chunk.start + 18, 4) not in {b"NONE", b"sowt", b"twos", b"in24"}
            rate = 0.0 if compressed else channels * -(-bits // 8) * _extended(file.at(chunk.start + 8, 10))
        elif chunk.name == b"SSND" and rate > 0:
            data = _Chunk(chunk.name, chunk.start + 8, max(0, chunk.size - 8))
            return _judged("aiff", file, data, rate, goes_on=_follows(file, step, 2))
    return Shape("aiff", soundfile=True)


def _extended(raw: bytes) -> float:
    """Returns an 80-bit IEEE 754 number."""
    if len(raw) < 10:
        return 0.0
    exponent, mantissa = struct.unpack(">HQ", raw)
    return math.ldexp(mantissa, (exponent & 0x7FFF) - 16383 - 63) if exponent < 0x7FFF else 0.0


def _sony(file: Bytes, start: int) -> Shape:
    rate = 0
    for chunk in _chunks(file, start + 40, _w64, 8):
        if chunk.name == b"fmt ":
            rate = file.integer(chunk.start + 8, 4, little=True)
        elif chunk.name == b"data" and rate:
            return _judged("w64", file, chunk, rate, goes_on=_follows(file, _w64, 8))
    return Shape("w64", soundfile=True)


def _apple(file: Bytes, start: int) -> Shape:
    rate = 0.0
    for chunk in _chunks(file, start + 8, _caf, 1):
        if chunk.name == b"desc":
            frames, kind = file.at(chunk.start, 8).ljust(8, b"\0"), file.at(chunk.start + 8, 4)
            size, each = struct.unpack(">II", file.at(chunk.start + 16, 8).ljust(8, b"\0"))
            rate = struct.unpack(">d", frames)[0] * size / each if kind == b"lpcm" and each else 0.0
        elif chunk.name == b"data" and rate > 0:
            data = _Chunk(chunk.name, chunk.start + 4, max(0, chunk.size - 4))
            return _judged("caf", file, data, rate, goes_on=_follows(file, _caf, 1))
    return Shape("caf", soundfile=True)


_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}


def _sun(file: Bytes, start: int) -> Shape:
    order = "big" if file.at(start, 4) == b".snd" else "little"
    offset, size, coding, hertz, channels = struct.unpack(
        ">5I" if order == "big" else "<5I", file.at(start + 4, 20).ljust(20, b"\0")
    )
    if not (rate := _AU_BYTES.get(coding, 0) * hertz * channels):
        return Shape("au", soundfile=True)
    data = _Chunk(b"data", start + offset, size)
    return _judged("au", file, data, rate, goes_on=lambda at: not _is_empty(file, at))


WAV = Container("wav", lambda head: head[:4] in {b"RIFF", b"RIFX", b"RF64", b"BW64"} and head[8:12] == b"WAVE", _wav)
AIFF = Container("aiff", lambda head: head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}, _aiff)
W64 = Container("w64", lambda head: head[:4] == b"riff" and head[24:28] == b"wave", _sony)
CAF = Container("caf", lambda head: head[:4] == b"caff", _apple)
AU = Container("au", lambda head: head[:4] in {b".snd", b"dns."}, _sun)
