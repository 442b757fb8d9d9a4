"""The window over the response: what a step may attend to, against full passes with the same limit."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.decoding.codes import generate
from model.decoding.options import Decoding
from model.decoding.steps import Steps
from model.network.attention import sdpa
from model.sequences.documents import Condition, document
from stages.errors import UsageError
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive


class Limited:
    """Causal attention over one document, of what is given and of the last positions."""

    def __init__(self, length: int, given: int, size: int) -> None:
        at, back = torch.arange(length)[:, None], torch.arange(length)
        self.mask = (back <= at) & ((back < given) | (back > at - size))

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return sdpa(q[None], k[None], v[None], mask=self.mask)[0]

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize(("shape", "positions"), [({}, 5), ({"kv_heads": 2}, 5), ({"group": 2}, 3)], ids=str)
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@torch.inference_mode()
def test_a_step_sees_the_condition_and_the_last_frames(shape: dict[str, Any], positions: int, guidance: float) -> None:
    net = decisive(**shape)
    group = net.config.group
    codes_BT = torch.randint(0, 64, (len(CONDITIONS), 24), generator=torch.Generator().manual_seed(0))

    def stepwise(context: int | None) -> Tensor:
        steps, found = Steps(net, TOKENIZER, CONDITIONS, most=24, guidance=guidance, context=context), []
        for start in range(0, 24, group):
            found.append(steps.logits(0))
            steps.take(codes_BT[:, start : start + group])
        return torch.cat(found, 1)

    def whole(condition: Condition, codes_T: Tensor) -> Tensor:
        response = np.zeros((8, 24), np.uint16)
        response[0] = codes_T
        given = document(TOKENIZER, condition, response[:, :0], 0, 64, group=group)
        item = document(TOKENIZER, condition, response, 0, 64, group=group)
        tensors = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
        return net.logits(net.hidden(*tensors, Limited(len(item), len(given), positions))[item.rows_M], 0)[:24]

    found = stepwise(5)
    for condition, codes_T, rows_TV in zip(CONDITIONS, codes_BT, found, strict=True):
        wanted_TV = whole(condition, codes_T)
        if guidance > 1:
            alone_TV = whole(condition.dropped(), codes_T)
            wanted_TV = alone_TV + guidance * (wanted_TV - alone_TV)
        torch.testing.assert_close(rows_TV, wanted_TV, rtol=1e-4, atol=1e-4)
    everything = stepwise(None)
    near = positions * group
    torch.testing.assert_close(found[:, :near], everything[:, :near], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found[:, near + group :], everything[:, near + group :], atol=1e-2)


@pytest.mark.parametrize("arch", ["retnet", "mamba"])
def test_a_state_has_no_window(arch: str) -> None:
    with pytest.raises(UsageError, match=f"`max_ar_context` must be left out .* {arch}"):
        generate(decisive(arch=arch), TOKENIZER, CONDITIONS, max_frames=4, decoding=Decoding(max_ar_context=5))
