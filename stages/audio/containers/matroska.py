"""Matroska and WebM: whether their elements reach the end, and whether several files are joined.

Source: RFC 9559.
"""

from stages.audio.containers.container import Bytes, Container, Shape

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_TOP = {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _CLUSTER}
"""Children of a segment: a cluster of unknown length ends where one begins."""


def _survey(file: Bytes, start: int) -> Shape:
    at, segments = start, 0
    while at < file.size:
        name, size, content = _element(file, at)
        if not name:
            break
        if name == _SEGMENT:
            segments += 1
        if size is None:  # a segment or cluster that was written to a pipe: go through its children
            at = content
            continue
        if content + size > file.size:
            told = f"must hold {content + size:,} bytes by its structure, but has {file.size:,}: it breaks off"
            return Shape("matroska", fault=f"{told}. Copy it again.")
        at = content + size
    if segments > 1:
        told = "must hold one recording, but is several joined files"
        return Shape("matroska", fault=f"{told}. Join them with a program for that.", reason="GoesOn")
    return Shape("matroska", demuxer="matroska")


def _element(file: Bytes, at: int) -> tuple[int, int | None, int]:
    """Returns an element's name (0: none), its size (None: unknown), and where its content begins."""
    head = file.at(at, 12)
    width = _width(head[0]) if head else 0
    if not 1 <= width <= 4 or len(head) <= width:
        return 0, None, at
    name = int.from_bytes(head[:width], "big")
    digits = _width(head[width])
    raw = head[width : width + digits]
    if not 1 <= digits <= 8 or len(raw) < digits:
        return 0, None, at
    size = int.from_bytes(raw, "big") & (1 << 7 * digits) - 1
    return name, None if size == (1 << 7 * digits) - 1 else size, at + width + digits


def _width(byte: int) -> int:
    """Returns the bytes of a number with this first byte; 9 if it isn't one."""
    return 9 - byte.bit_length()


MATROSKA = Container("matroska", lambda head: head[:4] == b"\x1a\x45\xdf\xa3", _survey)
