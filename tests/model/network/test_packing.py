"""Tests that parts of a batch are the batch."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.network.packing import Batch, in_parts
from model.network.padding import padded
from model.sequences.documents import MODES
from model.training.trainer import Trainer
from tests.model.conftest import first_epoch, make_config, make_store


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    """Batches of all modes, with groups of frames and heads ahead."""
    modes = dict.fromkeys(MODES, 1.0)
    values = {"data__modes": modes, "model__group": 2, "model__ahead": 2, "data__batch_tokens": 1500}
    config = make_config(trainer__out=str(tmp_path_factory.mktemp("run")), **values)
    return first_epoch(Trainer(config, make_store(rows=40), quiet=True).stream)


def joined(parts: list[Batch], name: str, head: int) -> Tensor:
    """Joins what the parts say of a head."""
    offsets = np.cumsum([0, *(part.tokens_L.numel() for part in parts)]) if name == "rows" else [0] * len(parts)
    found = zip(parts, offsets, strict=False)
    return torch.cat([getattr(part, name)[head] + int(offset) for part, offset in found])


@given(most=st.integers(1, 2000), data=st.data())
def test_parts_are_the_batch(batches: list[Batch], most: int, data: st.DataObject) -> None:
    batch = data.draw(st.sampled_from(batches))
    parts = in_parts(batch, most)
    assert all(len(part.tokens_L) <= most or len(part.lengths) == 1 for part in parts)
    assert sum((part.lengths for part in parts), ()) == batch.lengths
    assert sum(part.causal for part in parts) == batch.causal
    assert sum((part.given for part in parts), ()) == batch.given
    assert sum((part.before for part in parts), ()) == batch.before
    assert sum(part.num_targets for part in parts) == batch.num_targets
    for name in ("tokens_L", "codes_LK", "positions_L"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
    for head in range(len(batch.rows)):
        for name in ("rows", "targets", "tasks"):
            assert torch.equal(joined(parts, name, head), getattr(batch, name)[head]), name
    for before, after in pairwise(parts):
        assert len(before.tokens_L) + after.lengths[0] > most, "two would have been one"


@given(most=st.integers(1, 2000), data=st.data())
def test_parts_of_a_padded_batch_are_the_padded_batch(batches: list[Batch], most: int, data: st.DataObject) -> None:
    batch, *_ = padded(data.draw(st.sampled_from(batches)))
    parts = in_parts(batch, most)
    assert all(part.tokens_L.numel() <= most or len(part.lengths) == 1 for part in parts)
    assert sum((part.lengths for part in parts), ()) == batch.lengths
    assert sum(part.causal for part in parts) == batch.causal
    for name in ("tokens_L", "codes_LK", "positions_L"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
    for head in range(len(batch.rows)):
        for name in ("rows", "targets", "tasks"):
            assert torch.equal(joined(parts, name, head), getattr(batch, name)[head]), name
