"""Pretended CUDA graphs: what is recorded is done again on the same memory, and nothing else is.

As a graph, a recording knows the addresses of its tensors, the numbers that were there when it was made, and no Python.
What reads a value, or lets a shape depend on one, fails while it is recorded, as does what comes from the host.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.devices import tensors_in

_FROM_HOST = {torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default}


class NotForGraphsError(RuntimeError):
    """An operation that can't be part of a graph."""


class Recording(TorchDispatchMode):
    """Records operations; being called, it does them again.

    While it records they are done, too, so that there are shapes; what they change is put back afterwards.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.replays = 0
        self._done: list[tuple[Any, Sequence[Any], dict[str, Any], list[Tensor]]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        """What was in the storages that existed before, by their addresses."""
        self._own: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @classmethod
    def of(cls, work: Callable[[], None], _: torch.device) -> "Recording":
        """Records work, as `CAPTURES` does."""
        recording = cls()
        try:
            with recording:
                work()
        finally:
            with torch._C._DisableTorchDispatch():  # type: ignore[attr-defined]
                for storage, before in recording._before.values():
                    storage.copy_(before)
        recording._before.clear()
        return recording

    def __call__(self) -> None:
        self.replays += 1
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():  # type: ignore[attr-defined]
            for func, args, kwargs, outs in self._done:
                for out, new in zip(outs, tensors_in(func(*args, **kwargs)), strict=True):
                    if new.data_ptr() != out.data_ptr():
                        out.copy_(new)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = tensors_in((args, kwargs))
        if func._schema.name.startswith("aten::index"):
            depends = any(one.dtype == torch.bool for one in given[1:])  # a mask
        else:
            depends = torch.Tag.dynamic_output_shape in func.tags and kwargs.get("output_size") is None
        if func in _FROM_HOST or torch.Tag.data_dependent_output in func.tags or depends:
            raise NotForGraphsError(str(func))
        for one in given:
            self._keep(one)
        result = func(*args, **kwargs)
        outs = tensors_in(result)
        self._own.update(one.untyped_storage().data_ptr() for one in outs if not self._is_known(one))
        self._done.append((func, args, kwargs, outs))
        return result

    def _is_known(self, tensor: Tensor) -> bool:
        address = tensor.untyped_storage().data_ptr()
        return address in self._own or address in self._before

    def _keep(self, tensor: Tensor) -> None:
        """Keeps what is in the storage of a tensor that existed before, so that it can be put back."""
        if not self._is_known(tensor) and tensor.numel():
            storage = tensor.untyped_storage()
            whole = torch.empty(0, dtype=torch.uint8).set_(storage)  # type: ignore[call-overload]
            self._before[storage.data_ptr()] = whole, whole.clone()
