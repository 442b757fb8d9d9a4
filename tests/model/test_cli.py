"""`valle train` on a real store, and its mistakes: one line, the right exit code."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from model import trainer
from model.cli import main
from stages.errors import StoppedError
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store import StoreShards, write_index

CONFIG = """
model: {width: 32, layers: 1, heads: 2, feedforward: 48}
data: {min_s: 0.2, validation: 0.3, batch_tokens: 500}
optimizer: {lr: 1e-3, warmup_steps: 2}
trainer: {max_steps: 3, device: cpu, threads: 1}
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "hdf5").mkdir()
    rng = np.random.default_rng(0)
    items = []
    for row in range(12):
        codes = rng.integers(0, 256, (4, 40 + row)).astype(np.uint8)
        speaker = f"s{row % 2}"
        items.append(
            Encoded(Utterance(f"{speaker}/{row}.wav", "", "", speaker, "de", 0, 1, 1, "ja", "jˈaː", 40 + row), codes)
        )
    for number in range(2):
        StoreShards().write({"h5": folder / "hdf5" / f"{number}.h5"}, items[number::2])
    write_index(folder / "hdf5", ["0.h5", "1.h5"], CodecIdentity("dac", 44_100, 75.0, 4, 256, "abc"), "print")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_train_reads_the_store_and_writes_a_run(
    dataset: Path, config: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = "--set", f"data.store={dataset}", "--set", f"trainer.out={tmp_path / 'run'}"
    assert valle(monkeypatch, "train", config, *sets, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["utterances"] + plan["validation_utterances"] == 12
    assert plan["steps"] == 3
    assert not (tmp_path / "run").exists()

    assert valle(monkeypatch, "train", config, *sets, "--json", "--quiet") == 0
    folder = Path(json.loads(capsys.readouterr().out)["checkpoint"])
    assert {path.name for path in folder.iterdir()} == {
        *("model.safetensors", "config.json", "tokenizer.json", "meta.json", "trainer.pt")
    }
    assert json.loads((folder / "meta.json").read_text())["dataset"] == "print"
    assert plan["parameters"] == sum(
        np.prod(shape)
        for shape in (value["shape"] for name, value in _header(folder).items() if name != "__metadata__")
    )
    assert valle(monkeypatch, "train", config, *sets, "--fresh") == 2
    assert "--fresh" in capsys.readouterr().err


def _header(folder: Path) -> dict:
    data = (folder / "model.safetensors").read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def test_interruption_ends_with_130(dataset: Path, config: Path, monkeypatch, capsys) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise StoppedError("stopped by SIGTERM after step 3")

    monkeypatch.setattr(trainer, "train", stopped)
    assert valle(monkeypatch, "train", config, "--set", f"data.store={dataset}") == 130
    assert capsys.readouterr().err == "stopped by SIGTERM after step 3\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "nowhere.yaml"], "`nowhere.yaml` can't be read as a configuration"),
        (["train", "{config}", "--set", "model.widht=8"], "did you mean `model.width`"),
        (["train", "{config}", "--set", "optimizer.lr=fast"], "`optimizer.lr` must be a valid number, but is 'fast'"),
        (["train", "{config}", "--set", "data.store=nowhere"], "valle-prep hdf5 --out nowhere"),
        (["train", "{config}", "--set", "data.store={dataset}", "--set", "data.min_s=9"], "none is left"),
        (["train", "{config}", "--set", "data.store={dataset}", "--device", "cuda:77"], "CUDA devices are here"),
        (["synth", "Hello.", "none.wav", "out.wav", "--model", "nowhere"], "valle train"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(  # noqa: PLR0917 (fixtures)
    dataset: Path, config: Path, monkeypatch, capsys, arguments: list[str], told: str
) -> None:
    filled = [argument.format(config=config, dataset=dataset) for argument in arguments]
    assert valle(monkeypatch, *filled) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("what", "shape"),
    [("train", "arch=retnet"), ("train", "group=2"), ("decode", "group=1"), ("decode", "group=4"), ("load", "group=2")],
)
def test_bench_shows_both_sides(config: Path, monkeypatch, capsys, what: str, shape: str) -> None:
    sets = "--set", "data.batch_tokens=1500", "--set", f"model.{shape}"
    settings = *sets, "--seconds", "0.1", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", what, "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    names = {
        "train": ("packed_tokens_per_s", "padded_tokens_per_s"),
        "decode": ("cached_frames_per_s", "uncached_frames_per_s"),
        "load": ("packed_samples_per_s", "padded_samples_per_s"),
    }
    better, base = (shown[name] for name in names[what])
    assert shown["ratio"] == pytest.approx(better / base, rel=0.1)
    assert "threads" in shown["hardware"]
    if what == "train":
        assert shown["mfu_of_measured"] > 0
        assert "mfu_of_datasheet" not in shown, "no datasheet has the rate of a CPU"
