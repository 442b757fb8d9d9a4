"""MP4, M4A, M4B, MOV, 3GP: whether their boxes reach the end, and whether several files are joined."""

from stages.audio.containers.container import Bytes, Container, Shape

_FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp"}


def _survey(file: Bytes, start: int) -> Shape:
    names: list[bytes] = []
    at = start
    while at + 8 <= file.size:
        size, name = file.integer(at, 4), file.at(at + 4, 4)
        if size == 1:
            size = file.integer(at + 8, 8)
        if size == 0:
            names.append(name)
            break
        if size < 8 or not all(0x20 <= letter < 0x7F or letter == 0xA9 for letter in name):
            break  # not a box: what players ignore after the last one
        if at + size > file.size:
            told = f"must hold its box `{name.decode('latin-1')}` of {size:,} bytes, but ends before it does"
            return Shape("mp4", fault=f"{told}: it breaks off. Copy it again.")
        names.append(name)
        at += size
    if b"moov" not in names:
        told = "must hold an index (the box `moov`), but holds none: its recording was never finished"
        return Shape("mp4", fault=f"{told}. Repair or copy it.", reason="BrokenHeader")
    if names.count(b"moov") > 1 and b"moof" not in names:
        told = "must hold one recording, but is several joined files, of which players read the first"
        return Shape("mp4", fault=f"{told}. Join them with a program for that.", reason="GoesOn")
    return Shape("mp4", demuxer="mov")


MP4 = Container("mp4", lambda head: head[4:8] in _FIRST, _survey)
