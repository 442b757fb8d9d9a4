import torch
from hypothesis import given
from hypothesis import strategies as st

from model.decoding.samplers.repetition import repetition_penalised
from tests.model.decoding.samplers.test_sampler import history

LOGITS_BV = torch.randn(3, 20, generator=torch.Generator().manual_seed(0)) * 3


def test_without_decay_it_equals_transformers() -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    rows = torch.randint(0, 20, (3, 9), generator=torch.Generator().manual_seed(1))
    wanted = RepetitionPenaltyLogitsProcessor(1.3)(rows, LOGITS_BV.clone())
    torch.testing.assert_close(repetition_penalised(LOGITS_BV, history(*rows.tolist()), 1.3, 0.0), wanted)


def test_it_decays_by_the_distance_of_the_last_time() -> None:
    logits = torch.tensor([[4.0, -4.0, 4.0, 4.0]])
    found = repetition_penalised(logits, history([1, 0, 2, 0]), 3.0, 0.5)
    # code 0 one frame ago: 3; code 2 two ago: 1 + 2 / 2; code 1 four ago: 1 + 2 / 8; code 3 never
    torch.testing.assert_close(found, torch.tensor([[4 / 3, -4 * 1.25, 4 / 2, 4.0]]))


@given(st.lists(st.integers(0, 19), max_size=12), st.floats(1, 50), st.floats(0, 0.999))
def test_it_never_makes_a_code_likelier(row: list[int], penalty: float, decay: float) -> None:
    found = repetition_penalised(LOGITS_BV[:1], history(row), penalty, decay)
    assert (found <= LOGITS_BV[:1]).all()
    same = torch.tensor([code not in row for code in range(20)])
    assert torch.equal(found[0, same], LOGITS_BV[0, same])
