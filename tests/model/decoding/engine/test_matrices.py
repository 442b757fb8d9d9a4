"""Linear layers with 8-bit weights."""

import pytest
import torch

from model.decoding.engine import matrices
from model.decoding.engine.matrices import Int8, matrix, quantized
from stages.errors import UsageError
from tests.model.decoding.test_autoregressive import decisive


def test_a_row_is_rounded_by_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    weight_ED = torch.randn(96, 64, generator=generator)
    x_BD = torch.randn(5, 64, generator=generator) * torch.tensor([1e-3, 1.0, 1e3, 1.0, 0.0])[:, None]
    layer = Int8(weight_ED)
    together = layer(x_BD)
    assert torch.equal(together, torch.cat([layer(row[None]) for row in x_BD]))
    expected = x_BD @ weight_ED.T
    assert ((together - expected).norm(dim=1) <= 0.02 * expected.norm(dim=1)).all()


def test_the_sums_are_exact() -> None:
    """Whole numbers whose greatest is 127 in every row survive as they are."""
    generator = torch.Generator().manual_seed(0)
    weight_ED = torch.randint(-127, 128, (32, 48), generator=generator).float()
    x_BD = torch.randint(-127, 128, (3, 48), generator=generator).float()
    weight_ED[:, 0] = x_BD[:, 0] = 127
    assert torch.equal(Int8(weight_ED)(x_BD), x_BD @ weight_ED.T)


def test_a_processor_whose_products_overflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in for such a processor: pairs of products are cut at 16 bits."""
    monkeypatch.setattr(Int8, "__call__", lambda self, x_BD: torch.full((len(x_BD), 1), 32.4))
    matrices._sums_are_exact.cache_clear()
    try:
        with pytest.raises(UsageError, match="its 8-bit products overflow"):
            matrix(torch.zeros(2, 2), "int8")
    finally:
        matrices._sums_are_exact.cache_clear()


def test_other_devices_are_refused() -> None:
    with pytest.raises(UsageError, match=r"`quantize` must be `none` on meta, but is `int8`"):
        matrix(torch.zeros(2, 2, device="meta"), "int8")


def test_a_network_in_8_bits_is_nearly_the_same_and_leaves_the_given_one_as_it_was() -> None:
    network = decisive()
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    held = quantized(network, "int8")
    assert held.token_embedding.weight is network.token_embedding.weight
    assert all(torch.equal(weight, before[name]) for name, weight in network.named_parameters())
    assert quantized(network, "none") is network
    hidden_LD = torch.randn(7, network.config.width, generator=torch.Generator().manual_seed(0))
    for head in range(3):
        exact, rounded = network.logits(hidden_LD, head), held.logits(hidden_LD, head)
        assert not torch.equal(exact, rounded)
        assert (exact - rounded).norm() < 0.03 * exact.norm()
        assert torch.equal(rounded[:1], held.logits(hidden_LD[:1], head)), "a row doesn't depend on the others"
    assert held.logits(hidden_LD[:0], 1).shape == (0, 64)


def test_a_feed_forward_takes_its_rows_in_parts() -> None:
    layer = quantized(decisive(), "int8").blocks[0].feedforward
    x_LD = torch.randn(2 * matrices._ROWS + 7, decisive().config.width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = layer(x_LD)
        assert torch.equal(found, torch.cat([layer(row_D[None]) for row_D in x_LD]))
        assert torch.equal(layer(x_LD.view(1, *x_LD.shape)), found[None])
        assert layer(x_LD[:0]).shape == (0, x_LD.shape[1])


def test_experts_are_in_8_bits_but_not_their_router() -> None:
    network = decisive(experts=4)
    network.blocks[0].feedforward.lifts_E[2] = -10_000  # nobody goes there
    held, x_LD = quantized(network, "int8"), torch.randn(300, 32, generator=torch.Generator().manual_seed(0))
    assert held.blocks[0].feedforward.router is network.blocks[0].feedforward.router
    with torch.inference_mode():
        exact, rounded = (one.blocks[0].feedforward(x_LD) for one in (network, held))
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() < 0.03 * exact.norm()
