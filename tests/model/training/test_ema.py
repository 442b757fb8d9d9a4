import pytest
import torch
from torch import nn

from model.training.ema import Average


def test_the_average_follows_as_defined_and_the_weights_come_back() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, decay=0.5)
    wanted = network.weight.item()
    for step, value in enumerate((1.0, 3.0, -2.0, 5.0, 0.1, 7.0), 1):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
        assert average.weights["weight"].item() == pytest.approx(wanted)
    own = network.weight.clone()
    with pytest.raises(KeyError), average.applied():
        assert network.weight.item() == average.weights["weight"].item() != own.item()
        raise KeyError
    assert torch.equal(network.weight, own)


def test_the_average_of_half_precision_weights_loses_nothing() -> None:
    network = nn.Linear(1, 1, bias=False).bfloat16()
    average = Average(network, decay=0.9999)
    nn.init.ones_(network.weight)
    for step in range(100_000, 100_100):
        average.update(step)
    start = average.weights["weight"].item()
    for step in range(100_100, 100_200):
        average.update(step)
    assert 0 < abs(average.weights["weight"].item() - start) < 0.02
    with average.applied():
        assert network.weight.dtype == torch.bfloat16
    assert network.weight.item() == 1.0
