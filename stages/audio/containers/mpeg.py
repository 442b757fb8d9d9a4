"""MPEG audio: MP3, MP2 and AAC in ADTS. Counts the frames, since a header tells of its own part only, if there is one.

Sources: ISO 11172-3, 13818-3 and 13818-7; the LAME tag, http://gabriel.mp3-tech.org/mp3infotag.html.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stages.audio.containers.container import TOLERANCE_S, Bytes, Container, Shape, seconds

_SEARCHED = 1 << 16
"""Bytes in which the first frame must begin."""
_SURE = 3
"""Frames in a row that are no accident."""
_SYNC = re.compile(rb"\xff[\xe0-\xff]")
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS = {
    (True, 3): tuple(range(32, 449, 32)),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_INFO = {b"Xing", b"Info"}


@dataclass(frozen=True, slots=True)
class _Head:
    """A frame's header."""

    size: int
    """Bytes of the frame."""
    samples: int
    rate: int
    kind: tuple[int, int, int]
    """Version, layer and rate: the same in all frames of a stream."""
    tag: int
    """Where an information frame has its name."""


@dataclass(slots=True)
class Run:
    """Frames that were encoded together."""

    announced: int | None
    """Frames, by the information frame before them."""
    delay: int = 0
    """Samples before the sound, by the information frame."""
    padding: int = 0
    """Samples after it."""
    frames: int = 0


@dataclass(slots=True)
class _Walk:
    """What a walk through the frames found so far."""

    runs: list[Run] = field(default_factory=list)
    partial: bool = False
    """Whether the last frame is cut off."""
    gaps: bool = False
    """Whether something other than frames and tags lies between the frames."""


_heads: dict[bytes, _Head | None] = {}


def _head(raw: bytes) -> _Head | None:
    if raw not in _heads:
        _heads[raw] = _parsed(raw)
    return _heads[raw]


def _parsed(raw: bytes) -> _Head | None:
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0:
        return None
    version, layer = raw[1] >> 3 & 3, raw[1] >> 1 & 3
    bits, hertz, padding = raw[2] >> 4, raw[2] >> 2 & 3, raw[2] >> 1 & 1
    if version == 1 or layer == 0 or bits in {0, 15} or hertz == 3:
        return None
    rate, newest = _RATES[version][hertz], version == 3
    speed = _KBITS[newest, layer if newest or layer == 3 else 2][bits - 1] * 1000
    mono = raw[3] >> 6 == 3
    tag = 4 + ((17 if mono else 32) if newest else (9 if mono else 17))
    if layer == 3:
        return _Head((12 * speed // rate + padding) * 4, 384, rate, (version, layer, hertz), tag)
    short = layer == 1 and not newest
    size = (72 if short else 144) * speed // rate + padding
    return _Head(size, 576 if short else 1152, rate, (version, layer, hertz), tag)


def _first_frame(file: Bytes, start: int, kind: tuple[int, int, int] | None = None) -> int | None:
    """Returns where the first of some frames in a row begins, of a kind if given; None if there is none nearby."""
    while block := file.at(start, _SEARCHED):
        for found in _SYNC.finditer(block):
            at = start + found.start()
            if _in_a_row(file, at, kind):
                return at
        if kind is None:
            return None
        start += max(1, len(block) - 1)
    return None


def _in_a_row(file: Bytes, at: int, kind: tuple[int, int, int] | None) -> bool:
    for count in range(_SURE):
        head = _head(file.at(at, 4))
        if head is None or (kind and head.kind != kind):
            # A short file may hold fewer frames.
            return count > 0 and at >= file.size
        kind, at = head.kind, at + head.size
    return True


def _walk(file: Bytes, start: int, walk: _Walk) -> Iterator[tuple[int, _Head]]:
    """Yields where each frame that holds sound begins, and its header; notes the rest in `walk`."""
    at = _first_frame(file, start)
    if at is None or (first := _head(file.at(at, 4))) is None:
        return
    kind = first.kind
    while at < file.size:
        block = file.at(at, 48)
        head = _head(block[:4])
        if head is None or head.kind != kind:
            after = _after_tag(file, at)
            if after is None:
                after = _first_frame(file, at)
                walk.gaps = walk.gaps or after is not None
            if after is None:
                return
            at = after
            kind = found.kind if (found := _head(file.at(at, 4))) else kind
            continue
        if at + head.size > file.size:
            walk.partial = True
            return
        if block[head.tag : head.tag + 4] in _INFO:
            walk.runs.append(_told(file.at(at, head.size), head.tag))
        elif block[36:40] == b"VBRI":
            walk.runs.append(Run(int.from_bytes(file.at(at + 50, 4), "big")))
        else:
            if not walk.runs:
                walk.runs.append(Run(None))
            walk.runs[-1].frames += 1
            yield at, head
        at += head.size


def _told(frame: bytes, tag: int) -> Run:
    """Reads an information frame."""
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    count = int.from_bytes(frame[tag + 8 : tag + 12], "big") if flags & 1 else None
    after = tag + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    if frame[after : after + 4] not in {b"LAME", b"Lavf", b"Lavc"}:
        return Run(count)
    packed = int.from_bytes(frame[after + 21 : after + 24], "big")
    return Run(count, packed >> 12, packed & 0xFFF)


def sounding(path: Path) -> Iterator[tuple[Run, bytes]]:
    """Yields each frame of a file that holds sound, with the run it belongs to."""
    with Bytes(path) as file:
        walk = _Walk()
        for at, head in _walk(file, 0, walk):
            yield walk.runs[-1], file.at(at, head.size)


def _after_tag(file: Bytes, at: int) -> int | None:
    """Returns where a tag ends; None if there is none here."""
    head = file.at(at, 32)
    if head[:3] == b"ID3" and len(head) >= 10:
        return at + 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (10 if head[5] & 16 else 0)
    if head[:3] == b"TAG":
        return at + 128
    if head[:8] == b"APETAGEX":
        # The size counts the footer but not the header.
        return at + int.from_bytes(head[12:16], "little") + 32
    return None


def _survey(file: Bytes, start: int) -> Shape:
    walk, first = _Walk(), None
    for _, head in _walk(file, start, walk):
        first = first or head
    if first is None:
        return Shape()
    name, each = ("mp3" if first.kind[1] == 1 else "mp2"), first.samples / first.rate
    for run in walk.runs:
        if run.announced and (run.announced - run.frames) * each > TOLERANCE_S + each:
            told = f"{seconds(run.announced * each)} that its header announces, but breaks off after"
            return Shape(name, fault=f"must hold the {told} {seconds(run.frames * each)}. Copy it again.")
    if walk.partial and walk.runs[-1].announced is None and not walk.gaps:
        return Shape(name, fault="must end with a whole frame, but breaks off within one: copy it again.")
    whole = sum(max(0.0, run.frames * each - (run.delay + run.padding) / first.rate) for run in walk.runs)
    one = len(walk.runs) == 1
    return Shape(name, soundfile=one, seconds=whole, overruled="" if one else "its parts are joined")


def _adts(file: Bytes, start: int) -> Shape:
    at, frames = start, 0
    while size := _adts_size(file.at(at, 7)):
        if at + size > file.size:
            return Shape("adts", fault="must end with a whole frame, but breaks off within one: copy it again.")
        at, frames = at + size, frames + 1
    return Shape("adts", demuxer="aac") if frames >= _SURE or at >= file.size else Shape()


def _adts_size(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


ADTS = Container("adts", lambda head: head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0, _adts, rank=1)
MPEG = Container("mpeg", lambda head: len(head) > 3, _survey, rank=2)
