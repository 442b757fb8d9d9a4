"""What a run would take, before it is begun."""

import pytest

from model.plan import describe, memory
from tests.model.conftest import MemoryStore, make_config


def test_devices_share_the_epoch(store: MemoryStore) -> None:
    one, two = (describe(make_config(trainer__devices=devices), store) for devices in (1, 2))
    assert two["positions_per_step"] == 2 * int(one["positions_per_step"])
    assert two["epochs"] == pytest.approx(2 * float(one["epochs"]), abs=0.1)
    assert two["positions_per_epoch"] == one["positions_per_epoch"]


def test_memory_is_what_a_device_holds() -> None:
    big = {"model__width": 1024, "model__layers": 12, "model__heads": 16, "data__batch_tokens": 10_000}
    activations = 34 * 10_000 * 12 * 1024

    def held(taught: int = 0, **settings: object) -> float:
        return memory(make_config(**big, **settings), 1000, trained=800, taught=taught)

    assert held() == activations + 4 * 1000 + 12 * 800
    assert held(taught=50) - held() == 4 * 50
    assert held(trainer__ema_decay=0.9) - held() == 4 * 1000
    assert held(trainer__devices=4, trainer__strategy="ddp") == held()
    assert held(trainer__devices=4, trainer__strategy="fsdp") - activations == (4 * 1000 + 12 * 800) / 4
    assert held(trainer__devices=4, trainer__strategy="deepspeed") - activations == 4 * 1000 + 16 * 800 / 4
    assert held(trainer__activation_checkpointing=True) < held() / 4
