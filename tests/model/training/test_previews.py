import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training import previews
from model.training.listening import Heard
from model.training.run.progress import RunLog
from model.training.trainer import train
from stages.audio.files import read
from stages.codecs.table import codec_identity
from stages.errors import WeightsError
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


def test_a_judge_hears_them_and_their_pictures_are_drawn(tmp_path: Path, configure: Configure, monkeypatch) -> None:
    pictures: list[tuple[str, tuple[int, ...]]] = []
    monkeypatch.setattr(RunLog, "picture", lambda self, name, picture, step: pictures.append((name, picture.shape)))

    class Ear:
        def __init__(self, model: str, device: str, languages) -> None:
            assert (model, device, set(languages)) == ("packaged", "cpu", {"en"})

        def hear(self, wave, sample_rate: int, text: str, language: str) -> Heard:
            return Heard("what I heard", 1, len(text.split()))

    monkeypatch.setattr(previews, "Listener", Ear)
    store = make_store(codec=codec_identity("embedded"))
    train(configure(**_FEW, trainer__judge="packaged"), store, quiet=True)
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    validated = [record for record in records if "validation/loss" in record]
    assert len(validated) == 2
    for record in validated:
        assert record["validation/wer"] == record["validation/wer_codec"] == 0.5, "`Text 3` has two words"
        assert 0 < record["validation/alignment"] < 1
    about = (tmp_path / "run" / "samples" / "step-00000002" / "01.txt").read_text().splitlines()
    assert about[3] == list(store.texts())[store.ids.index(about[0])]
    assert about[4] == "heard: what I heard"
    assert [name for name, _ in pictures] == ["attention/00", "attention/01"] * 2
    assert all(len(shape) == 3 for _, shape in pictures)


def test_retention_has_no_attention_to_draw(tmp_path: Path, configure: Configure) -> None:
    config = configure(**_FEW, model__arch="retnet", model__kv_heads=None)
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    folder = tmp_path / "run" / "samples" / "step-00000002"
    assert sorted(path.suffix for path in folder.glob("00*")) == [".txt", ".wav", ".wav"]


def test_a_judge_that_isnt_there_ends_the_run_before_it_begins(tmp_path: Path, configure: Configure) -> None:
    config = configure(**_FEW, trainer__judge=str(tmp_path / "none"))
    with pytest.raises(WeightsError, match=r"`trainer\.judge` must be a folder"):
        train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    with pytest.raises(ValueError, match=r"`trainer\.judge` hears the samples: set `trainer\.samples` above 0"):
        configure(trainer__judge="packaged")


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


def test_they_are_spoken_as_at_synthesis(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows when a symbol is said, and a length that no such text has is replaced by the usual one."""
    asked: list[dict[str, object]] = []

    def generate(network, tokenizer, conditions, **how):
        asked.append(how | {"times": [condition.times for condition in conditions]})
        return spoken(network, tokenizer, conditions, **how)

    spoken = previews.generate
    monkeypatch.setattr(previews, "generate", generate)
    settings = {"data__modes": {"all": 1.0, "len": 0.1}, "model__text_spacing": "aligned"}
    told = {**_FEW, **settings, "trainer__max_steps": 1, "data__continuation_probability": 0.0}
    train(configure(**told), make_store(codec=codec_identity("embedded")), quiet=True)
    (how,) = asked
    assert how["times"] == [None, None]
    for fewest, usual, most in how["usual_frames"]:
        assert 0 < fewest < usual < most
