import pytest
import torch

from model.decoding.samplers.min_p import min_p_only


@pytest.mark.parametrize("p", [0.01, 0.2, 0.9, 1.0])
def test_it_equals_transformers(p: float) -> None:
    from transformers import MinPLogitsWarper

    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)) * 3
    assert torch.equal(min_p_only(logits, p), MinPLogitsWarper(p)(None, logits))
