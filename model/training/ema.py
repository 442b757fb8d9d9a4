"""Exponential moving average of the weights, used for validation and synthesis."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from model.training.parallel.state import forget_gathered, local


class Average:
    """Averages a network's weights: after each update, average = decay * average + (1 - decay) * weight.

    The decay grows with the number of updates n as min(decay, (1 + n) / (10 + n)), so the initial random weights soon
    lose their influence.

    Args:
        network: The network to average; its parameters must stay the same tensors.
        decay: Decay of the average, below 1.

    Source: Polyak averaging as `tf.train.ExponentialMovingAverage` does it with `num_updates`; decay and use as in
    "Mean teachers", section 3, https://arxiv.org/abs/1703.01780.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self._parameters = list(network.parameters())  # `fsdp` swaps them between a forward pass and its backward pass
        self.weights = {name: weight.detach().float().clone() for name, weight in network.named_parameters()}
        """The averages by parameter name, float32, sharded over the processes like the weights."""

    def _own(self) -> list[Tensor]:
        return [local(weight.detach()) for weight in self._parameters]

    def _averages(self) -> list[Tensor]:
        return [local(average) for average in self.weights.values()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Adds the weights after update number `updates`, counted from 1."""
        share = 1 - min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(self._averages(), [weight.float() for weight in self._own()], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Sets the network to the averaged weights within the context, then restores its own, bit for bit."""
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
