"""Waves, and how far a result is from another."""

import torch


def far(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Returns the relative error."""
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def seeded(samples: int) -> torch.Tensor:
    return 0.3 * torch.randn(samples, generator=torch.Generator().manual_seed(samples))
