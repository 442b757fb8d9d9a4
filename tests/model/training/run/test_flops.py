import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from model.architecture import ModelConfig
from model.bench.basis.random_data import CODEC, random_documents
from model.network.attention import Packed
from model.network.decoder import Decoder
from model.network.packing import collate
from model.sequences.tokenizer import Tokenizer
from model.training.run.flops import DATASHEET, datasheet_rate, measured_rate, training_flops


def test_a_hand_count() -> None:
    network = Decoder(ModelConfig(width=8, layers=1, heads=2, feedforward=12), 5, 2, 3)
    grouped = Decoder(ModelConfig(width=8, layers=1, heads=2, feedforward=12, group=4), 5, 2, 3)
    blocks = 8 * 24 + 8 * 8 + 8 * 24 + 12 * 8  # qkv, out, gate and up, down
    heads = 2 * (8 * 4) + 4 * (8 * 3) + 1 * (8 * 5) + 3 * (8 * 4)  # the canvas uses head 0
    heads += 5 * (8 * 4) + 2 * (8 * 3) + 1 * (8 * 3)  # as a canvas of all uses both
    causal, full = 4 * (10**2 / 2) * 8, 4 * 6**2 * 8
    wanted = 3 * (2 * 16 * blocks + 2 * heads + causal + full)
    assert training_flops(network, [10, 6], 1, [2, 4, 1, 3, 5, 2, 1]) == wanted
    more = 3 * 2 * 2 * (8 * 4 * 3)  # at the two positions of mode ar
    assert training_flops(grouped, [10, 6], 1, [2, 4, 1, 3, 5, 2, 1]) == wanted + more
    given = training_flops(network, [10, 6], 1, [2, 4, 1, 3, 5, 2, 1], [0, 4])
    assert wanted - given == 3 * 4 * 4 * 2 * 8, "what is given doesn't attend to the two positions that follow"
    ahead = Decoder(ModelConfig(width=8, layers=1, heads=2, feedforward=12, ahead=2), 5, 2, 3)
    one = 3 * 2 * (2 * 8 * 8 + 8 * 4)  # its own two matrices, and head 0's
    assert training_flops(ahead, [10, 6], 1, [2, 4, 1, 3, 5, 2, 1, 1, 0]) == wanted + one
    ahead.train_only_ahead()
    one = (3 + 2) * 2 * 8 * 8 + 2 * 2 * 8 * 4  # the gradient passes through head 0 and W2, but not through W1
    assert training_flops(ahead, [10, 6], 1, [2, 4, 1, 3, 5, 2, 1, 1, 0]) == wanted / 3 + one


def test_what_a_window_hides_costs_nothing() -> None:
    shape = {"width": 8, "layers": 1, "heads": 2, "feedforward": 12}
    whole, limited = (Decoder(ModelConfig(**shape, window=window), 5, 2, 3) for window in (None, 4))
    documents = [30, 20, 6, 9], 3, [0] * 7
    behind = (30 - 10 - 4) ** 2 / 2  # of the second, nothing is limited; the third is shorter than its window
    saved = training_flops(whole, *documents) - training_flops(limited, *documents, before=[10, 0, 3, 0])
    assert saved == 3 * 4 * behind * 8
    assert training_flops(whole, *documents, before=[10, 0, 3, 0]) == training_flops(whole, *documents)


def test_retention_costs_the_same_at_every_position_of_a_long_document() -> None:
    network = Decoder(ModelConfig(arch="retnet", width=8, layers=3, heads=2), 5, 2, 3)
    attention = Decoder(ModelConfig(width=8, layers=3, heads=2), 5, 2, 3)
    short, long, longer = (training_flops(network, [length], 1, [0] * 7) for length in (20, 1000, 2000))
    blocks = 3 * 2 * (4 * 8 * 8 + 8 * 8 + 3 * 8 * ModelConfig().feedforward)
    # In each head, of 4: half the 128 x 128 pairs of a chunk, q k and the weights times v; k v, and q times the state.
    assert long == 1000 * 3 * (blocks + 3 * 2 * (2 * 2 * 64 * 4 + 2 * 2 * 4 * 4))
    assert longer == 2 * long
    assert training_flops(network, [1000], 0, [0] * 7) - long == 1000 * 3 * 3 * 2 * (2 * 2 * 64 * 4 + 2 * 2 * 4 * 4)
    gate = 20 * 3 * 3 * 2 * 8 * 8
    assert short == training_flops(attention, [20], 1, [0] * 7) + gate, "by pairs where these are fewer"


def test_a_state_space_costs_the_same_at_every_position_of_a_long_document() -> None:
    network = Decoder(ModelConfig(arch="mamba", width=8, layers=3, heads=2, state=5), 5, 2, 3)
    long, longer, full = (training_flops(network, [length], causal, [0] * 7) for length, causal in LONG)
    blocks = 3 * 2 * (8 * (2 * 16 + 2 * 5 + 2) + 16 * 8 + 3 * 8 * ModelConfig().feedforward)
    # Half the 64 x 64 pairs of a chunk, c b and the weights times x; the state, written and read; four taps.
    one_way = 2 * 32 * (5 + 16) + 2 * 2 * 16 * 5 + 2 * 4 * (16 + 2 * 5)
    assert long == 1000 * 3 * (blocks + 3 * one_way)
    assert longer == 2 * long
    assert full - long == 1000 * 3 * 3 * one_way, "both ways"


LONG = (1000, 1), (2000, 1), (1000, 0)


def test_of_experts_those_that_are_chosen_cost() -> None:
    shape = {"width": 8, "layers": 2, "heads": 2, "feedforward": 12}
    one, several = (Decoder(ModelConfig(**shape, **more), 5, 2, 3) for more in ({}, {"experts": 8}))
    router, expert = 8 * 8, 3 * 8 * 12
    added = training_flops(several, [10], 1, [0] * 7) - training_flops(one, [10], 1, [0] * 7)
    assert added == 10 * 2 * 3 * 2 * (router + expert), "the second one, and the router"
    assert several.num_active() == one.num_parameters() + 2 * (router + expert)
    assert several.num_parameters() == several.num_active() + 2 * 6 * expert


@pytest.mark.parametrize("more", [{}, {"kv_heads": 2}, {"experts": 3}], ids=str)
def test_it_is_what_pytorch_counts(more: dict[str, int]) -> None:
    config = ModelConfig(width=64, layers=3, heads=4, feedforward=96, **more)
    tokenizer = Tokenizer.default(CODEC.num_codebooks)
    network = Decoder(config, len(tokenizer), CODEC.num_codebooks, CODEC.codebook_size)
    batch = collate([item for item in random_documents(tokenizer, 6000) if not item.causal], CODEC.num_codebooks)
    # Masked by hand: whether it counts the kernels of attention on the CPU depends on PyTorch's version.
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        attend = Packed(batch.lengths, batch.causal, torch.device("cpu"), batch.given)
        logits = network(batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows)
        torch.stack([x.sum() for x in logits]).sum().backward()
    counted = training_flops(network, batch.lengths, batch.causal, [len(rows) for rows in batch.rows], batch.given)
    assert counter.get_total_flops() == pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA A10G", None),
    ],
)
def test_a_device_is_found_by_the_words_of_its_name(name: str, row: str | None) -> None:
    assert datasheet_rate(name) == (None if row is None else 1e12 * DATASHEET[row])


def test_the_measured_rate_is_that_of_a_machine() -> None:
    assert 1e8 < measured_rate(torch.device("cpu"), torch.float32) < 1e14
