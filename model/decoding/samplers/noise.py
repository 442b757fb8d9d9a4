"""Random numbers that depend on a seed and a place alone: not on the batch, the device or what was drawn before.

A row decoded in a batch, alone, or in a slot that another row left is drawn with the same numbers. No generator moves,
so a step needs no exchange with the host and fits into a CUDA graph.

A place is where a response's code is drawn: by which part of decoding, in which of its passes, for which frame. Each
draw has a place of its own (`first_place`); for codebook 0 step by step (`ar`) it is the frame's number.

Axes: B rows, V codes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

Part = Literal["ar", "nar", "nar-len", "stt", "all"]
"""What draws: codebook 0 step by step, the other codebooks, codebook 0 on a canvas, the tokens of speech to text, all
codebooks on a canvas."""

_PARTS: tuple[Part, ...] = get_args(Part)
_PASS_BITS, _FRAME_BITS = 24, 32

_MIX = (30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)
_STEP = 0x9E3779B97F4A7C15
_LAST = 31
_BITS = 23
"""Of a number: with the half that is added, as many as float32 holds exactly. No number is 0."""


def first_place(part: Part, number: int = 0) -> int:
    """Returns the place of frame 0; the place of a later frame is its number more.

    Args:
        part: What draws.
        number: Of the pass: the codebook in `nar`, the step in `nar-len`; in `all`, and in `nar` with `data.levels:
            masks`, the step times K plus the codebook.
    """
    return (_PARTS.index(part) << _PASS_BITS | number) << _FRAME_BITS


def seeds_of(seeds: Sequence[int], device: "torch.device") -> "Tensor":
    """Returns seeds as an int64 tensor `[B]`; of a longer one the lowest 64 bits count."""
    import torch

    return torch.tensor([_signed(int(seed) % (1 << 64)) for seed in seeds], dtype=torch.int64, device=device)


def keys_of(seeds_B: "Tensor", places_B: "Tensor") -> "Tensor":
    """Combines seeds and places (steps, positions) into keys, `[B]` int64; one key is used for one draw."""
    return mixed(mixed(seeds_B) + places_B * _signed(_STEP))


def keys_at(seeds: Sequence[int], first: int, frames: "Sequence[np.ndarray]") -> "Tensor":
    """Returns the keys of one pass over several responses, on the CPU: of each frame drawn, response after response.

    Args:
        seeds: One per response.
        first: The `first_place` in this pass.
        frames: The numbers of the frames drawn, for each response.
    """
    import numpy as np
    import torch

    counts_B = torch.tensor([len(part) for part in frames])
    places_M = torch.from_numpy(np.concatenate([np.asarray(part, np.int64) for part in frames]) + first)
    return keys_of(seeds_of(seeds, counts_B.device).repeat_interleave(counts_B), places_M)


def again(keys_B: "Tensor") -> "Tensor":
    """Returns keys for a second draw at the same places, independent of the first."""
    return mixed(keys_B ^ _signed(_STEP))


def exponential(keys_B: "Tensor", size: int) -> "Tensor":
    """Returns numbers of the exponential distribution with mean 1, `[B, size]` float32, on the keys' device.

    By splitmix64, a counter-based generator: Steele, Lea, Flood, "Fast splittable pseudorandom number generators"
    (OOPSLA 2014).
    """
    import torch

    counters_V = torch.arange(1, size + 1, device=keys_B.device) * _signed(_STEP)
    bits_BV = _shifted(mixed(keys_B[:, None] + counters_V), 64 - _BITS)
    return -torch.log((bits_BV.float() + 0.5) * 2.0**-_BITS)


def draw(logits_BV: "Tensor", keys_B: "Tensor") -> "Tensor":
    """Draws a code `[B]` for each row, distributed as softmax(logits).

    Uses the exponential race: the argmax of p / e, with e exponential, is distributed as p. It needs no
    synchronisation with the device.

    Args:
        logits_BV: Float logits; at least one of each row is finite.
        keys_B: Of this draw.
    """
    return (logits_BV.softmax(-1) / exponential(keys_B, logits_BV.shape[-1])).argmax(-1)


def mixed(x: "Tensor") -> "Tensor":
    """Mixes the bits of int64 numbers: the finaliser of splitmix64."""
    for shift, factor in _MIX:
        x = (x ^ _shifted(x, shift)) * _signed(factor)
    return x ^ _shifted(x, _LAST)


def _shifted(x: "Tensor", bits: int) -> "Tensor":
    """Shifts right without the sign, which `>>` of PyTorch keeps."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    """Returns the int64 of the same 64 bits."""
    return number - (1 << 64) if number >> 63 else number
