"""PyTorch's operations by its stable C interface, on NumPy's arrays, without its Python modules.

`import torch` takes 1.2 s of processor time, of which its library of operations takes 0.2: the rest is Python that a
process doesn't need which computes a few things on the CPU. The results are those of PyTorch bit for bit, since they
come from the same functions. Both may be used in one process, in any order.

Source: `torch/csrc/stable/c/shim.h` and `torch/csrc/inductor/aoti_torch/c/shim.h` in PyTorch's package.

Importing this module loads the library; it raises `ImportError` where there is none with this interface.
"""

import ctypes
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_VERSION: Final = (2 << 56) | (11 << 48)
"""The oldest version of PyTorch that the project takes: later ones go on to understand what was written for it."""
_ALIGNED = 64
"""Bytes, as PyTorch aligns its own tensors: the rounding of a matrix product may depend on it."""
_NAMES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}
_Handle = ctypes.c_void_p
_Values = ctypes.c_uint64


def _load() -> ctypes.CDLL:
    found = find_spec("torch")
    if found is None or found.origin is None or sys.platform not in _NAMES or sys.byteorder != "little":
        raise ImportError("no library of PyTorch's operations")
    try:
        library = ctypes.CDLL(str(Path(found.origin).parent / "lib" / _NAMES[sys.platform]))
        for name, types in _FUNCTIONS.items():
            getattr(library, name).argtypes = types
        library.torch_exception_get_what_without_backtrace.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise ImportError(f"PyTorch's library has no stable C interface: {error}") from error
    return library


_FUNCTIONS: dict[str, list[Any]] = {
    "torch_call_dispatcher": [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(_Values), ctypes.c_uint64],
    "torch_new_list_reserve_size": [ctypes.c_size_t, ctypes.POINTER(_Handle)],
    "torch_list_push_back": [_Handle, _Values],
    "torch_exception_get_what_without_backtrace": [],
    "aoti_torch_create_tensor_from_blob": [
        *(ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_int64)),
        *(ctypes.c_int64, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(_Handle)),
    ],
    "aoti_torch_delete_tensor_object": [_Handle],
    "aoti_torch_get_data_ptr": [_Handle, ctypes.POINTER(ctypes.c_void_p)],
    "aoti_torch_get_dim": [_Handle, ctypes.POINTER(ctypes.c_int64)],
    "aoti_torch_get_sizes": [_Handle, ctypes.POINTER(ctypes.POINTER(ctypes.c_int64))],
    "aoti_torch_get_strides": [_Handle, ctypes.POINTER(ctypes.POINTER(ctypes.c_int64))],
    "aoti_torch_get_dtype": [_Handle, ctypes.POINTER(ctypes.c_int32)],
    "aoti_torch_device_type_cpu": [],
    "aoti_torch_dtype_float32": [],
    "aoti_torch_dtype_float64": [],
    "aoti_torch_dtype_complex64": [],
    "aoti_torch_dtype_int64": [],
}
_library = _load()
_CPU = _library.aoti_torch_device_type_cpu()
_CODES = {
    np.dtype(name): getattr(_library, f"aoti_torch_dtype_{name}")()
    for name in ("float32", "float64", "complex64", "int64")
}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}


class _Owner:
    """Frees a tensor when no array looks at it any more."""

    def __init__(self, handle: _Handle, arguments: Any) -> None:
        self.handle = handle
        self.arguments = arguments
        """What it was made of: some operations return views."""

    def __del__(self, free: Any = _library.aoti_torch_delete_tensor_object) -> None:
        free(self.handle)  # bound above: a module's names are gone when the last tensors go, as Python ends


def aligned(*shape: int) -> npt.NDArray[np.float32]:
    """Returns a float32 array with any values, which lies in memory as PyTorch's tensors do."""
    size = int(np.prod(shape))
    room = np.empty(size * 4 + _ALIGNED, np.uint8)
    start = -room.ctypes.data % _ALIGNED
    return room[start : start + size * 4].view(np.float32).reshape(shape)


def call(name: str, *arguments: Array | Sequence[int] | int | bool | None, results: int = 1) -> list[Array]:
    """Calls an operation of PyTorch on the CPU.

    Args:
        name: Its name, as `aten::topk`; with a variant after a point, as `aten::sort.stable`.
        arguments: All that its schema has, none left out: arrays of float32, float64, complex64 or int64, which are
            read where they are; lists of whole numbers; whole numbers; truth values; None.
        results: How many arrays it returns.

    Returns:
        The arrays.

    Raises:
        RuntimeError: if the operation refuses its arguments, with PyTorch's own message.
    """
    operation, _, overload = name.partition(".")
    stack = (_Values * max(len(arguments), results))()
    for place, argument in enumerate(arguments):
        stack[place] = _value(argument)
    _check(_library.torch_call_dispatcher(operation.encode(), overload.encode(), stack, _VERSION))
    return [_array(_Handle(stack[place]), arguments) for place in range(results)]


def _value(argument: Array | Sequence[int] | int | bool | None) -> int:
    """Puts an argument into 64 bits. The operation frees what they point to."""
    if isinstance(argument, np.ndarray):
        return _tensor(argument).value or 0
    if isinstance(argument, Sequence):
        numbers = _Handle()
        _check(_library.torch_new_list_reserve_size(len(argument), ctypes.byref(numbers)))
        for number in argument:
            _check(_library.torch_list_push_back(numbers, number % 2**64))
        return numbers.value or 0
    return 0 if argument is None else int(argument) % 2**64


def _tensor(array: Array) -> _Handle:
    """Returns a tensor of an array's memory, with its strides."""
    handle = _Handle()
    sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
    strides = (ctypes.c_int64 * array.ndim)(*(stride // array.itemsize for stride in array.strides))
    _check(
        _library.aoti_torch_create_tensor_from_blob(
            array.ctypes.data, array.ndim, sizes, strides, 0, _CODES[array.dtype], _CPU, 0, ctypes.byref(handle)
        )
    )
    return handle


def _array(handle: _Handle, arguments: Any) -> Array:
    """Returns an array of a tensor's memory, which keeps the tensor."""
    owner = _Owner(handle, arguments)
    data, dims, code = ctypes.c_void_p(), ctypes.c_int64(), ctypes.c_int32()
    sizes, strides = ctypes.POINTER(ctypes.c_int64)(), ctypes.POINTER(ctypes.c_int64)()
    _check(_library.aoti_torch_get_data_ptr(handle, ctypes.byref(data)))
    _check(_library.aoti_torch_get_dim(handle, ctypes.byref(dims)))
    _check(_library.aoti_torch_get_dtype(handle, ctypes.byref(code)))
    _check(_library.aoti_torch_get_sizes(handle, ctypes.byref(sizes)))
    _check(_library.aoti_torch_get_strides(handle, ctypes.byref(strides)))
    dtype, shape = _DTYPES[code.value], tuple(sizes[: dims.value])
    steps = [stride * dtype.itemsize for stride in strides[: dims.value]]
    if 0 in shape:
        return np.empty(shape, dtype)
    length = dtype.itemsize + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    memory = (ctypes.c_char * length).from_address(data.value or 0)
    memory.owner = owner  # NumPy keeps `memory`, and it the tensor
    return np.ndarray(shape, dtype, memory, strides=steps)


def _check(failed: int) -> None:
    if failed:
        raise RuntimeError(_library.torch_exception_get_what_without_backtrace().decode(errors="replace").strip())
