"""Where the network runs, in which precision, and what the machine is called.

What only training needs (Fabric, strategies) is in `model.training.parallel.fabric`: to speak mustn't load it.
"""

from typing import Literal

import torch

from model.config import Precision
from stages.errors import UsageError
from stages.machine import cores, parse_device, processor

AMPERE = 8, 0
"""The compute capability from which CUDA devices multiply in bfloat16 and have flash attention."""


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Tells whether a device multiplies in bfloat16: CUDA devices do from Ampere on, and newer CPUs."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= AMPERE
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def resolve_precision(name: Precision, device: torch.device) -> Literal["32-true", "bf16-mixed", "bf16-true"]:
    """Returns what `auto` stands for on a device: bf16-mixed where it multiplies in bfloat16.

    There training is about three times as fast with it, elsewhere slower.
    """
    if name != "auto":
        return name
    return "bf16-mixed" if multiplies_in_bfloat16(device) else "32-true"


def inference_dtype(device: torch.device) -> torch.dtype:
    """Returns in what a network speaks on a device: bfloat16 on CUDA from Ampere on, else float32.

    Not float16 on older ones: what a network that learnt in bfloat16 or float32 passes on may be beyond float16's
    range (65504), and would become inf. Float32 holds the weights as they were trained, as `32-true` does there.
    """
    return torch.bfloat16 if device.type == "cuda" and multiplies_in_bfloat16(device) else torch.float32


def resolve_device(name: str) -> torch.device:
    """Returns the device that `auto`, `cpu`, `cuda` or `cuda:N` names.

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
    """Returns what the measurement ran on, in a line."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{processor()}, {cores()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
