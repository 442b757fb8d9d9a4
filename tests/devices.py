"""A pretended GPU: shows without one what would fail on CUDA, and where the host would wait for the device.

All is computed on the CPU. The device that a tensor would be on is noted for its storage, so that views share it. Two
modes of PyTorch work together: one sees the calls (`.device`, `.to("cuda")`, `torch.zeros(…, device="cuda")`), where a
PyTorch without CUDA would fail; the other sees the operations that they come down to, also those of a backward pass.

As on CUDA, an operation on tensors of two devices raises; scalars (0-dimensional CPU tensors in pointwise operations)
and CPU indices of CUDA tensors are taken. Counted as waits of the host are values read (`item`, `bool`, `tolist`,
`cpu`), shapes that depend on values (`nonzero`, indices that are masks), and copies to the device of memory that isn't
pinned. CUDA graphs are those of `tests.graphs`. CUDA streams and kernels that a CPU lacks aren't pretended.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from model.decoding.engine.graphs import CAPTURES

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)

_ROOT = Path(__file__).parents[1]
_OPAQUE = str(Path(torch.__file__).parent), __file__
_FROM_LISTS = torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor
_INDEXING = "aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"
_TAKE_SCALARS = "aten::fill_", "aten::fill", "aten::masked_fill", "aten::masked_fill_"
_GROUPED: Any = torch._C._group_tensors_by_device_and_dtype
_GETTERS: dict[Any, Callable[[torch.device], Any]] = {
    Tensor.device.__get__: lambda device: device,  # type: ignore[attr-defined]
    Tensor.is_cuda.__get__: lambda device: device == CUDA,  # type: ignore[attr-defined]
    Tensor.is_cpu.__get__: lambda device: device == CPU,  # type: ignore[attr-defined]
}


class TwoDevicesError(RuntimeError):
    """Something was given tensors of two devices, or one of the wrong device."""


class PretendedCuda:
    """Pretends within its context that there is one GPU, `cuda:0`.

    Args:
        capability: Its compute capability. One below 8.0 has neither bfloat16 nor flash attention.

    Example:
        >>> with PretendedCuda() as cuda:
        ...     torch.ones(3, device="cuda").sum().item()
        >>> cuda.waits
        Counter({'aten::_local_scalar_dense at tests/test_devices.py:20': 1})
    """

    def __init__(self, capability: tuple[int, int] = (7, 5)) -> None:
        self.waits: Counter[str] = Counter()
        """How often the host waited: for which operation, and at which line outside PyTorch."""
        self._there: set[StorageWeakRef] = set()  # a weak reference keeps its address from being used again
        self._pinned: set[StorageWeakRef] = set()
        self._capability = capability
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        patched: dict[str, Callable[..., Any]] = {
            "torch.cuda.get_device_capability": lambda _=None: self._capability,
            "torch.cuda.device_count": lambda: 1,
            "torch.cuda.is_available": lambda: True,
            "torch._C._group_tensors_by_device_and_dtype": self._grouped,
        }
        # So the functions that PyTorch writes in Python are seen through, rather than as one call.
        for module in ("torch.functional", "torch.nn.functional"):
            for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"):
                patched[f"{module}.{name}"] = lambda *_: False
        for name, stand_in in patched.items():
            self._stack.enter_context(patch(name, stand_in))
        from tests.graphs import Recording  # here, since it takes `tensors_in` from this module

        self._stack.enter_context(patch.dict(CAPTURES, cuda=Recording.of))
        self._stack.enter_context(patch("model.decoding.engine.graphs._FAILED", set()))
        self._stack.enter_context(_Operations(self))
        self._stack.enter_context(_Calls(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put(self, *things: Tensor | nn.Module) -> None:
        """Declares tensors, and the weights and buffers of modules, to be on the device."""
        with torch._C.DisableTorchFunction():
            for thing in things:
                self.note([thing] if isinstance(thing, Tensor) else [*thing.parameters(), *thing.buffers()], CUDA)

    def device_of(self, tensor: Tensor) -> torch.device:
        """Returns the device that a tensor would be on."""
        with torch._C.DisableTorchFunction():
            return CUDA if _storage(tensor) in self._there else CPU

    def note(self, tree: Any, device: torch.device) -> None:
        """Notes the device of the tensors in a tree."""
        for tensor in tensors_in(tree):
            (self._there.add if device == CUDA else self._there.discard)(_storage(tensor))

    def wait(self, name: str) -> None:
        """Counts a wait of the host."""
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename.startswith(_OPAQUE):
            frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        self.waits[f"{name} at {path.relative_to(_ROOT) if _ROOT in path.parents else path.name}:{frame.f_lineno}"] += 1

    def copied(self, tensor: Tensor, device: torch.device, *, blocking: bool, name: str) -> None:
        """Counts a copy to another device; one from pinned memory needn't wait."""
        if device != CUDA or blocking or _storage(tensor) not in self._pinned:
            self.wait(name)

    def pin(self, tensor: Tensor) -> Tensor:
        """Returns a copy in pinned memory."""
        if self.device_of(tensor) != CPU:
            raise TwoDevicesError("only tensors on the CPU can be pinned")
        pinned = tensor.clone()
        self._pinned.add(_storage(pinned))
        return pinned

    def _grouped(self, *args: Any) -> dict[Any, Any]:
        """Groups an optimiser's tensors, whose devices PyTorch looks up itself."""
        groups = _GROUPED(*args)
        return {(self.device_of(lists[0][0]), dtype): (lists, at) for (_, dtype), (lists, at) in groups.items()}


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def tensors_in(tree: Any) -> list[Tensor]:
    """Returns the tensors in nested lists, tuples and dictionaries."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [tensor for branch in tree for tensor in tensors_in(branch)]


class _Operations(TorchDispatchMode):
    """Checks the devices of each operation, and notes that of its results."""

    def __init__(self, owner: PretendedCuda) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._owner = owner

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and Dynamo takes seconds to import

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            with self:  # in inference mode, composite operations come here whole
                if (out := func.decompose(*args, **kwargs)) is not NotImplemented:
                    return out
            tensors = tensors_in((args, kwargs))
            here = [tensor for tensor in tensors if self._owner.device_of(tensor) == CPU]
            out_device = CPU if len(here) == len(tensors) else CUDA
            if out_device == CUDA:
                self._check(func, args, kwargs, here)
            out = func(*args, **kwargs)
            if out_device == CUDA and not (
                func._schema.name == "aten::copy_" and self._owner.device_of(args[0]) == CPU
            ):
                self._owner.note(out, CUDA)
            return out

    def _check(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], here: list[Tensor]) -> None:
        owner, name, tags = self._owner, func._schema.name, func.tags
        if name == "aten::copy_":
            if here:
                waits = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
                owner.copied(args[1], owner.device_of(args[0]), blocking=waits, name=name)
            return
        if name in _INDEXING:
            here = self._check_indices(name, args, here)
        elif torch.Tag.data_dependent_output in tags or (
            torch.Tag.dynamic_output_shape in tags and kwargs.get("output_size") is None
        ):
            owner.wait(name)
        takes_scalars = torch.Tag.pointwise in tags or name in _TAKE_SCALARS or name.startswith("aten::_foreach")
        if wrong := [tuple(tensor.shape) for tensor in here if tensor.dim() or not takes_scalars]:
            raise TwoDevicesError(f"{func} was given tensors on {CUDA}, and on the CPU ones of shape {wrong}")

    def _check_indices(self, name: str, args: Sequence[Any], here: list[Tensor]) -> list[Tensor]:
        """Counts what indices make the host wait for; returns the CPU tensors that may not be among the arguments."""
        source, indices, value = (*args, None)[:3] if len(args) == 2 else args[:3]
        filled = value is not None and value.numel() == 1 and any(value is tensor for tensor in here)
        masks = [index for index in indices if index is not None and index.dtype in (torch.bool, torch.uint8)]
        if masks and not (filled and len(indices) == 1):  # else it is a `masked_fill`
            self._owner.wait(f"{name} by a mask")
        if self._owner.device_of(source) == CPU:
            return here
        rest = [tensor for tensor in here if not any(tensor is index for index in indices)]
        for _ in range(len(here) - len(rest)):
            self._owner.wait(f"{name} by CPU indices")
        return [tensor for tensor in rest if not (filled and tensor is value)]


class _Calls(TorchFunctionMode):
    """Answers for the device of tensors, and takes devices out of calls."""

    def __init__(self, owner: PretendedCuda) -> None:
        super().__init__()
        self._owner = owner

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        owner, kwargs = self._owner, dict(kwargs or {})
        if func in _GETTERS:
            return _GETTERS[func](owner.device_of(args[0]))
        if func is Tensor.pin_memory:
            return owner.pin(args[0])
        if func in (Tensor.to, Tensor.cuda, Tensor.cpu):
            where = {Tensor.cuda: (CUDA,), Tensor.cpu: (CPU,)}.get(func, ())
            return self._moved(args[0], *where, *args[1:], **kwargs)
        if func in (Tensor.tolist, Tensor.numpy, Tensor.__array__) and owner.device_of(args[0]) == CUDA:
            if func is not Tensor.tolist:
                raise TwoDevicesError(f"a tensor on {CUDA} can't be converted to numpy: use `Tensor.cpu()` first")
            owner.wait("Tensor.tolist")
        if func is Tensor.new_tensor:
            kwargs.setdefault("device", owner.device_of(args[0]))
        return func(*args, **kwargs) if kwargs.get("device") is None else self._made(func, args, kwargs)

    def _made(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Calls a function that makes tensors on a device."""
        device = _named(kwargs["device"])
        if (generator := kwargs.get("generator")) is not None and generator.device != device:
            raise TwoDevicesError(f"{func.__name__} on {device} was given a generator of {generator.device}")
        out = func(*args, **{**kwargs, "device": CPU})
        if func in _FROM_LISTS and device == CUDA:
            out = out.clone()  # `as_tensor` may return what it is given
            self._owner.wait(f"torch.{func.__name__}")
        self._owner.note(out, device)
        return out

    def _moved(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Does what `Tensor.to` does."""
        owner, copies, like = self._owner, kwargs.pop("copy", False), (*args, None)[0]
        device, dtype, non_blocking, form = torch._C._nn._parse_to(*args, **kwargs)
        if isinstance(like, Tensor):
            device = owner.device_of(like)
        moves = device is not None and _named(device) != owner.device_of(tensor)
        if moves:
            owner.copied(tensor, _named(device), blocking=not non_blocking, name="Tensor.to")
        form = form or torch.preserve_format
        out = tensor.to(CPU, dtype or tensor.dtype, copy=copies or moves, memory_format=form)
        if moves:
            owner.note(out, _named(device))
        return out


def _named(device: Any) -> torch.device:
    return CUDA if torch.device(device).type == "cuda" else torch.device(device)
