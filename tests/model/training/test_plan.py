"""Tests the plan of a run against the run itself."""

import pytest

from model.training.plan import describe
from tests.model.conftest import MemoryStore, make_config


def test_devices_share_the_epoch(store: MemoryStore) -> None:
    one, two = (describe(make_config(trainer__devices=devices), store) for devices in (1, 2))
    assert two["positions_per_step"] == 2 * int(one["positions_per_step"])
    assert two["epochs"] == pytest.approx(2 * float(one["epochs"]), abs=0.1)
    assert two["positions_per_epoch"] == one["positions_per_epoch"]


def test_buckets_count_their_padding(store: MemoryStore) -> None:
    packed, padded = (describe(make_config(data__sampler=sampler), store) for sampler in ("packed", "buckets"))
    assert "padding_share" not in packed
    assert 0 < float(padded["padding_share"]) < 0.3
    computed = float(packed["epochs"]) * (1 - float(padded["padding_share"]))
    assert float(padded["epochs"]) == pytest.approx(computed, abs=0.2)
