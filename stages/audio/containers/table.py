"""The table of containers: finds a file's kind by its content, whatever its name says.

To add a kind, write a file in this folder with a `Container`.
"""

from functools import cache, lru_cache
from pathlib import Path

from stages.audio.containers.container import Bytes, Container, Shape
from stages.tables import rows_in
from stages.tar.members import stamp

_HEAD = 64
BY_NAME = {".g722": "g722", ".gsm": "gsm"}
"""FFmpeg's demuxers of files without any header: for these the name is all there is."""


@cache
def containers() -> dict[str, Container]:
    """Returns the kinds by name, in the order in which they are tried."""
    return rows_in("stages.audio.containers", Container)


def shape_of(path: Path) -> Shape:
    """Returns what a file's structure says of its sound.

    Raises:
        OSError: if the file can't be read.
    """
    return _shape_of(path, *stamp(path))


@lru_cache(maxsize=1024)
def _shape_of(path: Path, _size: int, _mtime_ns: int) -> Shape:
    with Bytes(path) as file:
        start = after_tags(file, 0)
        head = file.at(start, _HEAD)
        for container in containers().values():
            if container.matches(head) and (shape := container.survey(file, start)).container:
                return shape
    return Shape(demuxer=BY_NAME.get(path.suffix.lower()))


def after_tags(file: Bytes, start: int) -> int:
    """Returns the position after the ID3v2 tags at `start`."""
    while (head := file.at(start, 10))[:3] == b"ID3" and len(head) == 10 and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + size + (10 if head[5] & 0x10 else 0)
    return start
