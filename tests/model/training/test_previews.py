import re
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training import previews
from model.training.run.progress import RunLog
from model.training.trainer import train
from stages.audio.files import read
from stages.codecs.table import codec_identity
from tests.model.conftest import Configure, MemoryStore, make_store

_FILES = ".attention.png", ".reference.wav", ".txt", ".wav"
_FEW = {"trainer__max_steps": 2, "trainer__validate_every": 1, "trainer__samples": 2}


@pytest.mark.parametrize("settings", [{}, {"trainer__ema_decay": 0.5}])
def test_validation_speaks(tmp_path: Path, configure: Configure, monkeypatch, settings: dict[str, object]) -> None:
    heard = []
    monkeypatch.setattr(RunLog, "audio", lambda self, *args: heard.append(args))
    store = make_store(codec=codec_identity("embedded"))
    train(configure(**_FEW, **settings), store, quiet=True)
    folders = sorted((tmp_path / "run" / "samples").iterdir())
    assert [folder.name for folder in folders] == ["step-00000001", "step-00000002"]
    for folder in folders:
        names = [f"{number}{rest}" for number in ("00", "01") for rest in _FILES]
        assert sorted(path.name for path in folder.iterdir()) == names
    first, second = ((folder / "00.reference.wav").read_bytes() for folder in folders)
    assert first == second, "the same utterances each time"
    identity, language, phonemes = (folders[0] / "00.txt").read_text().splitlines()
    row = store.ids.index(identity)
    assert (language, phonemes) == ("en", store.phonemes(row))
    wave, rate = read(folders[0] / "00.reference.wav")
    assert rate == 24_000
    assert abs(len(wave) / rate - store.frames[row] / 75) < 0.6
    assert [(args[0], args[3]) for args in heard[:2]] == [("samples/00", 1), ("samples/00.reference", 1)]
    assert all(np.isfinite(args[1]).all() for args in heard)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "`trainer.samples` is skipped:.*revision"),
        ({"data__modes": {"nar": 1.0}}, "the mode `ar` has no weight"),
        ({"data__modes": {"ar": 1.0}}, "the mode `nar` has no weight"),
        ({"data__validation": 0.0}, "there are no validation utterances"),
    ],
)
def test_what_cant_be_heard_is_said_once(  # noqa: PLR0917 (fixtures)
    tmp_path: Path, configure: Configure, store: MemoryStore, capsys, settings: dict[str, object], told: str
) -> None:
    train(configure(**_FEW, **settings), store)
    lines = [line for line in capsys.readouterr().err.splitlines() if "trainer.samples" in line]
    assert len(lines) == 1
    assert re.search(told, lines[0])
    assert not (tmp_path / "run" / "samples").exists()


def test_to_listen_changes_no_weight(tmp_path: Path, configure: Configure) -> None:
    store = make_store(codec=codec_identity("embedded"))
    runs = {n: configure(**{**_FEW, "trainer__samples": n}, trainer__out=str(tmp_path / str(n))) for n in (0, 1)}
    folders = [train(config, store, quiet=True) for config in runs.values()]
    one, two = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert one == two


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), torch.OutOfMemoryError("memory is full")])
def test_a_machine_that_is_full_is_said_and_ends_nothing(
    tmp_path: Path, configure: Configure, monkeypatch, capsys, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(previews, "write_wav", full)
    train(configure(**_FEW), make_store(codec=codec_identity("embedded")))
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert [line.partition(" couldn't")[0][-6:] for line in told] == ["step 1", "step 2"]
    assert str(error) in told[0]
