"""Tests the network's invariances: packing, causality, and what each level may see."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.architecture import ARCHS, Arch, ModelConfig
from model.data.reading import read_document
from model.network.attention import Packed, sdpa
from model.network.decoder import Decoder
from model.network.packing import Batch, collate
from model.network.padding import Padded, padded
from model.sequences.documents import Document
from model.sequences.heads import group_columns
from model.sequences.tokenizer import Tokenizer
from model.training.step.loss import score
from tests.model.data.test_stream import EXAMPLES

CPU = torch.device("cpu")
TOKENIZER = Tokenizer.default(8)
EVERY_ARCH = pytest.mark.parametrize("arch", ARCHS)


def network(**shape: Any) -> Decoder:
    config = ModelConfig(**{"width": 32, "layers": 2, "heads": 4, "feedforward": 64, **shape})
    made = Decoder(config, len(TOKENIZER), 8, 64)
    made.initialise(torch.Generator().manual_seed(0))
    return made


def documents(group: int = 1) -> list[Document]:
    """Documents of different lengths and of every mode."""
    kinds = (("ar", 0), ("nar", 3), ("nar", 7), ("ar", 0), ("nar", 1), ("nar-len", 0), ("stt", 0), ("len", 0))
    kinds += (("all", 0), ("all", 5))
    found = []
    for row, kind in enumerate(kinds):
        draw = EXAMPLES.draw(row, np.random.default_rng(row), kind)
        found.append(read_document(EXAMPLES, replace(draw, group=group)))
    return found


def run(net: Decoder, batch: Batch) -> list[Tensor]:
    window = net.config.window_positions
    attend = Packed(batch.lengths, batch.causal, CPU, batch.given, window=window, before=batch.before)
    return net(batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows)


@pytest.mark.parametrize(
    "shape",
    [
        *({"arch": arch} for arch in ARCHS),
        *({"kv_heads": 2}, {"kv_heads": 1}, {"group": 2}, {"group": 4}, {"window": 5}, {"window": 7, "group": 2}),
        *({"experts": 4}, {"experts": 3, "arch": "mamba", "group": 2}),
    ],
    ids=str,
)
def test_packed_equals_padded_in_loss_and_gradient(shape: dict[str, Any]) -> None:
    net = network(**shape)
    batch = collate(documents(net.config.group), 8)
    gradients = []
    for packed in (True, False):
        net.zero_grad()
        if packed:
            logits = run(net, batch)
        else:
            wide, lengths_B, causal_B = padded(batch)
            limits: dict[str, Any] = {"window": net.config.window_positions, "before": batch.before}
            attend = Padded(lengths_B, causal_B, wide.tokens_L.shape[1], batch.given, **limits)
            logits = net(wide.tokens_L, wide.codes_LK, wide.positions_L, attend, wide.rows)
        scores = score(logits, batch.targets)
        scores.loss_H.sum().backward()
        gradients.append((scores.loss_H.detach(), {name: p.grad.clone() for name, p in net.named_parameters()}))
    (loss_one, grad_one), (loss_two, grad_two) = gradients
    torch.testing.assert_close(loss_one, loss_two, rtol=1e-5, atol=1e-5)
    for name, gradient in grad_one.items():
        torch.testing.assert_close(gradient, grad_two[name], rtol=1e-4, atol=1e-5, msg=name)


@EVERY_ARCH
def test_documents_of_a_pack_do_not_see_each_other(arch: Arch) -> None:
    net = network(arch=arch)
    together = run(net, collate(documents(), 8))
    alone = [(item.head, run(net, collate([item], 8))[item.head]) for item in documents()]
    for level, found in enumerate(together):
        wanted = [logits for of_level, logits in alone if of_level == level]
        torch.testing.assert_close(found, torch.cat(wanted) if wanted else found, rtol=1e-4, atol=1e-5)


@EVERY_ARCH
def test_level_zero_sees_only_what_came_before(arch: Arch) -> None:
    net = network(arch=arch)
    item = documents()[0]
    before = run(net, collate([item], 8))[0]
    codes = item.codes_LK.copy()
    codes[-10:, 0] = (codes[-10:, 0] + 1) % 64
    after = run(net, collate([replace(item, codes_LK=codes)], 8))[0]
    assert torch.equal(before[:-10], after[:-10])
    assert not torch.allclose(before[-10:], after[-10:])


@pytest.mark.parametrize("group", [2, 4])
def test_a_group_sees_only_the_groups_before(group: int) -> None:
    net = network(group=group)
    item = documents(group)[0]
    before = run(net, collate([item], 8))[0]
    assert before.shape == (group * len(item.rows_M), 65)
    for column in group_columns(8, group):
        codes = item.codes_LK.copy()
        codes[-3, column] = (codes[-3, column] + 1) % 64
        after = run(net, collate([replace(item, codes_LK=codes)], 8))[0]
        assert torch.equal(before[: -3 * group], after[: -3 * group])
        assert (before[-3 * group :] != after[-3 * group :]).any(-1).all(), "what is shown in any place matters"


@EVERY_ARCH
def test_higher_levels_see_the_whole_document(arch: Arch) -> None:
    net = network(arch=arch)
    item = documents()[1]
    before = run(net, collate([item], 8))[3]
    codes = item.codes_LK.copy()
    codes[-1, 0] = (codes[-1, 0] + 1) % 64
    after = run(net, collate([replace(item, codes_LK=codes)], 8))[3]
    assert (before != after).any(-1).all()


def test_absent_codes_add_nothing_and_learn_nothing() -> None:
    net = network()
    batch = collate(documents(), 8)
    score(run(net, batch), batch.targets).loss_H.sum().backward()
    assert (net.code_embedding.weight[net.absent] == 0).all()
    assert (net.code_embedding.weight.grad[net.absent] == 0).all()
    tokens, codes = torch.tensor([3, 4]), torch.full((2, 8), -1)
    assert torch.equal(net.embed(tokens, codes), net.token_embedding(tokens))
    codes[0, 2], codes[0, 5] = 7, 9
    table = net.code_embedding.weight
    torch.testing.assert_close(net.embed(tokens, codes)[0], net.token_embedding.weight[3] + table[135] + table[329])


@EVERY_ARCH
def test_every_weight_learns(arch: Arch) -> None:
    net = network(arch=arch)
    batch = collate([*documents(), *documents()], 8)
    logits = run(net, batch)
    assert [tuple(x.shape)[1] for x in logits] == [65, *[64] * 7, len(TOKENIZER), 65, *[64] * 15]
    score(logits, batch.targets).loss_H.sum().backward()
    assert not {name for name, p in net.named_parameters() if not p.grad.abs().sum()}


def test_every_place_of_a_group_learns_apart() -> None:
    net = network(group=4)
    batch = collate(documents(4), 8)
    score(run(net, batch), batch.targets).loss_H.sum().backward()
    head_GVD = net.heads[0].weight.grad.view(4, 65, 32)
    table_CVD = net.code_embedding.weight.grad[:-1].view(11, 64, 32)
    for gradients in (head_GVD, table_CVD[[0, 8, 9, 10]]):
        assert gradients.abs().sum((1, 2)).min() > 0
        assert not torch.equal(gradients[1], gradients[2])
    canvas = net.logits(torch.ones(3, 32), 9)
    assert torch.equal(canvas, net.logits(torch.ones(3, 32), 0)[::4]), "the canvas is codebook 0, a frame at a time"


def test_a_group_of_one_adds_no_weight() -> None:
    assert sum(weight.numel() for weight in network(group=1).parameters()) == network().num_parameters()
    more = network(group=4).num_parameters() - network().num_parameters()
    assert more == 3 * 32 * (64 + 65)


@EVERY_ARCH
def test_a_new_network_knows_nothing(arch: Arch) -> None:
    batch = collate(documents(), 8)
    report = score(run(network(arch=arch), batch), batch.targets).report("new")
    assert report["new/loss"] == pytest.approx(torch.tensor(64.0).log().item(), rel=0.05)


def test_weights_that_choose_experts_or_forget_are_not_rounded() -> None:
    net = network(arch="mamba", experts=4).eval()
    batch = collate(documents(), 8)
    with torch.no_grad():
        wanted = run(net, batch)[0]
        before = {name: weight.clone() for name, weight in net.named_parameters()}
        found = run(net.rounded(torch.bfloat16), batch)[0]
    exact = {name.rpartition(".")[2] for name, weight in net.named_parameters() if weight.dtype == torch.float32}
    assert exact == {"router", "forgetting", "step_bias", "skip"}
    assert all(weight.equal(before[name]) for name, weight in net.named_parameters() if weight.dtype == torch.float32)
    assert net.lifts().popitem()[1].dtype == torch.int64
    assert 0 < (found - wanted).norm() < 0.05 * wanted.norm()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_bfloat16_equals_that_in_float32(causal: bool, masked: bool) -> None:
    q, k, v = torch.randn(3, 2, 30, 4, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    mask = (torch.arange(30) < 20).expand(30, 30) if masked and not causal else None
    exact = sdpa(q.float(), k.float(), v.float(), mask=mask, causal=causal)
    torch.testing.assert_close(sdpa(q, k, v, mask=mask, causal=causal).float(), exact, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("shape", [{}, {"kv_heads": 2}, {"arch": "retnet"}], ids=str)
def test_half_precision_equals_single_precision(device: str, shape: dict[str, Any]) -> None:
    where = torch.device(device)
    net = network(width=256, **shape).to(where)
    batch = collate(documents(), 8).to(where)
    attend = Packed(batch.lengths, batch.causal, where)
    inputs = batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows
    exact = net(*inputs)
    with torch.autocast(device, torch.bfloat16):
        fast = net(*inputs)
    for one, two in zip(exact, fast, strict=True):
        torch.testing.assert_close(one, two, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [{"arch": "retnet"}, {"group": 2}], ids=str)
def test_heads_ahead_predict_later_steps_where_head_0_predicts_the_next(shape: dict[str, Any]) -> None:
    net = network(ahead=2, **shape)
    group = net.config.group
    batch = collate(documents(group), 8, ahead=2)
    assert (batch.ahead, len(batch.rows)) == (2, 3 * 8 + 1 + 2)
    assert batch.num_targets == collate(documents(group), 8).num_targets
    logits = run(net, batch)
    counts = [len(item.rows_M) for item in documents(group) if item.head == 0]
    for n in (1, 2):
        rows, targets = batch.rows[24 + n], batch.targets[24 + n]
        assert len(rows) == sum(max(count - n, 0) for count in counts)
        assert logits[24 + n].shape == (len(targets), 65)
        assert len(targets) == len(rows) * group == len(batch.tasks[24 + n])
        wanted = [item.targets_M[n * group :] for item in documents(group) if item.head == 0]
        assert targets.tolist() == np.concatenate(wanted).tolist()
        kept = [row in set(rows.tolist()) for row in batch.rows[0].tolist()]
        places = torch.tensor(kept).repeat_interleave(group)
        torch.testing.assert_close(logits[24 + n], logits[0][places], msg="new ones say what head 0 says")
    with torch.no_grad():
        net.ahead[1].down.weight.normal_()
    changed = run(net, batch)
    assert [torch.equal(one, other) for one, other in zip(logits, changed, strict=True)] == [True] * 26 + [False]


def test_heads_ahead_change_no_other_weight() -> None:
    plain, more = network(), network(ahead=3)
    weights = more.state_dict()
    assert all(weight.equal(weights[name]) for name, weight in plain.state_dict().items())
    assert more.num_parameters() == plain.num_parameters() + 3 * 2 * 32 * 32
