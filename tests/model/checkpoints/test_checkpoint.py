import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.checkpoints import checkpoint, saving
from model.checkpoints.checkpoint import Meta
from model.config import TrainConfig
from model.sequences.lengths import Lengths
from stages.errors import ArtefactError, MissingInputError
from tests.model.conftest import CODEC, TOKENIZER, Configure, make_snapshot


def write(run: Path, config: TrainConfig, steps: list[int]) -> list[Path]:
    return [saving.write(run, make_snapshot(config, step)) for step in steps]


def test_what_is_saved_comes_back(tmp_path: Path, configure: Configure) -> None:
    snapshot = make_snapshot(configure(), 5)
    learnt = {"languages": ("en", "de"), "lengths": Lengths(20, 600, 150, 2.0, 4.5, 9.0)}
    words = ("en\tSQL\tsˈiːkwəl",)
    meta = replace(snapshot.meta, loudness_lufs=-23.0, lexicon=words, **learnt)
    folder = saving.write(tmp_path, replace(snapshot, meta=meta))
    loaded = checkpoint.load(tmp_path)
    assert loaded.folder == folder
    assert loaded.config == configure()
    assert loaded.meta == Meta(5, CODEC, "fingerprint", ("a", "ˈ"), loudness_lufs=-23.0, lexicon=words, **learnt)
    assert (loaded.languages, loaded.lengths) == tuple(learnt.values())
    assert loaded.tokenizer.tokens == TOKENIZER.tokens
    fresh = checkpoint.build(configure(), TOKENIZER, CODEC)
    fresh.initialise(torch.Generator().manual_seed(0))
    for name, weight in fresh.state_dict().items():
        assert torch.equal(weight, loaded.network.state_dict()[name])
    assert torch.equal(checkpoint.load_trainer_state(folder)["random"], torch.arange(3))


def test_an_older_checkpoint_knows_what_its_configuration_says(tmp_path: Path, configure: Configure) -> None:
    config = configure(data__languages=["de"], data__max_s=8.0)
    folder = saving.write(tmp_path, make_snapshot(config, 5))
    about = json.loads((folder / "meta.json").read_text())
    del about["languages"], about["lengths"]
    (folder / "meta.json").write_text(json.dumps(about))
    loaded = checkpoint.load(tmp_path)
    assert loaded.languages == ("de",)
    assert loaded.lengths == Lengths.assumed(frame_rate=75.0, min_s=0.2, max_s=8.0)


def test_a_run_gives_its_newest_and_its_best(tmp_path: Path, configure: Configure) -> None:
    for step, loss in ((1, None), (2, 0.5), (9, 0.7), (10, None)):
        saving.write(tmp_path, make_snapshot(configure(), step, loss))
    assert checkpoint.find(tmp_path).name == "step-00000010"
    assert checkpoint.find(tmp_path / "best").name == "step-00000002"
    assert checkpoint.load(tmp_path / "best").meta.validation_loss == 0.5
    assert checkpoint.find(tmp_path / "checkpoints" / "step-00000009").name == "step-00000009"


def test_no_best_is_said(tmp_path: Path, configure: Configure) -> None:
    write(tmp_path, configure(), [1])
    with pytest.raises(MissingInputError, match=r"none in .* was"):
        checkpoint.find(tmp_path / "best")


def test_no_checkpoint_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="valle train"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", '{"model": {"wings": 2}}', "a configuration of this version"),
        ("meta.json", "{}", "a checkpoint's description"),
        ("meta.json", None, "a checkpoint's description"),
        ("tokenizer.json", "[]", "a vocabulary"),
        ("model.safetensors", "short", "the weights"),
    ],
)
def test_a_damaged_part_is_named(
    tmp_path: Path, configure: Configure, name: str, content: str | None, told: str
) -> None:
    (folder,) = write(tmp_path, configure(), [1])
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(ArtefactError, match=told) as raised:
        checkpoint.load(tmp_path)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_weights_of_another_shape_are_named(tmp_path: Path, configure: Configure) -> None:
    (folder,) = write(tmp_path, configure(), [1])
    config = json.loads((folder / "config.json").read_text())
    config["model"]["feedforward"] = 128
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtefactError, match=r"`blocks.0.feedforward.down.weight` is \(32, 64\) instead of \(32, 128\)"):
        checkpoint.load(tmp_path)


def test_the_trainers_state_holds_no_pickled_objects(tmp_path: Path, configure: Configure) -> None:
    (folder,) = write(tmp_path, configure(), [1])
    torch.save({"place": Meta(1, CODEC, "", ())}, folder / "trainer.pt")
    with pytest.raises(ArtefactError, match="the trainer's state"):
        checkpoint.load_trainer_state(folder)
