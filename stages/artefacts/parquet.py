"""Reads and writes Parquet tables. No other module imports pyarrow."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from stages.errors import ArtefactError
from stages.records import Record

if TYPE_CHECKING:
    import pyarrow


def column_names(path: Path) -> list[str]:
    """Returns the names of a table's columns.

    Raises:
        ValueError: if the file isn't Parquet.
    """
    import pyarrow.parquet

    with path.open("rb") as file:  # a path may be one in a store, which pyarrow would open in its own way
        return list(pyarrow.parquet.read_schema(file).names)


def sound_column(file: BinaryIO) -> str:
    """Returns the column of a table in which recordings are kept as bytes; "" if there is none.

    It is a structure with bytes in it, as the data sets of Hugging Face have it, or bytes named as sound.

    Args:
        file: Parquet or Arrow (IPC), as stream or file.

    Raises:
        ValueError: if it is neither.
    """
    import pyarrow.parquet

    def is_bytes(kind: "pyarrow.DataType") -> bool:
        return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))

    head = file.read(6)
    file.seek(0)
    if head.startswith(b"PAR1"):
        schema = pyarrow.parquet.read_schema(file)
    elif head == b"ARROW1":
        schema = pyarrow.ipc.open_file(file).schema
    else:
        schema = pyarrow.ipc.open_stream(file).schema
    for field in schema:
        kind = field.type
        inside = pyarrow.types.is_struct(kind) and any(is_bytes(kind.field(n).type) for n in range(kind.num_fields))
        if inside or (is_bytes(kind) and _SOUND.search(field.name)):
            return str(field.name)
    return ""


_SOUND = re.compile("audio|sound|speech|voice|wav|mp3|flac|opus|ogg|recording|^bytes$", re.IGNORECASE)


def each_row(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yields the rows of a table, with these columns only, block by block.

    Raises:
        ValueError: if the file is damaged.
    """
    import pyarrow.parquet

    with path.open("rb") as opened, pyarrow.parquet.ParquetFile(opened) as file:
        for block in file.iter_batches(columns=list(columns)):
            yield from block.to_pylist()


def write_records(path: Path, kind: type[Record], blocks: Iterable[Sequence[Record]]) -> None:
    """Writes records to one Parquet file, one row group per block. The same records give the same bytes.

    Args:
        path: The file.
        kind: The records' class; its fields, of type `str`, `int` or `float`, or text or None, are the columns.
        blocks: The records, in order; empty blocks are skipped.
    """
    import pyarrow
    import pyarrow.parquet

    kinds = {str: pyarrow.string(), str | None: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(field.name, kinds[field.type]) for field in fields(kind)])  # type: ignore[arg-type,index]
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks:
            if block:
                rows = [record.to_json() for record in block]
                arrays = [arrow_array([row.get(field.name) for row in rows], field.type) for field in schema]
                writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def arrow_array(values: Sequence[Any], kind: "pyarrow.DataType") -> "pyarrow.Array":
    """Returns values as an array of Arrow, as `pyarrow.array` does: that would import pandas, which takes a second.

    Args:
        values: Of text, numbers, or lists of these; None is null.
        kind: `string`, a number's type, or a list of one of these.
    """
    import pyarrow

    missing = [value is None for value in values]
    valid = None
    if any(missing):
        valid = pyarrow.py_buffer(np.packbits(np.logical_not(missing), bitorder="little"))
    if pyarrow.types.is_list(kind):
        inside = arrow_array([item for value in values for item in value or ()], kind.value_type)
        ends = _ends([len(value or ()) for value in values])
        return pyarrow.Array.from_buffers(kind, len(values), [valid, pyarrow.py_buffer(ends)], children=[inside])
    if pyarrow.types.is_string(kind):
        texts = [(value or "").encode() for value in values]
        buffers = [pyarrow.py_buffer(_ends([*map(len, texts)])), pyarrow.py_buffer(b"".join(texts))]
        return pyarrow.Array.from_buffers(kind, len(values), [valid, *buffers])
    numbers = np.array([0 if value is None else value for value in values], kind.to_pandas_dtype())
    return pyarrow.Array.from_buffers(kind, len(values), [valid, pyarrow.py_buffer(numbers)])


def _ends(lengths: Sequence[int]) -> npt.NDArray[np.int32]:
    """Returns where each of the parts laid end to end begins, and where the last one ends.

    Raises:
        OverflowError: if an int32 can't hold it.
    """
    ends = np.cumsum([0, *lengths], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"a column of a block must hold less than 2 GiB, but holds {ends[-1] / 2**30:.1f} GiB")
    return ends.astype(np.int32)


def append_columns(source: Path, target: Path, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Copies the table at `source` to `target` with further columns, joined by `id`.

    Args:
        source: A Parquet file with the column `id`.
        target: The file to write.
        columns: For each new column, its lists by id: of numbers if the column's name ends in `_score`, else of text.
            A row without a list gets null.
    """
    import pyarrow
    import pyarrow.parquet

    table = read_table(source)
    ids = table.column("id").to_pylist()
    for name, values in columns.items():
        kind = pyarrow.list_(pyarrow.float32() if name.endswith("_score") else pyarrow.string())
        table = table.append_column(name, arrow_array([values.get(uid) for uid in ids], kind))
    pyarrow.parquet.write_table(table, target, compression="zstd")


def write_blocks(
    path: Path, kinds: Mapping[str, str], blocks: Iterable[Sequence[dict[str, Any]]], metadata: Mapping[str, str]
) -> None:
    """Writes rows to one Parquet file, one row group per block. The same rows give the same bytes.

    Args:
        path: The file.
        kinds: The type of each column: `string`, `int64`, `float64`, `codes` (lists of lists of unsigned 16-bit
            numbers) or `file` (an object with `bytes` and `path`).
        blocks: The rows, in order.
        metadata: Key-value metadata of the schema.
    """
    import pyarrow
    import pyarrow.parquet

    types = {
        "string": pyarrow.string(),
        "int64": pyarrow.int64(),
        "float64": pyarrow.float64(),
        "codes": pyarrow.list_(pyarrow.list_(pyarrow.uint16())),
        "file": pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()], metadata=dict(metadata))
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks:
            writer.write_table(pyarrow.Table.from_pylist(block, schema))


def read_table(path: Path, columns: Sequence[str] | None = None) -> "pyarrow.Table":
    """Reads a Parquet file, all columns or the named ones.

    Raises:
        ArtefactError: if it is missing or damaged.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:  # `read_table` would import what reads folders of files
            return file.read(columns=columns)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ArtefactError(f"`{path}` can't be read as Parquet: {error}. Run `valle-prep metadata` again.") from error


def find_rows(path: Path, ids: Collection[str], columns: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Reads the rows with these ids. Of row groups without any of them only the ids are read.

    Args:
        path: A Parquet file with the column `id`.
        ids: The ids to find; unknown ones are ignored.
        columns: The columns to read, `id` among them; None for all.

    Returns:
        The rows by id.

    Raises:
        ArtefactError: if the file is missing or damaged.
    """
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    found: dict[str, dict[str, Any]] = {}
    wanted = arrow_array(sorted(ids), pyarrow.string())
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                held = file.read_row_group(group, columns=["id"]).column("id")
                mask = pyarrow.compute.is_in(held, value_set=wanted)
                if pyarrow.compute.any(mask).as_py():
                    rows = file.read_row_group(group, columns=columns).filter(mask).to_pylist()
                    found.update({row["id"]: row for row in rows})
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise ArtefactError(f"`{path}` can't be read as Parquet: {error}. Run the command that made it.") from error
    return found
