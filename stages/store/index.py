"""Writes the index over the store's shards. It can always be rebuilt from them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.artefacts.disk import atomic
from stages.artefacts.manifest import digest_of, read_receipt
from stages.records import CodecIdentity
from stages.store.columns import Texts, create_h5, open_h5, write_column, write_texts

LOUDNESS = "loudness_lufs"
INDEXED = ("id", "group", "speaker", "language")
INDEX = "index.h5"
LAYOUT = 1
WORDS = "lexicon"
"""A column of the words whose phonemes were given, as lines of `g2p`'s lexicon; only if there are any."""


def index_shards(
    folder: Path,
    shards: Sequence[str],
    codec: CodecIdentity,
    loudness_lufs: float | None = None,
    *,
    lexicon: Sequence[str] = (),
) -> str:
    """Writes `index.h5` over a stage's sealed shards, given by name, and returns its file name."""
    receipts = [read_receipt(folder, shard) for shard in shards]
    made_by = replace(codec, licence=None).to_json()  # the licence changes no code
    fingerprint = digest_of([made_by, [receipt.digest for receipt in receipts if receipt]])
    write_index(folder, [f"{shard}.h5" for shard in shards], codec, fingerprint, loudness_lufs, lexicon=lexicon)
    return INDEX


def write_index(
    folder: Path,
    shards: Sequence[str],
    codec: CodecIdentity,
    fingerprint: str,
    loudness_lufs: float | None = None,
    *,
    lexicon: Sequence[str] = (),
) -> None:
    """Writes `index.h5` over sealed shards.

    Args:
        folder: The folder of the shards.
        shards: Their file names, in order.
        codec: The codec that made the codes.
        fingerprint: Digest of the dataset's content.
        loudness_lufs: The utterances' loudness in LUFS; None if they are as loud as recorded.
        lexicon: The lines of `g2p`'s lexicon.
    """
    columns: dict[str, list[str]] = {name: [] for name in INDEXED}
    numbers: dict[str, list[int]] = {name: [] for name in ("frames", "shard", "first_row", "codes_at")}
    shapes: list[tuple[int, int]] = []
    symbols: set[str] = set()
    dtype = np.dtype(np.uint16)
    for number, name in enumerate(shards):
        with open_h5(folder / name) as file:
            codes, rows = file["codes"], len(file["offsets"]) - 1
            numbers["first_row"].append(len(numbers["shard"]))
            numbers["shard"] += [number] * rows
            numbers["frames"] += np.diff(file["offsets"][:]).tolist()
            numbers["codes_at"].append(codes.id.get_offset() if codes.size else 0)
            shapes.append(codes.shape)
            dtype = codes.dtype if codes.size else dtype
            for column, texts in columns.items():
                texts.extend(Texts.read(file, column))
            symbols.update("".join(Texts.read(file, "phonemes")))
    with atomic(folder / INDEX) as path, create_h5(path) as file:
        attributes = {"layout": LAYOUT, "fingerprint": fingerprint, "dtype": dtype.str}
        as_json = {
            "codec": codec.to_json(),
            "symbols": sorted(symbols),
            "shards": list(shards),
            LOUDNESS: loudness_lufs,
        }
        file.attrs.update(attributes | {key: json.dumps(value, ensure_ascii=False) for key, value in as_json.items()})
        for column, values in columns.items():
            write_texts(file, column, values)
        if lexicon:
            write_texts(file, WORDS, lexicon)
        for column, integers in numbers.items():
            write_column(file, column, np.array(integers, np.int64))
        write_column(file, "codes_shape", np.array(shapes, np.int64).reshape(-1, 2))
