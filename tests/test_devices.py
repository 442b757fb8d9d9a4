"""The pretended GPU raises where CUDA would, and counts what makes the host wait."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.devices import CPU, CUDA, PretendedCuda, TwoDevicesError

Act = Callable[[Tensor], Any]
"""Does something with `[3, 4]` ones on the device."""

MEETINGS: dict[str, Act] = {
    "add": lambda x: x + torch.ones(4),
    "add to the CPU": lambda x: torch.ones(3, 4).add_(x),
    "a CUDA scalar to the CPU": lambda x: torch.ones(4) + x[0, 0],
    "linear": lambda x: nn.functional.linear(x, torch.ones(2, 4)),
    "embedding": lambda x: nn.functional.embedding(torch.zeros(1, dtype=torch.int64), x),
    "embedding bag": lambda x: nn.functional.embedding_bag(x.long(), torch.ones(4, 4), mode="sum"),
    "cat": lambda x: torch.cat([x, torch.ones(1, 4)]),
    "stack scalars": lambda x: torch.stack([x[0, 0], torch.tensor(1.0)]),
    "CUDA indices of a CPU tensor": lambda x: torch.arange(3)[x[:, 0].long()],
    "put CPU values": lambda x: x.index_put_((x[:, 0].long(),), torch.ones(3, 4)),
    "gather": lambda x: x.gather(0, torch.zeros(1, 4, dtype=torch.int64)),
    "loss": lambda x: nn.functional.cross_entropy(x, torch.zeros(3, dtype=torch.int64)),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x[None], torch.ones(1, 3, 4), x[None]),
    "a CPU generator": lambda x: torch.rand(3, device=x.device, generator=torch.Generator()),
    "numpy": lambda x: x.numpy(),
    "asarray": np.asarray,
    "pin": lambda x: x.pin_memory(),
}

READS: dict[str, Act] = {
    "item": lambda x: x[0, 0].item(),
    "float": lambda x: float(x.sum()),
    "bool": lambda x: bool((x > 0).all()),
    "slice up to a value": lambda x: x[: x[0, 0].long()],
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to("cpu", torch.float64),
    "to, asynchronous": lambda x: x.to("cpu", non_blocking=True),
    "like a CPU tensor": lambda x: x.to(torch.ones(1)),
    "copy": lambda x: torch.zeros(3, 4).copy_(x),
    "nonzero": lambda x: x.nonzero(),
    "where": lambda x: torch.where(x > 0),
    "unique": lambda x: x.unique(),
    "mask": lambda x: x[x > 0],
    "masked select": lambda x: x.masked_select(x > 0),
    "put by a mask": lambda x: x.index_put_((x > 0,), torch.ones(12, device="cuda")),
    "repeats": lambda x: x.repeat_interleave(x[:, 0].long(), 0),
    "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x),
    "list": lambda x: torch.tensor([1, 2], device=x.device),
    "new list": lambda x: x.new_tensor([1, 2]),
    "array": lambda x: torch.as_tensor(np.ones(3), device=x.device),
    "copied in": lambda x: torch.ones(3).to(x.device),
    "copied in, pageable": lambda x: torch.ones(3).to(x.device, non_blocking=True),
    "copied in, pinned, but blocking": lambda x: torch.ones(3).pin_memory().cuda(),
    "a list as indices": lambda x: x[[0, 1]],
    "CPU indices": lambda x: x[torch.tensor([0])],
    "a number put into one place": lambda x: x.__setitem__((0, 0), 1.0),
}

QUIET: dict[str, Act] = {
    "made there": lambda x: torch.zeros(3, device=x.device) + torch.arange(3, device="cuda") + x.new_ones(3),
    "numbers": lambda x: (x + 1.0) * torch.tensor(2.0),
    "where with a number": lambda x: x.where(x > 0, -1.0),
    "fill by a mask": lambda x: x.masked_fill_(x > 0, -1.0),
    "put a number by a mask": lambda x: x.__setitem__(x > 0, 1.0),
    "put a number into a column": lambda x: x.__setitem__((slice(None), 0), 1.0),
    "indices": lambda x: x[x[:, 0].long()],
    "repeats of known number": lambda x: x.repeat_interleave(x[:, 0].long(), 0, output_size=3),
    "sort": lambda x: x.sort(stable=True, dim=-1).indices,
    "copied in, pinned": lambda x: torch.ones(3).pin_memory().to(x.device, non_blocking=True) + x[:, 0],
    "other dtype": lambda x: x.double().to(torch.float32).to(x.device),
    "half precision": lambda x: x.bfloat16() @ x.bfloat16().T,
    "views": lambda x: x.view(-1)[2:].unfold(0, 3, 1).transpose(0, 1) + x[0, 0],
    "convolution": lambda x: nn.functional.conv1d(x[None], torch.ones(1, 3, 2, device="cuda")),
}


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in MEETINGS.items()])
@pytest.mark.parametrize("inference", [False, True])
def test_two_devices_are_refused(act: Act, inference: bool) -> None:
    with PretendedCuda(), torch.inference_mode(inference):
        x = torch.ones(3, 4, device="cuda")
        with pytest.raises(TwoDevicesError):
            act(x)


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in READS.items()])
@pytest.mark.parametrize("inference", [False, True])
def test_each_wait_is_counted(act: Act, inference: bool) -> None:
    with PretendedCuda() as cuda, torch.inference_mode(inference):
        x = torch.ones(3, 4, device="cuda")
        assert not cuda.waits
        act(x)
        assert cuda.waits.total() >= 1
        assert all("tests/test_devices.py" in wait for wait in cuda.waits)


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in QUIET.items()])
@pytest.mark.parametrize("inference", [False, True])
def test_what_stays_on_the_device_waits_for_nothing(act: Act, inference: bool) -> None:
    with PretendedCuda() as cuda, torch.inference_mode(inference):
        found = act(torch.ones(3, 4, device="cuda"))
        assert not cuda.waits
        assert found is None or found.device == CUDA


ON_THE_CPU = {name: act for name, act in (READS | MEETINGS).items() if "cuda" not in name.lower()}


@pytest.mark.parametrize("name", [name for name in ON_THE_CPU if "pinned" not in name and "by a mask" not in name])
def test_the_cpu_knows_neither(name: str) -> None:
    act = ON_THE_CPU[name]
    with PretendedCuda() as cuda:
        act(torch.ones(3, 4))
        assert not cuda.waits


def test_a_step_of_training_stays_there() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    weights = list(net.parameters())
    with PretendedCuda() as cuda:
        cuda.put(net)
        optimizer = torch.optim.AdamW(weights, fused=True)
        loss = net(torch.ones(3, 4, device=CUDA)).square().sum()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        on = [*weights, *(weight.grad for weight in weights), norm, loss, optimizer.state[weights[0]]["step"]]
        assert {tensor.device for tensor in on} == {CUDA}
        assert not cuda.waits
        with pytest.raises(TwoDevicesError):
            net(torch.ones(3, 4))


def test_a_module_that_is_moved_is_there_until_it_comes_back() -> None:
    net = nn.Linear(4, 2)
    with PretendedCuda() as cuda:
        net.to("cuda")
        assert net.weight.device == CUDA
        assert net.weight.is_cuda
        net.to("cpu")
        assert net.weight.device == CPU
        assert cuda.waits.total() == 4
    assert net(torch.ones(4)).shape == (2,)
