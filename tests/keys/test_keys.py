"""Every configuration key does what it says, and its proof fails if the key is ignored."""

from pathlib import Path

import pytest

from model.config import TrainConfig
from pipeline.config import PrepConfig
from stages.errors import ValleError
from stages.machine import nothing_fetched
from tests.keys.table import KEYS
from tests.keys.world import World, fields

IDS = [f"{key}, by a stand-in" if "stand_in" in proof.__name__ else key for key, proof in KEYS.items()]


def test_every_key_of_every_section_has_a_proof() -> None:
    keys = [key for kind in (PrepConfig, TrainConfig) for key, _ in fields(kind)]
    assert len(keys) == len(set(keys)), "a section of one program has the name of another's"
    missing, stale = sorted(set(keys) - KEYS.keys()), sorted(KEYS.keys() - set(keys))
    assert not missing, f"no proof in tests/keys of: {', '.join(missing)}"
    assert not stale, f"no such key: {', '.join(stale)}"


@pytest.mark.parametrize("key", KEYS, ids=IDS)
def test_a_key_does_what_it_says(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEYS[key](World(tmp_path, monkeypatch))


@pytest.mark.parametrize("key", KEYS, ids=IDS)
def test_a_proof_fails_where_its_key_is_ignored(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_fetched(), pytest.raises((AssertionError, ValleError)):
        KEYS[key](World(tmp_path, monkeypatch, ignored=key))
