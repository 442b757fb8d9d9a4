"""AC-3: whether its last frame is whole. It has no other sign of its length.

Source: ETSI TS 102 366, table 4.13.
"""

from stages.audio.containers.container import Bytes, Container, Shape

_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def _survey(file: Bytes, start: int) -> Shape:
    at = start
    while size := _size(file.at(at, 6)):
        at += size
    if at > file.size:
        return Shape("ac3", fault="must end with a whole frame, but breaks off within one: copy it again.")
    return Shape("ac3", demuxer="ac3" if at > start else None)


def _size(head: bytes) -> int:
    """Returns the bytes of a frame of AC-3; 0 for anything else, E-AC-3 too."""
    if len(head) < 6 or head[:2] != b"\x0b\x77" or head[5] >> 3 > 10:
        return 0
    rate, code = head[4] >> 6, head[4] & 63
    if rate == 3 or code >> 1 >= len(_KBITS):
        return 0
    kbits = _KBITS[code >> 1]
    return 2 * (2 * kbits, 320 * kbits // 147 + (code & 1), 3 * kbits)[rate]


AC3 = Container("ac3", lambda head: head[:2] == b"\x0b\x77", _survey)
