"""Ogg with Vorbis, Opus, Speex or FLAC: its links, and whether the last page is whole.

Sources: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from dataclasses import dataclass
from itertools import pairwise

from stages.audio.containers.container import Bytes, Container, Shape

_EOS = 4
_BOS = 2
_OPUS_RATE = 48_000


@dataclass(slots=True)
class _Link:
    """A stream, from its first page to its last."""

    codec: str
    rate: int
    ended: bool = False


def _survey(file: Bytes, start: int) -> Shape:
    links: dict[int, _Link] = {}
    order: list[_Link] = []
    begins: list[int] = []
    at, broken = start, False
    while at < file.size:
        head = file.at(at, 27)
        if head[:4] != b"OggS":
            if (later := file.find(b"OggS", at)) < 0:
                broken = not (order and order[-1].ended)  # after the last page, something else may follow
                break
            at = later
            continue
        table = file.at(at + 27, head[26]) if len(head) == 27 else b""
        end = at + 27 + len(table) + sum(table)
        if len(head) < 27 or len(table) < head[26] or end > file.size:
            broken = True
            break
        kind, serial = head[5], int.from_bytes(head[14:18], "little")
        if kind & _BOS:
            begins.append(at)
            links[serial] = _link(file.at(at + 27 + len(table), min(64, sum(table))))
            order.append(links[serial])
        if serial in links and kind & _EOS:
            links[serial].ended = True
        at = end
    return _shape(order, [*begins, file.size], broken)


def _link(packet: bytes) -> _Link:
    if packet[:7] == b"\x01vorbis":
        return _Link("vorbis", int.from_bytes(packet[12:16], "little"))
    if packet[:8] == b"OpusHead":
        return _Link("opus", _OPUS_RATE)
    if packet[:8] == b"Speex   ":
        return _Link("speex", int.from_bytes(packet[36:40], "little"))
    if packet[:5] == b"\x7fFLAC":
        return _Link("flac", int.from_bytes(packet[27:30], "big") >> 4)
    return _Link("", 1)


def _shape(order: list[_Link], borders: list[int], broken: bool) -> Shape:
    links = [link for link in order if link.codec and link.rate]
    if broken:
        told = "must end with a whole page, but breaks off within one: the end is missing. Copy it again."
        return Shape("ogg", fault=told)
    if len(links) == 1:  # and perhaps streams of something else
        return Shape("ogg", soundfile=links[0].codec != "speex")
    if len(links) == len(order) > 1 and all(link.codec != "speex" and link.ended for link in links):
        return Shape("ogg", parts=tuple(pairwise(borders)))
    if sum(link.codec == "speex" for link in links) > 1:
        told = f"must hold one Speex stream, but holds {len(links)} joined ones. Convert it to WAV or FLAC."
        return Shape("ogg", fault=told, reason="GoesOn")
    joined = "its parts are joined" if len(links) > 1 else ""
    return Shape("ogg", overruled=joined, demuxer="ogg")


OGG = Container("ogg", lambda head: head[:4] == b"OggS", _survey)
