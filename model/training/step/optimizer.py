"""The optimisers and the schedule of their learning rate."""

import math

from torch.optim import AdamW, Muon, Optimizer

from model.config import OptimizerConfig
from model.network.decoder import Decoder


def rate_factor(config: OptimizerConfig, step: int, max_steps: int) -> float:
    """Returns the share of the peak learning rate for the update after `step` updates.

    It rises linearly during the warm-up, then follows `schedule`. `wsd`: https://arxiv.org/abs/2404.06395, section 4.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    match config.schedule:
        case "constant":
            return 1.0
        case "wsd":
            start = max(config.warmup_steps, max_steps - round(config.decay_share * max_steps))
            done = (step - start) / max(max_steps - start, 1)
            return 1 - (1 - config.min_lr_ratio) * min(max(done, 0), 1)
        case "cosine":
            done = (step - config.warmup_steps) / max(max_steps - config.warmup_steps, 1)
            return config.min_lr_ratio + (1 - config.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


def set_rate(optimizers: list[Optimizer], factor: float) -> None:
    """Sets every learning rate to this share of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["highest_lr"] * factor


def make_optimizers(network: Decoder, config: OptimizerConfig) -> list[Optimizer]:
    """Makes the optimisers that together update every trained weight exactly once.

    Weight decay applies only to the matrices of the blocks and the heads. With `matrices: muon`, Muon updates the
    blocks' matrices and AdamW the rest.

    Sources: AdamW, https://arxiv.org/abs/1711.05101; Muon, https://kellerjordan.github.io/posts/muon, its updates
    scaled as in section 2.2 of https://arxiv.org/abs/2502.16982.
    """
    matrices = [weight for weight in network.blocks.parameters() if weight.dim() == 2 and weight.requires_grad]
    heads = [*network.heads.parameters(), *network.ahead.parameters()]
    heads = [weight for weight in heads if weight.requires_grad]
    decayed = {id(weight) for weight in [*matrices, *heads]}
    plain = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in decayed]
    groups = [
        {"params": heads, "weight_decay": config.weight_decay, "highest_lr": config.lr},
        {"params": plain, "weight_decay": 0.0, "highest_lr": config.lr},
    ]
    if config.matrices == "adamw" or not matrices:
        groups[0]["params"] = [*matrices, *heads]
        return [AdamW(groups, lr=config.lr, betas=config.betas, fused=True)]
    group = {"params": matrices, "highest_lr": config.muon_lr}
    muon = Muon([group], lr=config.muon_lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
    return [AdamW(groups, lr=config.lr, betas=config.betas, fused=True), muon]
