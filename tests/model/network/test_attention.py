"""Tests which kernel each device gets; `test_decoder` and `test_contracts` test that all agree."""

import pytest
import torch

from model.network.attention import flash_takes

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "dtype", "head_width", "taken"),
    [
        ((8, 0), torch.bfloat16, 64, True),
        ((9, 0), torch.float16, 256, True),
        ((7, 5), torch.bfloat16, 64, False),
        ((8, 0), torch.float32, 64, False),
        ((8, 0), torch.bfloat16, 60, False),
        ((8, 0), torch.bfloat16, 264, False),
    ],
)
def test_flash_attention_is_taken_where_it_works(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype, head_width: int, taken: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert flash_takes(CUDA, dtype, head_width) == taken
    assert not flash_takes(torch.device("cpu"), dtype, head_width)
