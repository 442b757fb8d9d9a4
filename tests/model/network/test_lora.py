"""Tests that adapters change nothing at first, are all that learns, and merge exactly."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from model.checkpoints import checkpoint
from model.checkpoints.export import export
from model.training.trainer import Trainer, train
from tests.model.conftest import Configure, MemoryStore, first_epoch

LORA = {"lora__rank": 3, "lora__dropout": 0.1, "optimizer__lr": 0.02}


@pytest.fixture
def base(tmp_path: Path, configure: Configure, store: MemoryStore) -> Path:
    return train(configure(trainer__out=str(tmp_path / "base"), trainer__max_steps=2), store, quiet=True)


def test_adapters_begin_as_nothing_and_learn_alone(base: Path, configure: Configure, store: MemoryStore) -> None:
    plain = Trainer(configure(), store, resumed=base, quiet=True)
    plain.restore(base)
    config = configure(**LORA, trainer__start_from=str(base), trainer__max_steps=20)
    trainer = Trainer(config, store, quiet=True)
    batches = first_epoch(trainer.stream)
    plain.network.eval(), trainer.network.eval()
    assert torch.equal(plain.score(batches[0]).loss_H, trainer.score(batches[0]).loss_H)
    before = {name: weight.clone() for name, weight in trainer.raw_network.state_dict().items()}
    trainer.network.train()
    losses = [trainer.train_step(batches)[0].loss_H.sum().item() for _ in range(6)]
    assert losses[-1] < losses[0]
    changed = {name for name, weight in trainer.raw_network.state_dict().items() if not weight.equal(before[name])}
    adapters = {name for name in before if ".lora_" in name}
    assert changed == adapters
    assert len(adapters) == 2 * 4 * config.model.layers


def test_the_tables_and_heads_learn_too_where_asked(base: Path, configure: Configure, store: MemoryStore) -> None:
    config = configure(**LORA, lora__embeddings=True, optimizer__matrices="muon", trainer__start_from=str(base))
    trainer = Trainer(config, store, quiet=True)
    before = {name: weight.clone() for name, weight in trainer.raw_network.state_dict().items()}
    trainer.train_step(first_epoch(trainer.stream))
    changed = {name for name, weight in trainer.raw_network.state_dict().items() if not weight.equal(before[name])}
    assert {"token_embedding.weight", "code_embedding.weight", "heads.0.weight"} <= changed
    assert not any(".base_layer." in name or name.endswith(".gain") for name in changed)


def test_a_merged_model_is_the_adapted_one(
    tmp_path: Path, base: Path, configure: Configure, store: MemoryStore
) -> None:
    config = configure(**LORA, trainer__start_from=str(base), trainer__out=str(tmp_path / "adapted"))
    folder = train(config, store, quiet=True)
    adapted = Trainer(config, store, resumed=folder, quiet=True)
    adapted.restore(folder)
    loaded = checkpoint.load(folder)
    assert not loaded.config.lora.rank
    assert loaded.network.state_dict().keys() == checkpoint.load(base).network.state_dict().keys()
    export(folder, tmp_path / "model.safetensors", "safetensors")
    export(folder, tmp_path / "hf", "hf")
    export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")
    batch = first_epoch(adapted.stream)[0]
    adapted.network.eval()
    expected = adapted.score(batch).loss_H
    merged = Trainer(configure(), store, quiet=True)
    merged.network.eval()
    for source in (folder, tmp_path / "model.safetensors", tmp_path / "back.safetensors"):
        merged.raw_network.load_state_dict(checkpoint.load(source).network.state_dict())
        assert torch.allclose(merged.score(batch).loss_H, expected, rtol=1e-5)


def test_adapters_need_a_model(configure: Configure) -> None:
    with pytest.raises(ValidationError, match="needs a model to adapt"):
        configure(lora__rank=4)
