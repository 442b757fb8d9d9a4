"""Tests the estimate of memory against what training keeps."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from model.architecture import ARCHS, Arch, ModelConfig
from model.config import Precision, TrainConfig
from model.network import attention
from model.network.attention import Packed
from model.network.decoder import Decoder
from model.training.memory import Taught, kept_by_block, memory
from tests.model.conftest import make_config


def network_of(config: TrainConfig) -> Decoder:
    with torch.device("meta"):
        return Decoder(config.model, 100, 8, 1024)


def test_memory_is_what_a_device_holds() -> None:
    big = {"model__width": 1024, "model__layers": 12, "model__heads": 16, "data__batch_tokens": 10_000}
    network = network_of(make_config(**big))
    size = network.num_parameters()
    for weight in network.blocks[0].parameters():
        weight.requires_grad_(False)
    trained = network.num_parameters(trained=True)

    def held(taught: Taught | None = None, **settings: object) -> float:
        return memory(make_config(**big, **settings), network, torch.device("cpu"), "32-true", taught=taught)

    activations = held() - (4 * size + 12 * trained)
    assert held(trainer__ema_decay=0.9) - held() == 4 * size
    assert held(trainer__devices=4, trainer__strategy="ddp") == held()
    assert held(trainer__devices=4, trainer__strategy="fsdp") - activations == (4 * size + 12 * trained) / 4
    assert held(trainer__devices=4, trainer__strategy="deepspeed") - activations == 4 * size + 16 * trained / 4
    assert held(trainer__activation_checkpointing=True) < held() / 3
    logits = 12 * 1024 * 10_000
    assert held(model__ahead=3) - held() == 3 * logits
    late = {"data__levels": "delay", "data__modes": {"ar": 1.0}}
    assert held(**late) - held() == 7 * logits, "every position predicts all codebooks"
    with_all = {"data__modes": {"all": 1.0}}
    assert held(**with_all) - held() == pytest.approx(7 / 8 * logits), "of each position, one code and 7 / 8 others"
    only = {"ahead__only": True, "trainer__start_from": "runs/base", "model__ahead": 1}
    assert held(**only) == 4 * size + 12 * trained + 2 * logits


def test_a_teacher_takes_its_weights_its_predictions_and_a_block() -> None:
    big = {"model__width": 256, "model__layers": 2, "model__heads": 4, "data__batch_tokens": 10_000}
    network = network_of(make_config(**big))

    def held(taught: Taught | None, **settings: object) -> float:
        return memory(make_config(**big, **settings), network, torch.device("cpu"), "32-true", taught=taught)

    one = 4 * 1024 * 10_000
    for width, guidance in ((64, 1.0), (4096, 1.0), (4096, 2.0)):
        model = ModelConfig(width=width, heads=4, feedforward=4 * width)
        settings = {"distill__teacher": "x", "distill__weight": 1.0, "distill__guidance": guidance}
        extra = held(Taught(50, model), **settings) - held(None) - 4 * 50
        block = kept_by_block(model, "32-true", fused=False) * 10_000
        assert extra == pytest.approx((5 if width == 64 else (-1 if guidance == 1 else 0)) * one + block * (width > 64))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    ("arch", "window", "experts"), [*((arch, None, 1) for arch in ARCHS), ("llama", 40, 1), ("llama", None, 4)]
)
def test_a_block_keeps_what_autograd_keeps(
    arch: Arch, window: int | None, experts: int, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_PRODUCTS_UP_TO", 0)  # as on a GPU, where the weights of pairs aren't kept
    shape = ModelConfig(arch=arch, width=64, heads=2, feedforward=160, window=window, experts=experts)

    def kept(layers: int, length: int) -> int:
        network = Decoder(shape.model_copy(update={"layers": layers}), 9, 2, 64)
        own = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
        found: dict[int, Tensor] = {}

        def keep(tensor: Tensor) -> Tensor:
            found[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        def kept_too(act: Callable[..., Tensor], *given: object, **how: Any) -> Tensor:
            """What is to be computed again keeps its inputs, which no hook sees."""
            for one in given:
                if isinstance(one, Tensor):
                    keep(one)
            return checkpoint(act, *given, **how)

        monkeypatch.setattr(attention, "checkpoint", kept_too)
        network.initialise(torch.Generator().manual_seed(0))
        tokens, codes = torch.zeros(length, dtype=torch.int64), torch.zeros(length, 2, dtype=torch.int64)
        attend = Packed([length // 4] * 4, 2, torch.device("cpu"), window=window, before=[30] * 4)
        mixed = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), mixed:
            network.hidden(tokens, codes, torch.arange(length), attend)
        return sum(one.untyped_storage().nbytes() for place, one in found.items() if place not in own)

    one, two = (kept(2, length) - kept(1, length) for length in (1024, 2048))
    found, wanted = (two - one) / 1024, kept_by_block(shape, precision, fused=False)
    if window is None:
        assert found == pytest.approx(wanted, rel=0.03)
    else:  # the estimate is for responses without end, in all documents
        assert kept_by_block(shape.model_copy(update={"window": None}), precision, fused=False) < found < wanted
