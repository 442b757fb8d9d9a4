"""The feed-forward of a block: a single one, or a mixture of experts.

Axes: ... any leading axes, M positions, D width, E experts, A experts per position.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from model.architecture import ModelConfig

AT_ONCE = {"cuda": 32}
"""Most positions that all experts map at inference, by kind of device; on others none do. There the host needn't wait
to learn who goes where, so that a step of decoding fits into a CUDA graph, and its cost is that of reading weights."""
LIFT = 0.001
"""What an expert's bias changes per update; gamma of DeepSeek-V3."""


def waits(experts: int, positions: int, device: torch.device) -> bool:
    """Returns whether the host waits to learn who goes where, so that no CUDA graph can do it; at inference.

    Args:
        experts: `model.experts`.
        positions: How many are mapped together.
        device: The network's.
    """
    return experts > 1 and positions > AT_ONCE.get(device.type, 0)


class SwiGLU(nn.Module):
    """The gated feed-forward. Source: Shazeer, https://arxiv.org/abs/2002.05202."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps each position of `[..., D]` separately."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class Experts(nn.Module):
    """A mixture of experts: each position goes through those that a router gives the most to.

    No position is dropped, and none depends on others of its batch: any number may choose the same expert. What keeps
    the experts equally busy is a bias per expert that counts for the choice, not for what the chosen ones weigh: after
    each update it rises by `LIFT` if the expert was chosen less often than the mean, and falls if more often. Unlike a
    term in the loss (Switch Transformers, eq. 4), this pulls no gradient away from the loss, and is the same however an
    update's positions are split into batches, parts and devices, as it follows from whole numbers alone. The bias is
    kept as a whole number of lifts, which no precision rounds.

    Sources: routing and weights, Mixtral, section 2.1, https://arxiv.org/abs/2401.04088; the bias, DeepSeek-V3, section
    2.1.2, https://arxiv.org/abs/2412.19437.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.per_token = config.active_experts
        # Not a linear layer: it has no adapters and isn't quantised, since a small change would choose other experts.
        self.router = nn.Parameter(torch.empty(config.experts, config.width))
        self.experts = nn.ModuleList(SwiGLU(config) for _ in range(config.experts))
        self.lifts_E: Tensor
        self.register_buffer("lifts_E", torch.zeros(config.experts, dtype=torch.int64))
        self.load_E: Tensor | None = None
        """In training: how often each expert was chosen in the last pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps each position of `[..., D]` separately."""
        flat_MD = x.flatten(0, -2)
        dtype = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            scores_ME = F.linear(flat_MD.to(dtype), self.router.to(dtype))
        share_MA, chosen_MA = route(scores_ME, self.lifts_E, self.per_token)
        if not self.training and not waits(len(self.experts), len(flat_MD), x.device):
            share_ME = torch.zeros_like(scores_ME).scatter(1, chosen_MA, share_MA).to(x.dtype)
            made_MED = torch.stack([expert(flat_MD) for expert in self.experts], 1)
            return (share_ME[:, None] @ made_MED).view_as(x)
        load_E = self.lifts_E.new_zeros(len(self.experts))
        load_E = load_E.scatter_add(0, chosen_MA.flatten(), torch.ones_like(chosen_MA).flatten())
        if self.training:
            self.load_E = load_E
        made_MD: Tensor = self._through(flat_MD, share_MA, chosen_MA, load_E)
        return made_MD.view_as(x)

    def leave_uncompiled(self) -> None:
        """Keeps the experts' numbers of positions, which differ each time, out of `torch.compile`.

        As a decorator, `torch.compiler.disable` would import the compiler into every process: 1.4 s of its start.
        """
        self._through = torch.compiler.disable(self._through)  # type: ignore[method-assign, no-untyped-call]

    def _through(self, flat_MD: Tensor, share_MA: Tensor, chosen_MA: Tensor, load_E: Tensor) -> Tensor:
        order = chosen_MA.flatten().argsort(stable=True)
        own = torch.split(flat_MD[order // self.per_token], load_E.tolist())
        # In training, an expert that nobody chose maps no positions, so that its weights have a gradient (of zeros).
        learns = torch.is_grad_enabled()
        pairs = zip(self.experts, own, strict=True)
        made = torch.cat([expert(part) for expert, part in pairs if len(part) or learns])
        made_MAD = made[order.argsort()].view(*chosen_MA.shape, -1)
        out: Tensor = (share_MA.to(made.dtype)[:, None] @ made_MAD)[:, 0]
        return out

    def exact(self) -> list[nn.Parameter]:
        """Returns the weights that must not be rounded (`Decoder.rounded`)."""
        return [self.router]

    def balance(self, load_E: Tensor) -> None:
        """Lifts the experts that were chosen less often than the mean, and lowers those chosen more often.

        Args:
            load_E: How often each was chosen in all of an update.
        """
        self.lifts_E += (load_E.sum() - load_E * len(load_E)).sign().to(self.lifts_E.device)


def route(scores_ME: Tensor, lifts_E: Tensor, per_token: int) -> tuple[Tensor, Tensor]:
    """Chooses the experts of each position.

    Args:
        scores_ME: The router's scores, in float32.
        lifts_E: The experts' biases, in units of `LIFT`.
        per_token: A.

    Returns:
        What the chosen ones weigh, which sums to 1, and their numbers, `[M, A]` each.
    """
    share_ME = scores_ME.softmax(-1)
    chosen_MA = (share_ME.detach() + LIFT * lifts_E).topk(per_token, -1).indices
    share_MA = share_ME.gather(-1, chosen_MA)
    return share_MA / share_MA.sum(-1, keepdim=True), chosen_MA
