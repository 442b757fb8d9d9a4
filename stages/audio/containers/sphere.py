"""NIST SPHERE (`.sph`, `.nist`), as TIMIT, WSJ and TED-LIUM have it."""

from stages.audio.containers.container import TOLERANCE_S, Bytes, Container, Shape, seconds


def _survey(file: Bytes, start: int) -> Shape:
    lines = file.at(start, 1024).decode("latin-1").splitlines()
    fields = {parts[0]: parts[2] for line in lines[2:] if len(parts := line.split(maxsplit=2)) == 3}
    coding = fields.get("sample_coding", "pcm").lower()
    numbers = ("sample_count", "sample_rate", "channel_count", "sample_n_bytes")
    count, rate, channels, width = (_number(fields.get(name, "")) for name in numbers)
    length = count / rate if rate else None
    if "," in coding or "shorten" in coding:
        return Shape("sphere", seconds=length, demuxer="nistsphere")
    bytes_per_s = rate * max(channels, 1) * (width or (1 if "law" in coding else 2))
    there = file.size - start - (_number(lines[1]) if len(lines) > 1 else 1024)
    if length and bytes_per_s and length - there / bytes_per_s > TOLERANCE_S:
        told = (
            f"{seconds(length)} that its header announces, but breaks off after {seconds(max(0, there) / bytes_per_s)}"
        )
        return Shape("sphere", fault=f"must hold the {told}. Copy it again.")
    return Shape("sphere", soundfile=True, seconds=length)


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


SPHERE = Container("sphere", lambda head: head[:7] == b"NIST_1A", _survey)
