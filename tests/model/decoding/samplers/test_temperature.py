import math

import pytest
import torch

from model.decoding.samplers.temperature import temperature_scaled


@pytest.mark.parametrize("temperature", [0.3, 1.7])
def test_it_equals_transformers(temperature: float) -> None:
    from transformers import TemperatureLogitsWarper

    logits = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(temperature_scaled(logits, temperature), TemperatureLogitsWarper(temperature)(None, logits))


@pytest.mark.parametrize("surest", [0.26, 0.5, 0.7, 0.999])
def test_the_surer_the_cooler(surest: float) -> None:
    logits = torch.tensor([[surest, *[(1 - surest) / 4] * 4]]).log()
    wanted = 1.5 - (1.5 - 0.2) / (1 + math.exp(-10 * (surest - 0.5)))
    torch.testing.assert_close(temperature_scaled(logits, 1.5, 0.2), logits / wanted)


def test_worked_numbers() -> None:
    half = torch.tensor([[0.5, 0.5]]).log()
    torch.testing.assert_close(temperature_scaled(half, 1.0, 0.0), half / 0.5)
    each_row_has_its_own = torch.tensor([[10.0, 0.0], [0.0, 0.0]])
    found = temperature_scaled(each_row_has_its_own, 2.0, 1.0)
    torch.testing.assert_close(found[0, 0], torch.tensor(10 / 1.0067), atol=1e-3, rtol=0)
