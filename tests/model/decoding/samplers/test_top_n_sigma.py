import torch

from model.decoding.samplers.top_n_sigma import top_n_sigma_only


def test_worked_numbers() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])  # the deviation is the root of 2
    for n, kept in ((0.0, 1), (0.7, 1), (0.8, 2), (1.5, 3), (2.2, 4), (3.0, 5)):
        found = top_n_sigma_only(logits, n)
        assert found.isfinite().sum() == kept
        assert torch.equal(found[0, 5 - kept :], logits[0, 5 - kept :])


def test_codes_ruled_out_before_dont_count() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    wide = torch.cat([logits, torch.full((1, 3), -torch.inf)], 1)
    assert torch.equal(top_n_sigma_only(wide, 1.5)[:, :5], top_n_sigma_only(logits, 1.5))
    assert top_n_sigma_only(torch.tensor([[-torch.inf, 2.0]]), 1.0).tolist() == [[-torch.inf, 2.0]]


def test_the_temperature_changes_nothing() -> None:
    logits = torch.randn(5, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(top_n_sigma_only(logits, 1.2).isfinite(), top_n_sigma_only(logits / 4, 1.2).isfinite())
