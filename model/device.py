"""Chooses the device and the precision, and names the hardware.

What only training needs (Fabric, strategies) is in `model.training.parallel.fabric`, so that synthesis doesn't load it.
"""

from typing import Literal

import torch

from model.config import Precision
from stages.errors import UsageError
from stages.machine import cores, parse_device, processor

AMPERE = 8, 0
"""Lowest compute capability with bfloat16 multiplication and flash attention."""


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Returns whether a device multiplies in bfloat16: CUDA from Ampere on, and newer CPUs."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= AMPERE
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def resolve_precision(name: Precision, device: torch.device) -> Literal["32-true", "bf16-mixed", "bf16-true"]:
    """Resolves `auto`: bf16-mixed if the device multiplies in bfloat16, else 32-true.

    With bfloat16 multiplication bf16-mixed is about three times as fast as 32-true; without it, slower.
    """
    if name != "auto":
        return name
    return "bf16-mixed" if multiplies_in_bfloat16(device) else "32-true"


def inference_dtype(device: torch.device) -> torch.dtype:
    """Returns the dtype of the network at inference: bfloat16 on CUDA from Ampere on, else float32.

    Older GPUs don't use float16: activations of a network trained in bfloat16 or float32 may exceed its range (65504)
    and become inf; float32 keeps the weights as trained.
    """
    return torch.bfloat16 if device.type == "cuda" and multiplies_in_bfloat16(device) else torch.float32


def resolve_device(name: str) -> torch.device:
    """Returns the device named `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is CUDA if there is a GPU.

    Raises:
        UsageError: if there is no such device.
    """
    available = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    found = parse_device(name, option="device")
    if found.kind == "cuda" and (found.index or 0) >= available:
        raise UsageError(f"`device` is {name!r}, but {available} CUDA devices are here. Use `--device cpu`.")
    return torch.device(name)


def hardware(device: torch.device) -> str:
    """Returns a line naming the hardware and the version of PyTorch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{processor()}, {cores()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
