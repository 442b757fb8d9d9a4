"""FLAC: the length in its header, and what its last frame says of it.

Source: RFC 9639.
"""

from collections.abc import Iterator

from stages.audio.containers.container import TOLERANCE_S, Bytes, Container, Shape, seconds

_STREAMINFO = b"fLaC\x00\x00\x00\x22"
_LAST = b"fLaC\x80\x00\x00\x22"
_TAIL = 1 << 17
"""Bytes at the end in which the last frame begins."""
_HEAD = 16
"""Bytes of the longest header."""
_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}


def _survey(file: Bytes, start: int) -> Shape:
    starts = _starts(file, start)
    if len(starts) > 1:
        return Shape("flac", parts=tuple(zip(starts, [*starts[1:], file.size], strict=True)))
    rate, samples, block = _part(file, start)
    if not rate or not samples:
        return Shape("flac", overruled="its header holds no length", demuxer="flac")
    found = _end_of_last_frame(file, samples, block)
    if found is None or abs(found - samples) <= TOLERANCE_S * rate:
        return Shape("flac", soundfile=True, seconds=samples / rate)
    if found > samples:
        told = f"its header announces only {seconds(samples / rate)}"
        return Shape("flac", seconds=found / rate, overruled=told, demuxer="flac")
    told = f"{seconds(samples / rate)} that its header announces, but breaks off after {seconds(found / rate)}"
    return Shape("flac", fault=f"must hold the {told}. Copy it again.")


def _starts(file: Bytes, start: int) -> list[int]:
    """Returns where the file and the files joined to it begin."""
    found = [start]
    at = start + 4
    while (at := file.find(b"fLaC", at)) >= 0:
        if file.at(at, 8) in {_STREAMINFO, _LAST}:
            found.append(at)
        at += 4
    return found


def _part(file: Bytes, start: int) -> tuple[int, int, int]:
    """Returns the rate, the number of samples (0: unknown), and the samples in a block (0: they vary)."""
    info = file.at(start + 8, 34).ljust(34, b"\0")
    packed = int.from_bytes(info[10:18], "big")
    shortest, longest = int.from_bytes(info[:2], "big"), int.from_bytes(info[2:4], "big")
    return packed >> 44, packed & (1 << 36) - 1, longest if shortest == longest else 0


def _end_of_last_frame(file: Bytes, samples: int, block: int) -> int | None:
    """Returns the number of samples up to the end of the last frame; None if the file's end doesn't tell.

    Args:
        file: The file.
        samples: The number that its header announces.
        block: The samples in a block; 0: they vary.
    """
    tail = file.at(max(0, file.size - _TAIL), _TAIL)
    frames: list[tuple[int, int]] = []
    for at in _backwards(tail):
        if (frame := _frame(tail[at : at + _HEAD], block)) is None:
            continue
        if frame[1] == samples:
            return samples
        frames.append(frame)
    # Sound may look like a header, once in some thousand files; it doesn't follow on another frame.
    ends = {end for _, end in frames}
    return next((end for start, end in frames if start in ends), None)


def _backwards(tail: bytes) -> Iterator[int]:
    """Yields where frames may begin, the last first: those of fixed size before those of varying size."""
    for sync in (b"\xff\xf8", b"\xff\xf9"):
        at = len(tail)
        while (at := tail.rfind(sync, 0, at + 1)) >= 0:
            yield at
            at -= 1


def _frame(head: bytes, block: int) -> tuple[int, int] | None:
    """Returns the first sample of the frame with this header, and one past its last; None if it isn't a header."""
    if len(head) < _HEAD:
        return None
    size_code, rate_code, reserved = head[2] >> 4, head[2] & 15, head[3] & 1
    ones = next((n for n in range(8) if not head[4] & 0x80 >> n), 8)
    if ones in {1, 8} or size_code == 0 or rate_code == 15 or reserved or head[3] >> 4 > 10:
        return None
    at = 4 + max(1, ones)
    number = head[4] & (0xFF >> (ones + 1) if ones else 0x7F)
    for byte in head[5:at]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    size = _SIZES.get(size_code, 0)
    if size_code in {6, 7}:
        width = size_code - 5
        size = int.from_bytes(head[at : at + width], "big") + 1
        at += width
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    variable = head[1] & 1
    if not variable and not block:
        return None
    start = number if variable else number * block
    return start, start + size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


FLAC = Container("flac", lambda head: head[:4] == b"fLaC", _survey)
