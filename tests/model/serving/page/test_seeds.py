"""Seeds: drawn anew, or used again exactly."""

import pytest

from stages.errors import UsageError

pytestmark = pytest.mark.usefixtures("gradio")


def test_seeds() -> None:
    from model.serving.page.seeds import DRAWN_BELOW, GREATEST, seed_of

    drawn = {seed_of(1, fresh=True) for _ in range(20)}
    assert len(drawn) > 15
    assert all(0 <= seed < DRAWN_BELOW for seed in drawn)
    assert [seed_of(given, fresh=False) for given in (None, 0, 7.0, GREATEST)] == [0, 0, 7, GREATEST]
    for wrong in (-1, 1.5, GREATEST + 2, 1e300):
        with pytest.raises(UsageError, match="`seed` must be"):
            seed_of(wrong, fresh=False)
