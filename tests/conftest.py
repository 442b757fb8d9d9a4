"""Fixtures that every test may use."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is, and what else it does, is no property of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SPEECH = Path(__file__).resolve().parents[2] / "shared" / "speech"


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of real recordings, laid out as `<group>/<speaker>/<clip>`; skips where it isn't there."""
    if not SPEECH.is_dir():
        pytest.skip(f"no real recordings at {SPEECH.name}: put them beside the checkout to run this test")
    return SPEECH
