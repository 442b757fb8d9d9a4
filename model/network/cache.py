"""The KV cache: keys and values of the positions read so far, allocated by the caller and passed in.

Axes: B batch, L positions, N heads, H head width, C capacity.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from model.architecture import ModelConfig
from model.network.attention import sdpa
from model.network.retention import recurrent
from model.network.ssm import Scan, kept


@dataclass(slots=True)
class KVCache:
    """Fixed-size buffers, and how many positions of each row they contain."""

    kv: Tensor
    """For attention, keys and values `[layers, 2, B, N, C, H]`: those of a head lie side by side, so that a step reads
    them in one go. For retention, states `[layers, B, N, H, H]`; for a state space, what `Scan.rows` keeps, `[layers,
    B, ...]`: both in float32 at least, of a size that doesn't depend on the length."""
    lengths_B: Tensor
    """Positions read in each row, `[B]` int64."""
    longest: int
    """Maximum of `lengths_B`, kept on the CPU so that no one waits for the device."""
    capacity: int | None
    """C; None for states, which have no limit."""

    @classmethod
    def allocate(
        cls, config: ModelConfig, batch: int, capacity: int, *, device: torch.device, dtype: torch.dtype
    ) -> "KVCache":
        """Allocates an empty cache for `batch` rows of at most `capacity` positions."""
        lengths_B = torch.zeros(batch, dtype=torch.int64, device=device)
        if config.is_recurrent:
            each: tuple[int, ...] = config.heads, config.head_width, config.head_width
            if config.arch == "mamba":
                each = (kept(config.heads, 2 * config.head_width, config.state_size),)
            wide = torch.promote_types(dtype, torch.float32)
            state = torch.zeros(config.layers, batch, *each, device=device, dtype=wide)
            return cls(state, lengths_B, 0, None)
        shape = (config.layers, 2, batch, config.num_kv_heads, capacity, config.head_width)
        return cls(torch.zeros(shape, device=device, dtype=dtype), lengths_B, 0, capacity)

    def advance(self, lengths: Tensor | int, longest: int) -> None:
        """Marks the positions just written as read.

        Args:
            lengths: Positions added to each row: `[B]`, or one number for all rows.
            longest: Maximum of `lengths`.
        """
        self.lengths_B.add_(lengths)
        self.longest += longest

    def reach(self, new: int, rounded_to: int) -> int:
        """Returns up to which slot so many new positions look: a multiple of `rounded_to`, or all there are."""
        end = -(-(self.longest + new) // rounded_to) * rounded_to
        return end if self.capacity is None else min(end, self.capacity)

    @property
    def rows(self) -> int:
        """Rows that the buffers hold, used or not."""
        return self.kv.shape[self._row_axis]

    def part(self, start: int, rows: int, lengths_B: Tensor, longest: int) -> "KVCache":
        """Returns a cache of some rows, in the same buffers, with their lengths."""
        return KVCache(self.kv.narrow(self._row_axis, start, rows), lengths_B, longest, self.capacity)

    def copy_rows(self, other: "KVCache", rows: Tensor, start: int, longest: int) -> None:
        """Copies rows of another cache into the rows from `start` on; the lengths stay as they are.

        Args:
            other: The other cache, of the same network, and with the same ring (`Window`), if any.
            rows: Its rows, `[B]`.
            start: First row to fill.
            longest: Positions to copy; with a ring, no more than both caches have slots.
        """
        into, source = self.kv.narrow(self._row_axis, start, len(rows)), other.kv
        if self.capacity is not None and other.capacity is not None:
            slots = min(longest, self.capacity, other.capacity)
            into, source = into[..., :slots, :], source[..., :slots, :]
        into.copy_(source.index_select(self._row_axis, rows))

    def copy_row(self, row: int, to: int, length: int) -> None:
        """Copies the positions of a row to another row; the lengths stay as they are."""
        source, into = self.kv.select(self._row_axis, row), self.kv.select(self._row_axis, to)
        if self.capacity is not None:
            source, into = source[..., :length, :], into[..., :length, :]
        into.copy_(source)

    def widened(self, rows: Tensor) -> "KVCache":
        """Returns a cache whose rows are copies of these rows."""
        return KVCache(self.kv.index_select(self._row_axis, rows), self.lengths_B[rows], self.longest, self.capacity)

    def replace(self, rows: Tensor, start: int) -> None:
        """Replaces each row by a copy of another one of the same length.

        Args:
            rows: The row to copy, for each row.
            start: Positions that the two have in common, and that needn't be copied.
        """
        used = self.kv if self.capacity is None else self.kv[..., start : self.longest, :]
        used.copy_(used.index_select(self._row_axis, rows))

    @property
    def _row_axis(self) -> int:
        return 1 if self.capacity is None else 2


@dataclass(frozen=True, slots=True)
class Window:
    """The positions that new ones may attend to: the first ones, and the last ones before themselves."""

    first_B: Tensor
    """First positions of each row, `[B]`: what is given before decoding begins."""
    size: int
    """Last positions, the new one included."""
    ring: int | None = None
    """Slots of each row after its first ones, which the later positions take in turns; None: a slot for each. They
    must be as many as `size`, and one more for each position that may be read, not taken, and overwritten."""

    def slots(self, places_BL: Tensor) -> Tensor:
        """Returns the slots of positions, given their places in their rows, `[B, L]`."""
        if self.ring is None:
            return places_BL
        first_B1 = self.first_B[:, None]
        return torch.where(places_BL < first_B1, places_BL, first_B1 + (places_BL - first_B1) % self.ring)


class Cached:
    """Attention, retention or a state space for decoding.

    Each row gets L new positions, which attend to the row's cached positions and causally to each other. A call writes
    the new keys and values; after all layers call `KVCache.advance`. If rows differ in length, pad at the right:
    padding is overwritten by the next positions (attention) or ignored (the others).

    Args:
        cache: The positions read so far.
        length: L, the new positions of each row, including padding.
        lengths_B: New positions of each row without padding; L for all rows if not given.
        window: Limits what may be attended to; only for attention.
        rounded_to: Slots are looked at up to a multiple of so many; those without a position count for nothing.
    """

    def __init__(
        self,
        cache: KVCache,
        length: int,
        lengths_B: Tensor | None = None,
        *,
        window: Window | None = None,
        rounded_to: int = 1,
    ) -> None:
        self._ring = None if window is None else window.ring
        if cache.capacity is not None and not self._ring and cache.longest + length > cache.capacity:
            raise ValueError(f"the cache must hold {cache.longest + length} positions, but has {cache.capacity}")
        self.end = cache.reach(length, rounded_to)
        self.cache = cache
        self.window = window
        self.length = length
        self.lengths_B = torch.full_like(cache.lengths_B, length) if lengths_B is None else lengths_B

    @cached_property
    def _places_BL(self) -> Tensor:  # noqa: N802 (its axes)
        """The place in its row of each new position."""
        lengths_B = self.cache.lengths_B
        return lengths_B[:, None] + torch.arange(self.length, device=lengths_B.device)

    @cached_property
    def _slots(self) -> tuple[Tensor, Tensor]:
        """Row `[B, 1]` and slot `[B, L]` of each new position."""
        places_BL = self._places_BL
        rows_B = torch.arange(len(places_BL), device=places_BL.device)
        return rows_B[:, None], places_BL if self.window is None else self.window.slots(places_BL)

    @cached_property
    def _held_BC(self) -> Tensor:  # noqa: N802 (its axes)
        """The place in its row of the position that each slot holds; negative where it holds none."""
        places_BL = self._places_BL
        slots_C = torch.arange(self.end, device=places_BL.device)
        if self.window is None or self._ring is None:
            return slots_C.expand(len(places_BL), -1)
        first_B1, last_B1 = self.window.first_B[:, None], places_BL[:, -1:]
        turn_BC = slots_C - first_B1
        latest_BC = last_B1 - (last_B1 - slots_C) % self._ring
        filled_BC = (turn_BC < self._ring) & (latest_BC >= first_B1)
        return torch.where(turn_BC < 0, slots_C, torch.where(filled_BC, latest_BC, -1))

    @cached_property
    def _mask_B1LC(self) -> Tensor | None:  # noqa: N802 (its axes)
        """The slots that each new position may attend to; None for all."""
        if self._places_BL.numel() == 1 and self.window is None and self.end == self.cache.longest + 1:
            return None
        return self._allowed(self._held_BC)

    @cached_property
    def _own_B1LL(self) -> Tensor:  # noqa: N802 (its axes)
        """Which of each other the new positions of an empty cache may attend to."""
        return self._allowed(self._places_BL)

    def _allowed(self, held_BC: Tensor) -> Tensor:
        """Returns which of these places each new position may attend to, `[B, 1, L, C]`."""
        held_B1C, own_BL1 = held_BC[:, None], self._places_BL[:, :, None]
        allowed_BLC = (held_B1C >= 0) & (held_B1C <= own_BL1)
        if self.window:
            near_BLC = held_B1C > own_BL1 - self.window.size
            allowed_BLC = allowed_BLC & (near_BLC | (held_B1C < self.window.first_B[:, None, None]))
        return allowed_BLC[:, None]

    @cached_property
    def _stay(self) -> tuple[Tensor, Tensor] | None:
        """Row and number of the new positions that are to be written, `[W]` each; None for all.

        In a ring, many new positions share slots, and padding would take those of positions.
        """
        if self.window is None or self._ring is None or self.cache.longest:
            return None
        places_BL, ends_B1 = self._places_BL, self.lengths_B[:, None]
        recent_BL = (places_BL < self.window.first_B[:, None]) | (places_BL >= ends_B1 - self._ring)
        rows_W, numbers_W = torch.nonzero(recent_BL & (places_BL < ends_B1), as_tuple=True)
        return rows_W, numbers_W

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[B, L, N, H]` tensors."""
        keys, values = self.cache.kv[layer].transpose(2, 3)
        if self._stay is None:
            keys[self._slots] = k.to(keys.dtype)
            values[self._slots] = v.to(values.dtype)
        else:
            slots_W = self._slots[1][self._stay]
            keys[self._stay[0], slots_W] = k[self._stay].to(keys.dtype)
            values[self._stay[0], slots_W] = v[self._stay].to(values.dtype)
        if not self.cache.longest:
            return sdpa(q, k, v, causal=True) if self.window is None else sdpa(q, k, v, mask=self._own_B1LL)
        return sdpa(q, keys[:, : self.end].to(q.dtype), values[:, : self.end].to(q.dtype), mask=self._mask_B1LC)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes retention on `[B, L, N, H]` tensors."""
        state_BNHH, read_B = self.cache.kv[layer], self.cache.lengths_B
        out, self.cache.kv[layer] = recurrent(q, k, v, state_BNHH, read_B=read_B, new_B=self.lengths_B)
        return out

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Computes a state space on `[B, L, E]` features, forwards."""
        out, self.cache.kv[layer] = ways[0].rows(features, steps, self.cache.kv[layer], self.lengths_B)
        return out
