"""Proofs for the keys of `model`: the network that a configuration builds."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.data.lengths import paces_of
from model.data.reading import read_document
from model.network.attention import sdpa
from model.network.cache import KVCache
from model.network.decoder import Decoder
from model.network.layers import Mamba, Retention, rotate
from model.network.packing import collate
from model.network.ssm import Scan
from model.training.start import begin
from stages.codecs.table import codec_embeddings, codec_identity
from tests.keys.world import Proof, World
from tests.model.conftest import CODEC, TOKENIZER


def _network(world: World, **values: Any) -> Decoder:
    config: TrainConfig = world.config(**{f"model__{key}": value for key, value in values.items()})
    network = build(config, TOKENIZER, CODEC)
    network.initialise(torch.Generator().manual_seed(0))
    return network


class _Seen:
    """Attention that keeps the queries and keys of the first layer."""

    def __init__(self) -> None:
        self.retained = self.scanned = 0

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.q, self.k = (q, k) if layer == 0 else (self.q, self.k)
        return sdpa(q[None], k[None], v[None])[0]

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.retained += 1
        self.q, self.k = q, k
        return v

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        self.scanned += 1
        self.features = features
        return features[..., : ways[0].heads * ways[0].head_width].unflatten(-1, (ways[0].heads, -1))


def _run(network: Decoder, positions: list[int]) -> tuple[_Seen, Tensor]:
    """Runs the network on the same token at some positions."""
    seen, length = _Seen(), len(positions)
    codes = torch.full((length, 8), -1)
    with torch.no_grad():
        out = network.hidden(torch.full((length,), 3), codes, torch.tensor(positions), seen)
    return seen, out


def _arch(world: World) -> None:
    network = _network(world, arch="retnet", kv_heads=None)
    seen, _ = _run(network, [0, 1])
    assert seen.retained == len(network.blocks) == 2
    assert all(isinstance(block.attention, Retention) for block in network.blocks)
    network = _network(world, arch="mamba", kv_heads=None)
    seen, _ = _run(network, [0, 1])
    assert seen.scanned == len(network.blocks) == 2
    assert all(isinstance(block.attention, Mamba) for block in network.blocks)


def _width(world: World) -> None:
    for arch in ("llama", "retnet"):
        network = _network(world, width=48, arch=arch, kv_heads=None)
        _, out = _run(network, [0])
        assert out.shape == (1, 48)
        assert [len(network.logits(out, head)[0]) for head in (0, 1)] == [65, 64]


def _layers(world: World) -> None:
    """The deeper the network, the smaller the initial output weights of its blocks."""
    network = _network(world, layers=3)
    assert len(network.blocks) == 3
    assert network.blocks[2].feedforward.down.weight.std().item() == pytest.approx(0.02 / 6**0.5, rel=0.1)


def _heads(world: World) -> None:
    for arch in ("llama", "retnet"):
        seen, _ = _run(_network(world, heads=8, kv_heads=None, arch=arch), [0])
        assert seen.q.shape == seen.k.shape == (1, 8, 4)


def _kv_heads(world: World) -> None:
    seen, _ = _run(_network(world, kv_heads=1), [0])
    assert seen.q.shape == (1, 4, 8)
    assert seen.k.shape == (1, 1, 8)


def _state(world: World) -> None:
    """Each feature remembers as many numbers, and each position says by two rows of them what to."""
    network = _network(world, arch="mamba", kv_heads=None, state=24)
    seen, _ = _run(network, [0, 1])
    assert seen.features.shape == (2, 64 + 2 * 24)
    cache = KVCache.allocate(network.config, 1, 0, device=torch.device("cpu"), dtype=torch.float32)
    assert cache.kv[0, 0].numel() == 64 * 24 + 3 * (64 + 2 * 24)


def _experts(world: World) -> None:
    """Each block has so many feed-forwards, of which a router chooses, and the log tells how busy each one is."""
    trainer = world.trainer(model__experts=3, trainer__max_steps=2, trainer__log_every=1)
    assert [len(part.experts) for part in trainer.raw_network.experts().values()] == [3, 3]
    trainer.fit()
    lines = [json.loads(line) for line in (trainer.run / "log.jsonl").read_text().splitlines()]
    last = [line for line in lines if "experts/violation" in line][-1]
    loads = {name: value for name, value in last.items() if name.startswith("experts/load_")}
    assert {*loads} == {f"experts/load_{layer}_{expert}" for layer in (0, 1) for expert in range(3)}
    assert sum(loads.values()) == pytest.approx(6)


def _experts_per_token(world: World) -> None:
    made = next(iter(_network(world, experts=4, experts_per_token=3).experts().values()))
    made(torch.randn(10, 32, generator=torch.Generator().manual_seed(0)))
    assert int(made.load_E.sum()) == 30


def _group(world: World) -> None:
    """With a group of 2, documents have half as many frame positions, and every frame is still predicted."""
    for group in (1, 2):
        trainer = world.trainer(model__group=group, data__modes={"ar": 1.0}, data__continuation_probability=0.0)
        assert trainer.raw_network.heads[0].out_features == group * 65
        examples = trainer.stream.examples
        draw = examples.draw(int(examples.rows[0]), np.random.default_rng(0))
        document = read_document(examples, draw)
        own = len(document) - 5 - len(draw.phonemes) - len(draw.prompt[0])
        assert own == draw.frames // group
        assert len(document.targets_M) == (draw.frames // group + 1) * group
        assert len(trainer.raw_network.code_embedding.weight) == (8 + group - 1) * 64 + 1
        batch = collate([document], 8)
        assert int(trainer.score(batch).count_H[0]) == len(document.targets_M)


def _ahead(world: World) -> None:
    """Each further head is scored one step later than the one before it, and learns."""
    trainer = world.trainer(model__ahead=3, data__modes={"ar": 1.0})
    batch = next(trainer.stream.batches())
    counts = trainer.score(batch).ahead_3N[2].tolist()
    documents = len(batch.lengths)
    assert counts == [len(batch.rows[0]) - n * documents for n in (1, 2, 3)]
    first = trainer.score(batch).ahead_3N[0].tolist()
    for _ in range(6):
        trainer.train_step([batch])
        trainer.progress.step += 1
    last = trainer.score(batch).ahead_3N[0].tolist()
    assert all(after < 0.99 * before for before, after in zip(first, last, strict=True))
    assert all(head.down.weight.any() for head in trainer.raw_network.ahead)


def _window(world: World) -> None:
    """In training, a frame's hidden state depends on the condition and the window, not on frames farther back."""
    for window, hears in ((4, False), (None, True)):
        trainer = world.trainer(model__window=window, model__layers=1, data__modes={"ar": 1.0})
        examples = trainer.stream.examples
        document = read_document(examples, examples.draw(int(examples.rows[0]), np.random.default_rng(0)))
        assert len(document) > document.before + 5
        last = []
        for changed in (None, document.before, len(document) - 2, 1):
            tokens_L = document.tokens_L.copy()
            if changed is not None:
                tokens_L[changed] = (tokens_L[changed] + 1) % 5
            batch = collate([replace(document, tokens_L=tokens_L)], 8)
            read = batch.tokens_L, batch.codes_LK, batch.positions_L, trainer.attention(batch)
            last.append(trainer.raw_network.hidden(*read)[-1])
        assert [not torch.equal(last[0], other) for other in last[1:]] == [hears, True, True]


def _feedforward(world: World) -> None:
    block = _network(world, feedforward=80).blocks[0]
    widths: list[int] = []
    block.feedforward.down.register_forward_pre_hook(lambda _, given: widths.append(given[0].shape[-1]))
    block.feedforward(torch.zeros(1, 32))
    assert widths == [80]


def _rope_theta(world: World) -> None:
    """A query at a position is the query at 0, rotated by position × theta ** -(2i / H)."""
    for theta in (3.0, 200.0):
        seen, _ = _run(_network(world, rope_theta=theta), [0, 5])
        angles = 5 * theta ** -(torch.arange(0, 8, 2) / 8)
        wanted = rotate(seen.q[:1], angles.cos()[None, None], angles.sin()[None, None])
        torch.testing.assert_close(seen.q[1:], wanted)


def _text_spacing(world: World) -> None:
    """In training, a text's phonemes are so far apart in the mode ar, and spread over the response in others."""
    for mode in ("ar", "nar", "nar-len", "all"):
        trainer = world.trainer(model__text_spacing=3.0, data__modes={mode: 1.0}, data__continuation_probability=0.0)
        examples = trainer.stream.examples
        draw = examples.draw(int(examples.rows[0]), np.random.default_rng(0))
        count = len(draw.phonemes)
        apart = 3.0 if mode == "ar" else draw.frames / count
        found = read_document(examples, draw).positions_L[2 : 2 + count]
        assert np.abs(found - (np.arange(count) + 0.5) * apart).max() <= 1
    trainer = world.trainer(model__text_spacing="aligned", data__modes={"all": 1.0}, data__continuation_probability=0.0)
    examples = trainer.stream.examples
    draw = examples.draw(int(examples.rows[0]), np.random.default_rng(0))
    assert examples.alignments is not None
    times = examples.alignments.of([draw.row])
    said_T = times.said(trainer.tokenizer.encode(draw.phonemes), trainer.tokenizer.end, draw.frames)
    assert read_document(examples, draw).codes_LK[-draw.frames :, 8].tolist() == said_T.tolist()
    assert len(trainer.raw_network.code_embedding.weight) == 8 * 64 + len(trainer.tokenizer) + 1
    assert {"<lead>", "<tail>"} < trainer.tokenizer.paces.keys()
    trainer = world.trainer(model__text_spacing="measured")
    assert trainer.tokenizer.paces == paces_of(trainer.stream.examples)
    assert (
        set("".join(map(world.store.phonemes, trainer.stream.examples.rows.tolist()))) < trainer.tokenizer.paces.keys()
    )


def _initial_codes(world: World) -> None:
    """Codes of which the codec's vectors are alike begin alike, and so do their outputs."""
    vectors = codec_embeddings("embedded", codebooks=8)
    codec = codec_identity("embedded", codebooks=8)
    near = np.square(vectors[0][:1] - vectors[0]).sum(1).argsort()
    for initial, is_alike in (("codec", True), ("random", False)):
        config = world.config(model__initial_codes=initial)
        world.store.codec = codec
        _, network = begin(config, world.store)
        for rows in (network.code_embedding.weight[:1024], network.heads[0].weight[:1024]):
            alike = torch.nn.functional.normalize(rows.detach(), dim=-1) @ torch.nn.functional.normalize(
                rows[0].detach(), dim=-1
            )
            assert (float(alike[near[1:20]].mean() - alike[near[-500:]].mean()) > 0.2) == is_alike
        assert not network.code_embedding.weight[network.absent].any()


def _norm_eps(world: World) -> None:
    network = _network(world, norm_eps=0.25, arch="llama")
    x = torch.full((1, 32), 0.5)  # mean square 0.25
    for norm in (network.norm, network.blocks[0].attention_norm, network.blocks[1].feedforward_norm):
        torch.testing.assert_close(norm(x), x / 0.5**0.5)
    retnet = _network(world, norm_eps=0.25, arch="retnet", kv_heads=None)
    assert all(block.attention.eps == 0.25 for block in retnet.blocks)


def _dropout(world: World) -> None:
    """In training, a share of each part's output is dropped and the rest scaled up; in evaluation nothing is."""
    block = _network(world, dropout=0.4).blocks[0]
    torch.nn.init.zeros_(block.attention.out.weight)
    x = torch.randn(300, 32, generator=torch.Generator().manual_seed(0))
    angles = torch.ones(300, 1, 4), torch.zeros(300, 1, 4)
    torch.manual_seed(0)
    with torch.no_grad():
        added = block.train()(x, angles, 0, _Seen()) - x
        whole = block.eval()(x, angles, 0, _Seen()) - x
    kept = added.abs() > 0
    assert float(kept.float().mean()) == pytest.approx(0.6, abs=0.03)
    torch.testing.assert_close(added[kept], whole[kept] / 0.6, rtol=1e-3, atol=1e-5)


MODEL: dict[str, Proof] = {
    "arch": _arch,
    "width": _width,
    "layers": _layers,
    "heads": _heads,
    "kv_heads": _kv_heads,
    "state": _state,
    "group": _group,
    "ahead": _ahead,
    "window": _window,
    "feedforward": _feedforward,
    "experts": _experts,
    "experts_per_token": _experts_per_token,
    "rope_theta": _rope_theta,
    "text_spacing": _text_spacing,
    "initial_codes": _initial_codes,
    "norm_eps": _norm_eps,
    "dropout": _dropout,
}
