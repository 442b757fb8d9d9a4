"""One decoding step: one or a few new positions for each row, with as few operations as the network allows.

`Decoder.hidden` with a `Cached` does the same for any number of positions. Here the weights are laid out once for few
positions: pairs that RoPE rotates lie side by side, so that a rotation is one complex product, and the linear layers
may be 8-bit.

Axes: B rows, L new positions of each, M = B * L of them, D width, N heads, H head width, C capacity.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.decoding.engine import Quantization
from model.decoding.engine.matrices import Matrix, matrix
from model.network.cache import KVCache, Window
from model.network.decoder import Decoder
from model.network.feedforward import Experts, SwiGLU, route
from model.network.layers import Ahead, Attention, Block, rotary_angles
from stages.errors import UsageError


@torch.inference_mode()
def laid_out(network: Decoder, quantization: Quantization) -> "Step | None":
    """Lays a network out for single steps; None if that isn't possible, and the network itself is to be called.

    Raises:
        UsageError: if it isn't possible, but 8-bit weights are asked for.
    """
    if Step.fits(network):
        return Step(network, quantization=quantization)
    if quantization != "none":
        raise UsageError(
            f"`quantize` must be `none`, but is `{quantization}`: it is for models with `model.arch: llama` on a CPU."
        )
    return None


class _Layer:
    """The weights of one block."""

    def __init__(self, block: Block, quantization: Quantization, order_H: Tensor) -> None:
        attention = cast("Attention", block.attention)
        heads, keys, width = attention.heads, attention.kv_heads, attention.head_width
        qkv = attention.qkv.weight.detach().view(heads + 2 * keys, width, -1)
        rotated = qkv[: heads + keys].index_select(1, order_H)
        laid_out_ED = torch.cat((rotated, qkv[heads + keys :])).flatten(0, 1).contiguous()
        self.qkv: Matrix = matrix(laid_out_ED, quantization)
        self.kv: Matrix = matrix(laid_out_ED[heads * width :], quantization)
        self.out: Matrix = matrix(attention.out.weight.detach(), quantization)
        experts = block.feedforward
        self.feedforward: _SwiGLU | _Experts = (
            _Experts(experts, quantization) if isinstance(experts, Experts) else _SwiGLU(experts, quantization)
        )
        self.attention_gain_D = block.attention_norm.gain.detach()
        self.feedforward_gain_D = block.feedforward_norm.gain.detach()


class _SwiGLU:
    """The weights of a feed-forward."""

    def __init__(self, whole: SwiGLU, quantization: Quantization) -> None:
        self._gate_up = matrix(whole.gate_up.weight.detach(), quantization)
        self._down = matrix(whole.down.weight.detach(), quantization)

    def __call__(self, x_MD: Tensor) -> Tensor:
        gate, up = self._gate_up(x_MD).chunk(2, dim=-1)
        return self._down(F.silu(gate).mul_(up))


class _Experts:
    """The weights of a mixture of experts. Each chosen expert is applied once, to all rows that chose it."""

    def __init__(self, whole: Experts, quantization: Quantization) -> None:
        self._router_ED, self._lifts_E, self._per_token = whole.router.detach(), whole.lifts_E, whole.per_token
        self._experts = [_SwiGLU(cast("SwiGLU", expert), quantization) for expert in whole.experts]

    def __call__(self, x_MD: Tensor) -> Tensor:
        # Sums row by row: in a matrix product, the last bit may depend on the other rows.
        scores_ME = (x_MD[:, None] * self._router_ED).sum(-1)
        share_MA, chosen_MA = route(scores_ME, self._lifts_E, self._per_token)
        made_MAD = x_MD.new_empty(*chosen_MA.shape, x_MD.shape[1])
        rows: dict[int, list[tuple[int, int]]] = {}
        for row, numbers in enumerate(chosen_MA.tolist()):
            for place, number in enumerate(numbers):
                rows.setdefault(number, []).append((row, place))
        for number, places in rows.items():
            row_R, place_R = torch.tensor(places).unbind(1)
            made_MAD[row_R, place_R] = self._experts[number](x_MD[row_R])
        return (share_MA[..., None] * made_MAD).sum(1)


class _Ahead:
    """The layer of a head ahead."""

    def __init__(self, head: Ahead, quantization: Quantization) -> None:
        self._up = matrix(head.up.weight.detach(), quantization)
        self._down = matrix(head.down.weight.detach(), quantization)

    def __call__(self, hidden_BD: Tensor) -> Tensor:
        return self._down(F.silu(self._up(hidden_BD))).add_(hidden_BD)


class _Past:
    """What each row of a cache has read, and what a step sees of it.

    Args:
        cache: The positions read so far.
        window: What may be attended to; None for all.
    """

    def __init__(self, cache: KVCache, window: Window | None) -> None:
        self.window = window
        self._lengths_B = cache.lengths_B
        read = cache.lengths_B.tolist()
        first = window.first_B.tolist() if window else [0] * len(read)
        self.rows: list[tuple[int, int]] = list(zip(read, first, strict=True))
        """Of each row, how many positions it has read, and how many stay in sight."""
        self._seen: dict[tuple[int, int], Tensor | None] = {}

    def slots(self, new: int) -> Tensor:
        """Returns the slots of so many new positions of each row, `[M]`, row after row."""
        places_BL = self._lengths_B[:, None] + torch.arange(new)
        return (self.window.slots(places_BL) if self.window else places_BL).flatten()

    def seen(self, row: int, later: int) -> Tensor | None:
        """Returns the slots that a new position sees, in the order of the positions; None for all up to its own."""
        if self.window is None:
            return None
        read, first = self.rows[row]
        place = read + later
        nearest = max(first, place + 1 - self.window.size)
        if nearest == first:
            return None
        if (row, later) not in self._seen:
            near = torch.arange(nearest, place + 1) - first
            if self.window.ring:
                near = near % self.window.ring
            self._seen[row, later] = torch.cat((torch.arange(first), first + near))
        return self._seen[row, later]


class Step:
    """Computes steps of a float32 Llama network.

    Args:
        network: In evaluation mode; its weights are read once.
        quantization: How the linear layers are held.
    """

    def __init__(self, network: Decoder, *, quantization: Quantization = "none") -> None:
        config = network.config
        self._heads, self._keys, self._width = config.heads, config.num_kv_heads, config.head_width
        device = network.token_embedding.weight.device
        half = torch.arange(self._width // 2, device=device)
        self.order_H = torch.stack((half, half + self._width // 2), dim=1).flatten()
        """Where each feature of a rotated head comes from: the pairs (i, i + H/2) side by side."""
        blocks = cast("list[Block]", list(network.blocks))
        self._layers = [_Layer(block, quantization, self.order_H) for block in blocks]
        self._gain_D, self._eps = network.norm.gain.detach(), config.norm_eps
        self._theta = config.rope_theta
        self._alone = quantization != "none"
        self._head = matrix(cast("torch.nn.Linear", network.heads[0]).weight.detach(), quantization)
        self._outputs = network.codebook_size + 1
        heads = cast("list[Ahead]", list(network.ahead))
        self.ahead = [_Ahead(head, quantization) for head in heads]
        """The layers of the heads ahead, each from hidden states `[B, D]` to what head 0 is given."""

    @staticmethod
    def fits(network: Decoder) -> bool:
        """Returns whether a network can be stepped so: Llama blocks in float32, on a CPU."""
        weight = network.token_embedding.weight
        return network.config.arch == "llama" and weight.dtype == torch.float32 and weight.device.type == "cpu"

    def hidden(self, x_BLD: Tensor, positions_BL: Tensor, cache: KVCache, *, window: Window | None = None) -> Tensor:
        """Computes what the network makes of L new positions a row, and writes their keys and values.

        Args:
            x_BLD: Input embeddings.
            positions_BL: Of the rotary embedding.
            cache: Its keys are laid out as `order_H` says. `KVCache.advance` makes the new ones count.
            window: What may be attended to, and where it lies.

        Returns:
            The normalised output of the last layer, `[B, L, D]`.
        """
        rows, new, width = x_BLD.shape
        turned, past = self._heads + self._keys, _Past(cache, window)
        row_M, slot_M = torch.arange(rows).repeat_interleave(new), past.slots(new)
        rotation = torch.complex(*rotary_angles(positions_BL.flatten(), self._width, self._theta))
        x_MD, shape = x_BLD.reshape(-1, width), (width,)
        for layer, kv in zip(self._layers, cache.kv, strict=True):
            normed = F.rms_norm(x_MD, shape, layer.attention_gain_D, self._eps)
            qkv = layer.qkv(normed).view(rows * new, -1, self._width)
            torch.view_as_complex(qkv.view(rows * new, -1, self._width // 2, 2)[:, :turned]).mul_(rotation)
            kv[:, row_M, :, slot_M] = qkv[:, self._heads :].view(rows * new, 2, self._keys, self._width)
            queries_BLNH = qkv[:, : self._heads].view(rows, new, self._heads, self._width)
            mixed_BLNH = self._attend(queries_BLNH, kv, past, range(rows))
            x_MD = layer.out(mixed_BLNH.reshape(rows * new, width)).add_(x_MD)
            normed = F.rms_norm(x_MD, shape, layer.feedforward_gain_D, self._eps)
            x_MD = layer.feedforward(normed).add_(x_MD)
        return F.rms_norm(x_MD, shape, self._gain_D, self._eps).view(rows, new, width)

    def _attend(self, q_BLNH: Tensor, kv: Tensor, past: "_Past", rows: Sequence[int]) -> Tensor:
        """Attends from the new positions of some rows to those read before, and to each other causally, `[B, L, N, H]`.

        Each row attends by itself, so that it comes out to the last bit as it would alone, and needs no mask. Rounding
        to 8 bits makes differences of the last bit large, which would show in which code is the likeliest.

        Args:
            q_BLNH: The queries.
            kv: Keys and values of all rows, `[2, rows, N, C, H]`.
            past: How many positions each of all rows has read, and what is seen of them.
            rows: Which rows the queries are of.
        """
        q_BNLH, alike = q_BLNH.transpose(1, 2), {past.rows[row] for row in rows}
        if len(alike) == 1 and len(rows) == kv.shape[1]:
            return self._up_to(q_BNLH, kv, past, 0).transpose(1, 2)
        each = [
            self._up_to(q_BNLH[place : place + 1], kv[:, row : row + 1], past, row) for place, row in enumerate(rows)
        ]
        return torch.cat(each).transpose(1, 2)

    def _up_to(self, q_BNLH: Tensor, kv: Tensor, past: "_Past", row: int, later: int = 0) -> Tensor:
        """Attends from the positions `later` than the first one that a row hasn't read; all given rows are like it."""
        new, grouped = q_BNLH.shape[2], self._heads != self._keys
        if new > 1 and (self._alone or past.window):  # as so many steps would
            places = enumerate(torch.split(q_BNLH, 1, 2))
            return torch.cat([self._up_to(q, kv, past, row, place) for place, q in places], 2)
        seen_C = past.seen(row, later)
        if seen_C is not None:
            keys, values = kv.index_select(3, seen_C)
            return F.scaled_dot_product_attention(q_BNLH, keys, values, enable_gqa=grouped)
        read = past.rows[row][0] + later
        end = read + new
        mask = None if new == 1 else torch.ones(new, end, dtype=torch.bool).tril(read)
        keys, values = kv[..., :end, :]
        return F.scaled_dot_product_attention(q_BNLH, keys, values, attn_mask=mask, enable_gqa=grouped)

    def early(
        self,
        x_BD: Tensor,
        positions_B: Tensor,
        cache: KVCache,
        *,
        first: int,
        sure: Callable[[Tensor, Tensor], Tensor],
        window: Window | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Computes what `hidden` does, but only as many layers of each row as it takes to be sure of the next code.

        For later positions, the keys and values of the layers left out are made from the last output that there is, by
        these layers' own projections.

        Sources: the propagated state, CALM, section 3, https://arxiv.org/abs/2207.07061, after Depth-Adaptive
        Transformer, https://arxiv.org/abs/1910.10073.

        Args:
            x_BD: As in `hidden`.
            positions_B: As in `hidden`.
            cache: As in `hidden`.
            first: The first layer, counted from 1, after which a row may end.
            sure: Given logits as `logits` returns them, and the numbers of their rows, returns which of the rows may
                end there.
            window: As in `hidden`.

        Returns:
            The normalised output of each row's last layer, `[B, D]`, and how many layers it took, `[B]` int64.
        """
        rows, turned = len(x_BD), self._heads + self._keys
        past = _Past(cache, window)
        slot_B = past.slots(1)
        rotation = torch.complex(*rotary_angles(positions_B, self._width, self._theta))
        going, out_BD = torch.arange(rows), torch.empty_like(x_BD)
        depth_B = torch.full((rows,), len(self._layers))
        for number, (layer, kv) in enumerate(zip(self._layers, cache.kv, strict=True), start=1):
            normed = F.rms_norm(x_BD, x_BD.shape[1:], layer.attention_gain_D, self._eps)
            qkv = layer.qkv(normed).view(len(going), -1, self._width)
            torch.view_as_complex(qkv.view(len(going), -1, self._width // 2, 2)[:, :turned]).mul_(rotation[going])
            kv[:, going, :, slot_B[going]] = qkv[:, self._heads :].view(len(going), 2, self._keys, self._width)
            mixed = self._attend(qkv[:, None, : self._heads], kv, past, going.tolist())
            x_BD = layer.out(mixed.flatten(1)).add_(x_BD)
            normed = F.rms_norm(x_BD, x_BD.shape[1:], layer.feedforward_gain_D, self._eps)
            x_BD = layer.feedforward(normed).add_(x_BD)
            if number < first or number == len(self._layers):
                continue
            normed = F.rms_norm(x_BD, x_BD.shape[1:], self._gain_D, self._eps)
            ends = sure(self.logits(normed), going)
            if ends.any():
                gone, going = going[ends], going[~ends]
                out_BD[gone], depth_B[gone] = normed[ends], number
                self._propagate(x_BD[ends], gone, (rotation[gone], slot_B[gone]), cache.kv[number:])
                x_BD = x_BD[~ends]
            if not len(going):
                return out_BD, depth_B
        out_BD[going] = F.rms_norm(x_BD, x_BD.shape[1:], self._gain_D, self._eps)
        return out_BD, depth_B

    def _propagate(self, x_MD: Tensor, rows: Tensor, places: tuple[Tensor, Tensor], left: Tensor) -> None:
        """Writes the keys and values of these rows in the layers `left`, made from the output of the layer before.

        Args:
            x_MD: That output.
            rows: The rows.
            places: The rotation and the slot of each.
            left: Keys and values of all rows in these layers.
        """
        rotation, slots = places
        for layer, all_kv in zip(self._layers[len(self._layers) - len(left) :], left, strict=True):
            normed = F.rms_norm(x_MD, x_MD.shape[1:], layer.attention_gain_D, self._eps)
            kv = layer.kv(normed).view(len(rows), -1, self._width)
            torch.view_as_complex(kv.view(len(rows), -1, self._width // 2, 2)[:, : self._keys]).mul_(rotation)
            all_kv[:, rows, :, slots] = kv.view(len(rows), 2, self._keys, self._width)

    def logits(self, hidden_BD: Tensor) -> Tensor:
        """Computes the float32 logits of codebook 0, `[B * G, V]`, G the frames of a group."""
        logits: Tensor = self._head(hidden_BD).view(-1, self._outputs)
        return logits

    def arrange(self, cache: KVCache) -> None:
        """Brings the keys that `Decoder.hidden` wrote into the order of `order_H`."""
        keys = cache.kv[:, 0, ..., : cache.longest, :]
        keys.copy_(keys.index_select(-1, self.order_H))
