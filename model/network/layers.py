"""The parts of a block: RMSNorm, rotary positions, and attention, retention or a state space.

Axes: ... any leading axes, L positions, D width, N heads, H head width.
"""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from model.architecture import Arch, ModelConfig
from model.network.attention import Attend
from model.network.feedforward import Experts, SwiGLU
from model.network.ssm import Scan, wide


class RMSNorm(nn.Module):
    """Divides by the root mean square over the width and multiplies by a gain.

    Source: Zhang and Sennrich, https://arxiv.org/abs/1910.07467.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalises the last axis, in float32 at least."""
        return F.rms_norm(wide(x), self.gain.shape, self.gain.to(wide(x).dtype), self.eps).to(x.dtype)


def rotary_angles(positions: Tensor, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Returns the cosines and sines of each position's rotation, both `[..., L, 1, H/2]` float32.

    Source: RoFormer, section 3.2.2, https://arxiv.org/abs/2104.09864.
    """
    exponents = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32) / head_width
    angles = (positions[..., None].float() * theta**-exponents)[..., None, :]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs (i, i + H/2) of `[..., L, N, H]` by the angles of `rotary_angles`; keeps the dtype."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Self-attention with rotary positions and, if configured, fewer key heads than query heads.

    Source: grouped queries, https://arxiv.org/abs/2305.13245.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.num_kv_heads, config.head_width
        self.qkv = nn.Linear(config.width, (self.heads + 2 * self.kv_heads) * self.head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, attend: Attend) -> Tensor:
        """Mixes the positions of `[..., L, D]` as `attend` allows."""
        heads = self.qkv(x).unflatten(-1, (-1, self.head_width))
        q, k, v = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=-2)
        mixed = attend(layer, rotate(q, *angles), rotate(k, *angles), v)
        out: Tensor = self.out(mixed.flatten(-2))
        return out


class Retention(nn.Module):
    """Gated multi-scale retention, one decay per head (`model.network.retention`).

    As in the paper, queries and keys are rotated like rotary positions, each head is normalised by itself, and a gate
    multiplies the result. The paper's values and gate are twice as wide and its feed-forward narrower; here all widths
    are those of `Attention`.

    Source: RetNet, sections 2.1 and 2.2, https://arxiv.org/abs/2307.08621.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.head_width, self.eps = config.heads, config.head_width, config.norm_eps
        self.qkvg = nn.Linear(config.width, 4 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, attend: Attend) -> Tensor:
        """Mixes the positions of `[..., L, D]` as `attend` allows."""
        q, k, v, gate = self.qkvg(x).unflatten(-1, (4, self.heads, self.head_width)).unbind(-3)
        mixed = attend.retain(layer, rotate(q, *angles), rotate(k, *angles) * self.head_width**-0.5, v)
        normed = F.layer_norm(mixed.float(), (self.head_width,), eps=self.eps).to(gate.dtype)
        out: Tensor = self.out((F.silu(gate) * normed).flatten(-2))
        return out


class Mamba(nn.Module):
    """Mamba-2's layer (`model.network.ssm`), with a gate and a norm over all heads.

    As in the paper, heads are twice as wide together as the network, and share b and c. The network has no positions:
    their order is in the state.

    Source: Mamba-2, section 7 and figure 6, https://arxiv.org/abs/2405.21060.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, width = config.heads, 2 * config.width
        self.ways = nn.ModuleList(Scan(self.heads, width // self.heads, config.state_size) for _ in range(2))
        self.sizes = width, width + 2 * config.state_size, self.heads
        self.inputs = nn.Linear(config.width, sum(self.sizes), bias=False)
        self.norm = RMSNorm(width, config.norm_eps)
        self.out = nn.Linear(width, config.width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, attend: Attend) -> Tensor:  # noqa: ARG002
        """Mixes the positions of `[..., L, D]` as `attend` allows."""
        gate, features, steps = self.inputs(x).split(self.sizes, -1)
        forwards, backwards = self.ways
        mixed = attend.scan(layer, features, steps, (cast("Scan", forwards), cast("Scan", backwards)))
        gated = (wide(mixed.flatten(-2)) * F.silu(wide(gate))).to(x.dtype)
        out: Tensor = self.out(self.norm(gated))
        return out


MIXERS: dict[Arch, type[Attention] | type[Retention] | type[Mamba]] = {
    "llama": Attention,
    "retnet": Retention,
    "mamba": Mamba,
}
"""The layer that mixes the positions, by `model.arch`."""


class Ahead(nn.Module):
    """The layer before head 0 that makes it predict a later step: h + W2 SiLU(W1 h).

    In Medusa, section 2.1.1, https://arxiv.org/abs/2401.10774, each head has the residual layer h + SiLU(W1 h) and a
    vocabulary matrix of its own, which with grouped codes would be several times as large as W2. Here all share head
    0's; W2 makes up for what a residual that is never below -0.28 can't express.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, width, bias=False)
        self.down = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps each position of `[..., D]` separately."""
        out: Tensor = x + self.down(F.silu(self.up(x)))
        return out


class Block(nn.Module):
    """A pre-norm block: attention or what replaces it, then the feed-forward, each added to its input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_eps)
        self.attention = MIXERS[config.arch](config)
        self.feedforward_norm = RMSNorm(config.width, config.norm_eps)
        self.feedforward = SwiGLU(config) if config.experts == 1 else Experts(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, attend: Attend) -> Tensor:
        """Maps `[..., L, D]` to the same shape."""
        x = x + self.dropout(self.attention(self.attention_norm(x), angles, layer, attend))
        out: Tensor = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return out
