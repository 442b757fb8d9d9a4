"""Reads `.enc` and `.dac` files, which are pickled NumPy objects, without running code from them.

`np.save` pickles a dictionary, and unpickling calls any function that the file names. Here a file may name only the few
NumPy functions that such files need, and these are replaced by stand-ins that build plain values. Any other name, at
any depth, makes the file unreadable.

The layout is `{"codes": unsigned [1, K, T], "metadata": {...}}`. The metadata may have `text`, `phonemes`, `language`,
`original_length` and `sample_rate`. Descript's `DACFile.save` writes the same without text.
"""

import ast
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError, blame_machine
from stages.records import Codes

_HEADER = 10_000
"""Most bytes read of a header; `np.save` writes 128."""
_HINT = "Only files of codes as `np.save` writes them can be imported."


@dataclass(frozen=True, slots=True)
class Artefact:
    """The content of such a file."""

    codes_KT: Codes
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Texts, numbers, arrays, and lists of these, as in the file."""


def read_artefact(path: Path) -> Artefact:
    """Reads a file of codes without running code from it.

    Raises:
        AudioError: if it can't be opened (reason `NotThere`), holds something else (`NotCodes`), or names a function
            that could run code (`UnsafePickle`).
    """
    try:
        with path.open("rb") as file:
            found = _read(file, path)
    except OSError as error:
        blame_machine(error)
        raise AudioError(f"`{path}` can't be read: {error.strerror}. Check the path.", "NotThere") from error
    codes = found.get("codes") if isinstance(found, dict) else None
    metadata = found.get("metadata", {}) if isinstance(found, dict) else None
    if not isinstance(codes, np.ndarray) or not isinstance(metadata, dict):
        kind = f"a dictionary of {', '.join(map(str, found))}" if isinstance(found, dict) else type(found).__name__
        raise AudioError(f"`{path}` must hold `codes` and `metadata`, but holds {kind[:80]}. {_HINT}", "NotCodes")
    codes_KT = codes[0] if codes.ndim == 3 and len(codes) == 1 else codes
    if codes_KT.dtype.kind not in "iu" or codes_KT.ndim != 2 or not codes_KT.size:
        shape = f"{codes.dtype} {list(codes.shape)}"
        raise AudioError(f"`{path}` must hold codes [1, K, T], whole numbers, but holds {shape}. {_HINT}", "NotCodes")
    return Artefact(codes_KT, metadata)


def _read(file: IO[bytes], path: Path) -> Any:
    try:
        return _load(file)
    except _RefusedError as error:
        name = " ".join(str(error).split())
        detail = f"`{path}` names `{name}`, which no file of codes needs and which may run code. It wasn't run. {_HINT}"
        raise AudioError(detail, "UnsafePickle") from error
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, SyntaxError),
        *(TypeError, KeyError, IndexError, AttributeError),
    ) as error:
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise AudioError(f"`{path}` can't be read: {reason}. {_HINT}", "NotCodes") from error
    except (MemoryError, OverflowError, RecursionError) as error:
        raise AudioError(
            f"`{path}` claims to hold more than fits: {type(error).__name__}. {_HINT}", "NotCodes"
        ) from error


def _load(file: IO[bytes]) -> Any:
    """Reads an object that `np.save` wrote. `np.lib.format` isn't used: a broken header makes it raise any error."""
    magic, version = file.read(6), file.read(2)
    size = int.from_bytes(file.read(2 if version == b"\x01\x00" else 4), "little")
    header = ast.literal_eval(file.read(min(size, _HEADER)).decode("latin1").strip()) if magic == b"\x93NUMPY" else None
    if not isinstance(header, dict) or header.get("shape") != () or header.get("descr") != "|O":
        shown = (
            f"an array {header.get('descr')} {header.get('shape')}" if isinstance(header, dict) else "something else"
        )
        raise ValueError(f"it is {shown}, not a dictionary that `np.save` wrote")
    return _plain(_Unpickler(file).load())


class _RefusedError(Exception):
    """A pickle names something that isn't in `_NAMES`."""


class _Unpickler(pickle.Unpickler):
    """Unpickles only the names in `_NAMES`."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for a name.

        Raises:
            _RefusedError: if the name isn't in `_NAMES`.
        """
        found = _NAMES.get((module.replace("numpy._core.", "numpy.core."), name))
        if found is None:
            raise _RefusedError(f"{module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        """Refuses references to objects outside the file."""
        raise _RefusedError(f"persistent id {str(pid)[:40]}")


class _Dtype:
    """Stands in for `numpy.dtype`."""

    __slots__ = ("dtype",)
    _KINDS: ClassVar[str] = "biufOU"

    def __init__(self, code: str) -> None:
        dtype = np.dtype(code) if isinstance(code, str) else None
        if dtype is None or dtype.kind not in self._KINDS or dtype.fields:
            raise ValueError(f"it has an array of an unknown kind, {str(code)[:20]}")
        self.dtype = dtype

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands in for `numpy.ndarray`: keeps the state, and checks it before an array is built."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def value(self) -> Any:
        """Returns the array. An array of objects becomes a list, or its only object if it has no axes."""
        if self.state is None:
            raise ValueError("it has an array without content")
        _, shape, kind, fortran, data = self.state
        dtype, size = kind.dtype, int(np.prod(shape, dtype=np.float64))
        if dtype.kind == "O":
            return _plain(data[0]) if shape == () else [_plain(item) for item in data]
        if not isinstance(data, bytes) or len(data) != size * dtype.itemsize:
            raise ValueError(f"it has an array of {size} numbers in {len(data)} bytes")
        array: npt.NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
        return array


class _Function:
    """A stand-in that can only be called: a pickle can't change it."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work

    def __call__(self, *arguments: Any) -> Any:
        return self._work(*arguments)

    def __setstate__(self, state: object) -> None:
        raise ValueError("it sets the state of a function")


def _scalar(kind: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, kind.dtype)[0].item()


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Function(lambda *_: _Array()),
    ("numpy.core.multiarray", "scalar"): _Function(_scalar),
    ("numpy", "dtype"): _Function(lambda code, *_: _Dtype(code)),
    ("numpy", "ndarray"): "ndarray",
    ("_codecs", "encode"): _Function(lambda text, _: text.encode("latin1")),
}
"""The names that a file may use. Pickle protocols before 3 write bytes as text to encode."""


def _plain(value: Any) -> Any:
    """Replaces the stand-ins in a value by arrays."""
    match value:
        case _Array():
            return value.value()
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case str() | bytes() | bool() | int() | float() | None:
            return value
    raise ValueError(f"it holds a {type(value).__name__}")
