"""What the tests of the networks share."""

import pytest

from stages.kernels import conv


@pytest.fixture(params=["short strips", "strips"])
def strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "short strips":
        monkeypatch.setattr(conv, "_STRIP_FLOATS", 100)
        monkeypatch.setattr(conv, "_FEWEST_TILES", 30)
