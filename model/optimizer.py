"""The optimiser and its learning rate."""

import math

import torch

from model.config import OptimizerConfig
from model.network import Decoder


def learning_rate(config: OptimizerConfig, step: int, max_steps: int) -> float:
    """Returns the rate for the update after `step` updates: linear warm-up, then a cosine down to `min_lr_ratio`."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(max_steps - config.warmup_steps, 1)
    return config.lr * (config.min_lr_ratio + (1 - config.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * min(done, 1))))


def make_optimizer(network: Decoder, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Returns AdamW; only the matrices of blocks and heads decay."""
    decays = {id(m.weight) for m in network.modules() if isinstance(m, torch.nn.Linear)}
    weights = list(network.parameters())
    groups = [
        {"params": [w for w in weights if id(w) in decays], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if id(w) not in decays], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)
