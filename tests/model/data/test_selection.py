"""Tests what a run says it leaves out of a dataset."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from model.config import DataConfig
from model.data.selection import select
from model.training.plan import describe
from model.training.trainer import train
from stages.slice import SliceConfig
from tests.model.conftest import CODEC, Configure, MemoryStore, make_store

ROOT = Path(__file__).resolve().parents[3]


def lasting(*seconds: float, languages: str = "") -> MemoryStore:
    """A dataset of utterances that last so long, at 75 frames per second."""
    store = make_store(rows=len(seconds))
    store.frames = np.array([round(75 * length) for length in seconds])
    store.languages = languages.split() or ["en"] * len(seconds)
    return store


@pytest.mark.parametrize(
    ("store", "keys", "said"),
    [
        (lasting(1, 2, 3), {}, "all 3 utterances"),
        (
            lasting(4, 4, 17, 17, 17, 17),
            {"max_s": 16},
            "2 of 6 utterances, 11 % of the hours; 4 over `data.max_s` = 16",
        ),
        (lasting(16, 16.02), {"max_s": 16}, "1 of 2 utterances, 50 % of the hours; 1 over `data.max_s` = 16"),
        (
            lasting(0.2, 0.5, 1000),
            {"min_s": 0.5, "max_s": 2000},
            "2 of 3 utterances, over 99 % of the hours; 1 under `data.min_s` = 0.5",
        ),
        (lasting(1, 9999), {}, "1 of 2 utterances, under 1 % of the hours; 1 over `data.max_s` = 20"),
        (
            lasting(0.2, 1, 1, 1, 30, 30, languages="de en de fr de en"),
            {"languages": ["en", "fr"]},
            "2 of 6 utterances, 3 % of the hours; 1 under `data.min_s` = 0.5; 2 over `data.max_s` = 20;"
            " 1 not in `data.languages` = en, fr",
        ),
        (lasting(30), {}, "0 of 1 utterances, 0 % of the hours; 1 over `data.max_s` = 20"),
    ],
)
def test_what_is_left_out_is_counted_by_key(store: MemoryStore, keys: dict, said: str) -> None:
    assert store.codec.frame_rate == CODEC.frame_rate == 75
    assert select(store, DataConfig(**keys)).describe() == said


def test_the_plan_and_the_run_say_it(configure: Configure, store: MemoryStore, capsys: pytest.CaptureFixture) -> None:
    over = int((store.frames > 90).sum())
    said = f"{len(store.frames) - over} of {len(store.frames)} utterances"
    assert 0 < over < len(store.frames)
    config = configure(data__max_s=1.2, trainer__max_steps=1)
    assert str(describe(config, store)["dataset"]).startswith(said)
    train(config, store)
    output = "".join(capsys.readouterr())
    assert f"note: uses {said}" in output
    assert f"; {over} over `data.max_s` = 1.2" in output


def test_a_run_that_leaves_nothing_out_says_nothing(
    configure: Configure, store: MemoryStore, capsys: pytest.CaptureFixture
) -> None:
    config = configure(trainer__max_steps=1)
    assert describe(config, store)["dataset"] == f"all {len(store.frames)} utterances"
    train(config, store)
    assert "note: uses" not in "".join(capsys.readouterr())


def test_what_slice_keeps_isnt_too_long_to_train_on() -> None:
    assert DataConfig().max_s == SliceConfig().max_s
    for name in ("base", "small"):
        given = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
        assert given["data"]["max_s"] == SliceConfig().max_s
