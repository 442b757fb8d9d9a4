"""Tests the plan of a run against the run itself."""

import pytest

from model.training.plan import describe
from tests.model.conftest import MemoryStore, make_config


def test_devices_share_the_epoch(store: MemoryStore) -> None:
    one, two = (describe(make_config(trainer__devices=devices), store) for devices in (1, 2))
    assert two["positions_per_step"] == 2 * int(one["positions_per_step"])
    assert two["epochs"] == pytest.approx(2 * float(one["epochs"]), abs=0.1)
    assert two["positions_per_epoch"] == one["positions_per_epoch"]


def test_of_experts_all_parameters_and_the_active_ones_are_told(store: MemoryStore) -> None:
    one, several = (describe(make_config(model__experts=experts), store) for experts in (1, 4))
    assert "active_parameters" not in one
    expert = 2 * 3 * 32 * 64
    assert int(several["parameters"]) - int(several["active_parameters"]) == 2 * expert
    assert int(several["active_parameters"]) - int(one["parameters"]) == expert + 2 * 4 * 32


def test_buckets_count_their_padding(store: MemoryStore) -> None:
    packed, padded = (describe(make_config(data__sampler=sampler), store) for sampler in ("packed", "buckets"))
    assert "padding_share" not in packed
    assert 0 < float(padded["padding_share"]) < 0.3
    computed = float(packed["epochs"]) * (1 - float(padded["padding_share"]))
    assert float(padded["epochs"]) == pytest.approx(computed, abs=0.2)
