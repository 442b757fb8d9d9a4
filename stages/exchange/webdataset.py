"""Writes WebDataset shards."""

import io
import tarfile
from pathlib import Path

import numpy as np

from stages.exchange.export import Export
from stages.exchange.source import Source
from stages.records import to_line


def webdataset(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `<split>-<number>.tar` with `<row>.json`, `<row>.codes.npy` (`[K, T]`) and `<row>.flac` per utterance."""
    for split, number, _, rows in source.shards():
        with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in rows:
                codes = io.BytesIO()
                np.save(codes, np.ascontiguousarray(source.store.codes(index)), allow_pickle=False)
                parts = {"json": to_line(source.row(index)).encode(), "codes.npy": codes.getvalue()}
                if source.voices is not None:
                    parts["flac"] = source.flac(index)
                for suffix, content in parts.items():
                    member = tarfile.TarInfo(f"{index:09d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


WEBDATASET = Export("webdataset", "WebDataset shards", webdataset, portable=True)
