import json
from pathlib import Path

import pytest
import torch

from model import checkpoint
from model.checkpoint import Meta
from model.config import TrainConfig
from model.tokenizer import Tokenizer
from stages.errors import ArtefactError, MissingInputError
from tests.model.conftest import CODEC, Configure

TOKENIZER = Tokenizer.default(8)


def write(run: Path, config: TrainConfig, steps: list[int], keep: int = 3) -> list[Path]:
    network = checkpoint.build(config, TOKENIZER, CODEC)
    network.initialise(torch.Generator().manual_seed(0))
    state = {"optimizer": {"lr": 0.1}, "random": torch.arange(3)}
    metas = [Meta(step, CODEC, "fingerprint", ("a", "ˈ")) for step in steps]
    return [
        checkpoint.save(run, network, state, config=config, tokenizer=TOKENIZER, meta=meta, keep=keep) for meta in metas
    ]


def test_what_is_saved_comes_back(tmp_path: Path, configure: Configure) -> None:
    (folder,) = write(tmp_path, configure(), [5])
    loaded = checkpoint.load(tmp_path)
    assert loaded.folder == folder
    assert loaded.config == configure()
    assert loaded.meta == Meta(5, CODEC, "fingerprint", ("a", "ˈ"))
    assert loaded.tokenizer.tokens == TOKENIZER.tokens
    fresh = checkpoint.build(configure(), TOKENIZER, CODEC)
    fresh.initialise(torch.Generator().manual_seed(0))
    for name, weight in fresh.state_dict().items():
        assert torch.equal(weight, loaded.network.state_dict()[name])
    assert torch.equal(checkpoint.load_trainer_state(folder)["random"], torch.arange(3))


def test_the_newest_are_kept_and_found(tmp_path: Path, configure: Configure) -> None:
    write(tmp_path, configure(), [1, 2, 10], keep=2)
    folders = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert folders == ["step-00000002", "step-00000010"], "no temporary folder stays"
    assert checkpoint.find(tmp_path).name == "step-00000010"
    assert checkpoint.find(tmp_path / "checkpoints" / "step-00000002").name == "step-00000002"


def test_an_unfinished_checkpoint_is_not_found(tmp_path: Path, configure: Configure, monkeypatch) -> None:
    write(tmp_path, configure(), [1])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, configure(), [2])
    monkeypatch.undo()
    assert checkpoint.find(tmp_path).name == "step-00000001"
    write(tmp_path, configure(), [2])
    assert checkpoint.find(tmp_path).name == "step-00000002"


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
