"""What is given before a canvas: it doesn't see what follows, and read once it is as if read in each pass."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.architecture import ARCHS
from model.network import attention
from model.network import given as module
from model.network.attention import Packed
from model.network.given import Beside, Kept
from model.network.packing import collate
from model.sequences.documents import Document
from tests.model.network.test_decoder import CPU, documents, network


def canvases() -> list[Document]:
    """Two canvases of all codebooks."""
    return [item for item in documents() if item.given]


def hidden(net: Any, items: list[Document], attend: Any) -> Tensor:
    batch = collate(items, 8)
    with torch.no_grad():
        return net.hidden(batch.tokens_L, batch.codes_LK, batch.positions_L, attend)


def whole(net: Any, items: list[Document]) -> list[Tensor]:
    lengths, given = [len(item) for item in items], [item.given for item in items]
    return list(torch.split(hidden(net, items, Packed(lengths, 0, CPU, given)), lengths))


def in_two(net: Any, items: list[Document]) -> list[Tensor]:
    before, after = zip(*(item.split() for item in items), strict=True)
    kept = Kept([len(item) for item in before], CPU)
    hidden(net, list(before), kept)
    lengths = [len(item) for item in after]
    return list(torch.split(hidden(net, list(after), Beside(kept, lengths)), lengths))


def varlen(q: Tensor, k: Tensor, v: Tensor, *bounds: Any, window_size: tuple[int, int]) -> Tensor:
    """What PyTorch's variable-length attention computes."""
    starts_q, starts_k, longest_q, longest_k = bounds
    sizes_q, sizes_k = (part.diff().tolist() for part in (starts_q, starts_k))
    assert (max(sizes_q), max(sizes_k)) == (longest_q, longest_k)
    assert (sum(sizes_q), sum(sizes_k)) == (len(q), len(k))
    parts = zip(torch.split(q, sizes_q), torch.split(k, sizes_k), torch.split(v, sizes_k), strict=True)
    causal = window_size == (-1, 0)
    return torch.cat([attention.sdpa(q_i[None], k_i[None], v_i[None], causal=causal)[0] for q_i, k_i, v_i in parts])


@pytest.mark.parametrize("shape", [{}, {"kv_heads": 2}, {"group": 2}], ids=str)
@pytest.mark.parametrize("flash", [False, True])
def test_read_once_it_is_as_if_read_in_each_pass(
    shape: dict[str, Any], flash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, items = network(**shape).eval(), canvases()
    wanted = whole(net, items)
    if flash:
        for place in (attention, module):
            monkeypatch.setattr(place, "flash_takes", lambda *_: True)
        monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen)
        for found, one in zip(whole(net, items), wanted, strict=True):
            torch.testing.assert_close(found, one, rtol=1e-4, atol=1e-5)
    for item, found, one in zip(items, in_two(net, items), wanted, strict=True):
        torch.testing.assert_close(found, one[item.given :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", ARCHS)
def test_what_is_given_does_not_see_what_follows(arch: str) -> None:
    net, (item, _) = network(arch=arch).eval(), canvases()
    other = replace(item, codes_LK=np.where(np.arange(len(item))[:, None] < item.given, item.codes_LK, 5))
    one, two = (whole(net, [each])[0] for each in (item, other))
    same = torch.equal(one[: item.given], two[: item.given])
    assert same == (arch == "llama"), "states run on from the end of a bidirectional document"
    assert (one[item.given :] - two[item.given :]).abs().max() > 1e-3


def test_a_state_can_t_be_kept() -> None:
    kept = Kept([3], CPU)
    for attend in (kept, Beside(kept, [2])):
        with pytest.raises(NotImplementedError, match="retention has no keys"):
            attend.retain(0, *torch.zeros(3, 3, 2, 4))
