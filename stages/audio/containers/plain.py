"""Containers that FFmpeg reads, and of which nothing needs to be known but their first bytes."""

from functools import partial

from stages.audio.containers.container import Bytes, Container, Shape


def _survey(file: Bytes, start: int, *, name: str, demuxer: str) -> Shape:  # noqa: ARG001
    return Shape(name, demuxer=demuxer)


def _row(name: str, demuxer: str, *magic: bytes) -> Container:
    return Container(name, lambda head: head.startswith(magic), partial(_survey, name=name, demuxer=demuxer))


WAVPACK = _row("wavpack", "wv", b"wvpk")
APE = _row("ape", "ape", b"MAC ")
AMR = _row("amr", "amr", b"#!AMR")
SHORTEN = _row("shorten", "shn", b"ajkg")
