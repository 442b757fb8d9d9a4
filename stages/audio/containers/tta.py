"""TTA: its seek table holds the size of each frame, so it tells where the file ends."""

from stages.audio.containers.container import Bytes, Container, Shape, seconds

_HEADER = 22
_CHECKSUM = 4


def _survey(file: Bytes, start: int) -> Shape:
    rate, samples = (file.integer(start + at, 4, little=True) for at in (10, 14))
    if not rate:
        return Shape("tta", demuxer="tta")
    frames = -(-samples // (256 * rate // 245))
    table = start + _HEADER
    end = table + 4 * frames + _CHECKSUM
    for frame in range(frames):
        end += file.integer(table + 4 * frame, 4, little=True)
    length = seconds(samples / rate)
    if end > file.size:
        return Shape("tta", fault=f"must hold the {length} that its header announces, but breaks off. Copy it again.")
    if file.find(b"TTA1", end) >= 0:
        told = f"must end where its header says, after {length}, but goes on: several files are joined"
        return Shape("tta", fault=f"{told}. Join them with a program for that.", reason="GoesOn")
    return Shape("tta", seconds=samples / rate, demuxer="tta")


TTA = Container("tta", lambda head: head.startswith(b"TTA1"), _survey)
