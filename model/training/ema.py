"""The exponential moving average of the weights, with which one validates and speaks."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from model.training.parallel.state import forget_gathered, local


class Average:
    """Follows a network's weights: after each update, average = decay * average + (1 - decay) * weight.

    The decay grows to its full value with the number of updates, min(decay, (1 + n) / (10 + n)), so that the first,
    random weights are soon forgotten.

    Args:
        network: Whose weights to follow; its parameters must stay the same tensors.
        decay: Of the average, below 1.

    Source: Polyak averaging as `tf.train.ExponentialMovingAverage` does it with `num_updates`; decay and use as in
    "Mean teachers", section 3, https://arxiv.org/abs/1703.01780.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self._parameters = list(network.parameters())  # `fsdp` shows others between a forward pass and its backward one
        self.weights = {name: weight.detach().float().clone() for name, weight in network.named_parameters()}
        """The averages, float32, by the network's names; spread over the processes as its weights are."""

    def _own(self) -> list[Tensor]:
        return [local(weight.detach()) for weight in self._parameters]

    def _averages(self) -> list[Tensor]:
        return [local(average) for average in self.weights.values()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Takes in the weights after an update, the `updates`-th, from 1 on."""
        share = 1 - min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(self._averages(), [weight.float() for weight in self._own()], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the network the averaged weights for a while, then its own back, bit for bit."""
        own = [weight.clone() for weight in self._own()]
        self._set(self._averages())
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, weights: list[Tensor]) -> None:
        for weight, value in zip(self._own(), weights, strict=True):
            weight.copy_(value)
        forget_gathered(self.network)
