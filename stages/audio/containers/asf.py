"""ASF (WMA, WMV): whether the file is as long as its header says."""

from stages.audio.containers.container import Bytes, Container, Shape

_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_BROADCAST = 1


def _survey(file: Bytes, start: int) -> Shape:
    at, end = start + 30, start + file.integer(start + 16, 8, little=True)
    while at + 24 <= min(end, file.size):
        size = file.integer(at + 16, 8, little=True)
        if file.at(at, 16) == _PROPERTIES:
            announced, flags = file.integer(at + 40, 8, little=True), file.integer(at + 88, 4, little=True)
            if not flags & _BROADCAST and announced > file.size - start:
                told = f"must hold the {announced:,} bytes that its header announces, but has {file.size - start:,}"
                return Shape("asf", fault=f"{told}. Copy it again.")
        at += max(size, 24)
    return Shape("asf", demuxer="asf")


ASF = Container("asf", lambda head: head[:16] == _HEADER, _survey)
