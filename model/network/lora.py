"""Low-rank adapters (LoRA), by peft: train few weights and leave the network's own as they are.

Source: LoRA, Hu et al., https://arxiv.org/abs/2106.09685: a matrix W becomes W + (alpha / rank) B A. Only A and B are
trained. B starts at zero, so the adapted network starts equal to the original one.
"""

import math

import torch
from torch import nn

from model.config import LoraConfig
from model.network.decoder import Decoder


def add_adapters(network: Decoder, config: LoraConfig) -> None:
    """Adds adapters to the linear layers of the blocks, in place; only these and the heads ahead stay trainable.

    With `config.embeddings`, the embeddings and heads stay trainable too, which a new language needs. The heads ahead
    are trained in any case, since they must follow what the adapters change.
    """
    import peft

    names = [f"blocks.{name}" for name, module in network.blocks.named_modules() if isinstance(module, nn.Linear)]
    network.requires_grad_(False)
    peft.inject_adapter_in_model(
        peft.LoraConfig(
            r=config.rank,
            lora_alpha=config.rank if config.alpha is None else config.alpha,
            lora_dropout=config.dropout,
            target_modules=names,
        ),
        network,
    )
    network.ahead.requires_grad_(True)
    if config.embeddings:
        for part in (network.token_embedding, network.code_embedding, network.heads):
            part.requires_grad_(True)


def initialise_adapters(network: Decoder, generator: torch.Generator) -> None:
    """Draws new A matrices, distributed as peft's but from a generator, and sets B to zero."""
    for name, weight in network.named_parameters():
        if ".lora_A." in name:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        elif ".lora_B." in name:
            nn.init.zeros_(weight)


def merge_adapters(network: Decoder) -> None:
    """Merges the adapters into their matrices and removes them, in place.

    Raises:
        ValueError: if a merged matrix isn't finite.
    """
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            network.set_submodule(name, module.get_base_layer())
    network.requires_grad_(True)
