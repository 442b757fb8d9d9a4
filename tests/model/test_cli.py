"""`valle train` on a real store, and its mistakes: one line, the right exit code."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.bench.decoding.samplers import SETTINGS
from model.cli import main
from model.config import DataConfig
from model.data.examples import Examples
from model.decoding.engine.graphs import CAPTURES
from model.decoding.samplers.chain import SAMPLERS
from model.sequences.tokenizer import Tokenizer
from model.training import trainer
from stages.errors import StoppedError
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store.index import write_index
from stages.store.reader import open_store
from stages.store.shards import StoreShards
from tests.graphs import Recording
from tests.typed_json import quoted

CONFIG = """
model: {width: 32, layers: 1, heads: 2, feedforward: 48}
data: {min_s: 0.2, validation: 0.3, batch_tokens: 500}
optimizer: {lr: 1e-3, warmup_steps: 2}
trainer: {max_steps: 3, device: cpu, threads: 1}
"""


DAC = CodecIdentity("dac", 44_100, 75.0, 4, 256, "abc")


def write_dataset(
    folder: Path, speaker: str = "s{half}", codec: CodecIdentity = DAC, fingerprint: str = "print"
) -> Path:
    """Twelve utterances; the speaker's name may tell the `row` or its `half`."""
    (folder / "hdf5").mkdir(parents=True)
    rng = np.random.default_rng(0)
    items = []
    for row in range(12):
        codes = rng.integers(0, 256, (codec.num_codebooks, 40 + row)).astype(np.uint8)
        name = speaker.format(half=row % 2, row=row)
        items.append(Encoded(Utterance(f"{row}.wav", "", "", name, "de", 0, 1, 1, "ja", "jˈaː", 40 + row), codes))
    for number in range(2):
        StoreShards().write({"h5": folder / "hdf5" / f"{number}.h5"}, items[number::2])
    write_index(folder / "hdf5", ["0.h5", "1.h5"], codec, fingerprint)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("cli") / "dataset")


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
    assert not list(quoted(plan))
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


def test_ctrl_c_promises_nothing_where_nothing_is_kept(monkeypatch, capsys) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("model.inference.synthesizer.Synthesizer.load", pressed)
    assert valle(monkeypatch, "synth", "Hello.", "none.wav", "out.wav", "--model", "nowhere") == 130
    assert capsys.readouterr().err.strip() == "interrupted: run the same command again."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "nowhere.yaml"], "`nowhere.yaml` can't be read as a configuration"),
        (["train", "{config}", "--set", "model.widht=8"], "did you mean `model.width`"),
        (["train", "{config}", "--set", "optimizer.lr=fast"], "`optimizer.lr` must be a valid number, but is 'fast'"),
        (["train", "{config}", "--set", "data.store=nowhere"], "valle-prep hdf5 --out nowhere"),
        (["train", "{config}", "--set", "data.store={dataset}", "--set", "data.min_s=9"], "is left (12 under"),
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
    [
        *(("train", "arch=retnet"), ("train", "group=2"), ("decode", "group=1"), ("decode", "group=4")),
        *(("load", "group=2"), ("serve", "group=1")),
    ],
)
def test_bench_shows_both_sides(config: Path, monkeypatch, capsys, what: str, shape: str) -> None:
    sets = "--set", "data.batch_tokens=1500", "--set", f"model.{shape}"
    settings = *sets, "--seconds", "0.1", "--device", "cpu", "--json"
    monkeypatch.setattr("model.bench.serving.LENGTHS_S", (0.2, 0.4))
    assert valle(monkeypatch, "bench", what, "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    names = {
        "train": ("packed_tokens_per_s", "padded_tokens_per_s"),
        "decode": ("cached_frames_per_s", "uncached_frames_per_s"),
        "load": ("packed_samples_per_s", "padded_samples_per_s"),
        "serve": ("clients_audio_s_per_s", "one_client_audio_s_per_s"),
    }
    better, base = (shown[name] for name in names[what])
    assert shown["ratio"] == pytest.approx(better / base, rel=0.1)
    assert "threads" in shown["hardware"]
    assert not list(quoted(shown))
    if what == "decode":
        assert shown["int8_ratio"] == pytest.approx(shown["int8_frames_per_s"] / better, rel=0.1)
    if what == "serve":
        assert shown["equal"] == shown["compared"] > 0
    if what == "train":
        assert shown["mfu_of_measured"] > 0
        assert "mfu_of_datasheet" not in shown, "no datasheet has the rate of a CPU"


def test_bench_of_architectures_shows_what_each_learns(config: Path, dataset: Path, monkeypatch, capsys) -> None:
    sets = "--set", "data.batch_tokens=600", "--set", f"data.store={dataset}"
    settings = *sets, "--seconds", "0.01", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", "archs", "--config", config, *settings, "--set", "data.validation=0.4") == 0
    shown = json.loads(capsys.readouterr().out)
    for name in ("llama", "window", "retnet", "mamba", "experts"):
        assert shown[f"{name}_steps"] >= 1
        assert 0 < shown[f"{name}_loss"] < 10
        assert shown[f"{name}_tokens_per_s"] > 0
        assert (shown[f"{name}_active_parameters"] < shown[f"{name}_parameters"]) == (name == "experts")
    assert valle(monkeypatch, "bench", "archs", "--config", config, *settings, "--set", "data.validation=0") == 2
    assert "`data.validation` must be above 0" in capsys.readouterr().err


def test_bench_of_buckets_trains_both_samplers_on_a_dataset(folder: Path, config: Path, monkeypatch, capsys) -> None:
    some = "bench", "buckets", "--config", config, "--set", f"data.store={folder / 'dataset'}", "--device", "cpu"
    assert valle(monkeypatch, *some, "--seconds", "0.3", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["packed_padding_share"] == 0 <= shown["buckets_padding_share"] < 0.5
    assert shown["ratio"] == pytest.approx(shown["buckets_tokens_per_s"] / shown["packed_tokens_per_s"], abs=0.01)
    assert min(shown[f"{side}_{what}"] for side in ("packed", "buckets") for what in ("steps", "validation_loss")) > 0
    assert valle(monkeypatch, *some, "--set", "data.validation=0") == 2
    assert "Raise it" in capsys.readouterr().err


def test_bench_shows_graphs_where_there_are_some(config: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(CAPTURES, "cpu", Recording.of)
    settings = "--seconds", "0.1", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", "decode", "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["graphs_ratio"] == pytest.approx(
        shown["graphs_frames_per_s"] / shown["cached_frames_per_s"], rel=0.1, abs=0.01
    )


def test_bench_of_memory_shows_each_way_to_fit(config: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("model.bench.fitting._train", lambda *_: (1.5, 2.0))
    monkeypatch.setattr("model.bench.fitting.ProcessPoolExecutor", _Here)
    settings = "--set", "data.batch_tokens=4000", "--set", "model.layers=4", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", "fit", "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["parts_1_peak_gb"] == 1.5
    assert shown["parts_1_time"] == 1.0
    assert shown["parts_2_limit_gb"] <= shown["parts_1_limit_gb"]
    assert any(name.endswith("again_expected_gb") for name in shown)


class _Here(ThreadPoolExecutor):
    """Trains in this process."""

    def __init__(self, workers: int, **_: object) -> None:
        super().__init__(workers)


@pytest.mark.parametrize(
    ("what", "sets", "told"),
    [
        ("train", "trainer.device=cuda:77", "CUDA devices are here"),
        ("decode", "trainer.device=cuda:77", "CUDA devices are here"),
        ("train", "trainer.devices=2", "`trainer.devices` must be 1"),
        ("fit", "trainer.devices=2", "`trainer.devices` must be 1"),
        ("buckets", "trainer.devices=2", "`trainer.devices` must be 1"),
        ("ahead", "trainer.threads=1", "`valle bench ahead` needs a trained model: set `trainer.start_from`"),
        ("modes", "trainer.threads=1", "`valle bench modes` needs a trained model: set `trainer.start_from`"),
        ("train", "trainer.start_from=runs/base", "`trainer.start_from` (and `lora.rank`) must not be set"),
    ],
)
def test_bench_obeys_or_refuses(  # noqa: PLR0917 (fixtures)
    config: Path, monkeypatch, capsys, what: str, sets: str, told: str
) -> None:
    assert valle(monkeypatch, "bench", what, "--config", config, "--set", sets) == 2
    assert told in capsys.readouterr().err


def test_bench_of_speaking_tells_how_much_sharing_steps_saves(config: Path, monkeypatch, capsys) -> None:
    values = {"AT_ONCE": (1, 2), "_FRAMES": 6, "_SENTENCE_FRAMES": 60}
    for name, value in values.items():
        monkeypatch.setattr(f"model.bench.decoding.synth.{name}", value)
    settings = "--seconds", "0.1", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", "synth", "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    for kind in ("none", "int8"):
        for rows in (1, 2):
            ratio = shown[f"{kind}_{rows}_frames_per_s"] / shown["one_by_one_frames_per_s"]
            assert shown[f"{kind}_{rows}_ratio"] == pytest.approx(ratio, abs=0.01)
        share = shown[f"{kind}_first_audio_s"] / shown[f"{kind}_whole_s"]
        assert 0 < shown[f"{kind}_first_audio_share"] == pytest.approx(share, abs=0.05)


def test_bench_of_samplers_tells_their_share_of_a_step(config: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("model.bench.decoding.samplers.MIDDLE", 12)
    settings = "--seconds", "0.1", "--device", "cpu", "--json"
    assert valle(monkeypatch, "bench", "samplers", "--config", config, *settings) == 0
    shown = json.loads(capsys.readouterr().out)
    for batch in (1, 16):
        for name in ("all", "all_mirostat"):
            share = 1 - shown[f"batch_{batch}_greedy_ms"] / shown[f"batch_{batch}_{name}_ms"]
            assert shown[f"batch_{batch}_{name}_share"] == pytest.approx(share, abs=0.01)
    on = {sampler.name for name in ("all", "all_mirostat") for sampler, _ in SETTINGS[name].on}
    assert on == {sampler.name for sampler in SAMPLERS}


def test_bench_of_heads_ahead_takes_a_trained_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("model.bench.decoding.ahead.RESPONSES", 2)
    bench = "bench", "ahead", "--set", f"data.store={folder / 'dataset'}", "--seconds", "0.05", "--device", "cpu"
    assert valle(monkeypatch, *bench, "--set", f"trainer.start_from={folder / 'run'}") == 2
    assert "must be left out: the model has no heads ahead" in capsys.readouterr().err
    sets = {"trainer.start_from": "{root}/run", "model.ahead": "2", "ahead.only": "true", "data.validation": "0.3"}
    assert train(monkeypatch, folder, tmp_path, sets) == 0
    capsys.readouterr()
    assert valle(monkeypatch, *bench, "--set", f"trainer.start_from={tmp_path}", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["heads"] == 2
    for name in ("drawn", "greedy", "drawn_int8", "greedy_int8"):
        speeds = (shown[f"{name}_{way}_frames_per_s"] for way in ("ahead", "single"))
        assert shown[f"{name}_ratio"] == pytest.approx(next(speeds) / next(speeds), rel=0.05)
        assert 1 <= shown[f"{name}_frames_per_pass"] <= 3
        assert shown[f"{name}_same"] == 1


def test_bench_of_modes_makes_whole_responses_in_each(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("model.bench.decoding.modes.RESPONSES", 2)
    bench = "bench", "modes", "--set", f"data.store={folder / 'dataset'}", "--seconds", "0.05", "--device", "cpu"
    assert valle(monkeypatch, *bench, "--set", f"trainer.start_from={folder / 'run'}", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["responses"] == 2
    for company in ("alone", "together", "int8_alone", "int8_together"):
        base = shown[f"ar_{company}_frames_per_s"]
        for name in ("nar_len_16", "all_4", "all_6", "all_8"):
            ratio = shown[f"{name}_{company}_frames_per_s"] / base
            assert shown[f"{name}_{company}_ratio"] == pytest.approx(ratio, rel=0.05, abs=0.01)


def test_bench_takes_the_steps_that_training_takes(config: Path, monkeypatch, capsys) -> None:
    recomputed, threads, steps = [], [], []
    monkeypatch.setattr("model.training.parallel.strategy.recompute", recomputed.append)
    monkeypatch.setattr("torch.set_num_threads", threads.append)
    taken = trainer.Trainer.train_step
    monkeypatch.setattr(trainer.Trainer, "train_step", lambda self, found: steps.append(found) or taken(self, found))
    asked = "activation_checkpointing=true", "accumulate=2", "ema_decay=0.9", "threads=3"
    sets = [part for one in asked for part in ("--set", f"trainer.{one}")]
    some = "--config", config, *sets, "--set", "data.batch_tokens=1500", "--seconds", "0.1", "--json"
    assert valle(monkeypatch, "bench", "train", *some) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["packed_tokens_per_s"] > 0
    assert len(recomputed) == 1, "the block"
    assert {len(batches) for batches in steps} == {2}
    assert valle(monkeypatch, "bench", "decode", *some) == 0
    assert threads == [3, 3]


# ------------------------------------------------------------------------------- what doesn't fit what is there already


@pytest.fixture(scope="module")
def folder(dataset: Path) -> Path:
    """Beside the dataset `run`, a run on it, and datasets that fit it less."""
    root = dataset.parent
    (root / "config.yaml").write_text(CONFIG)
    begun = {"data.store": dataset, "trainer.out": root / "run"}
    sets = [part for key, value in begun.items() for part in ("--set", f"{key}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        assert valle(patch, "train", root / "config.yaml", *sets, "--quiet") == 0
    write_dataset(root / "wide", codec=replace(DAC, num_codebooks=8, revision="def"))
    write_dataset(root / "newer", fingerprint="other")
    write_dataset(root / "nameless", speaker="")
    write_dataset(root / "single", speaker="s{row}")
    shutil.copytree(dataset, root / "torn")
    index = root / "torn" / "hdf5" / "index.h5"
    index.write_bytes(index.read_bytes()[:1000])
    shutil.copytree(root / "run", root / "damaged")
    weights = next((root / "damaged").rglob("model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    return root


OTHER_CODEC = (
    "`{root}/wide` must agree with the codec dac, 44100 Hz, 4 x 256 at 75 Hz, weights abc, but was made with dac, 44100"
    " Hz, 8 x 256 at 75 Hz, weights def: `num_codebooks` must be 4, but is 8; `revision` must be 'abc', but is 'def'."
    " Give the codec and weights that it was made with, or make it again."
)
GO_ON = (
    "`{root}/run/checkpoints/step-00000003` must come from the same configuration to be continued, but these differ:"
    " %s. Undo that, name another `trainer.out`, or accept it with `--resume` (the model's shape must stay)."
)


def train(monkeypatch, root: Path, out: Path, sets: dict[str, str]) -> int:
    """Trains on the dataset below `root` into `out` unless `sets`, in which `{root}` stands for it, says otherwise."""
    given = {"data.store": "{root}/dataset", "trainer.out": str(out), **sets}
    options = [part for key, value in given.items() for part in ("--set", f"{key}={value.format(root=root)}")]
    return valle(monkeypatch, "train", root / "config.yaml", *options)


@pytest.mark.parametrize(
    ("sets", "code", "told"),
    [
        ({"data.store": "{root}/wide", "trainer.out": "{root}/run"}, 1, OTHER_CODEC),
        ({"data.store": "{root}/wide", "trainer.start_from": "{root}/run"}, 1, OTHER_CODEC),
        ({"data.store": "{root}/newer", "trainer.out": "{root}/run"}, 2, GO_ON % "the dataset's content"),
        ({"trainer.out": "{root}/run", "model.layers": "2"}, 2, GO_ON % "`model.layers`: 1 -> 2"),
        (
            {"trainer.start_from": "{root}/run", "model.layers": "2"},
            2,
            "`trainer.start_from` = `{root}/run/checkpoints/step-00000003` must have the shape that the section `model`"
            " asks for, but these differ: `model.layers`: 1 -> 2. Set them to that model's values (before the arrow).",
        ),
        (
            {"trainer.start_from": "{root}/none"},
            2,
            "`{root}/none` must be a checkpoint or a run's folder, but holds neither. Make one with `valle train CONFIG"
            " --set trainer.out={root}/none`.",
        ),
        (
            {"data.store": "{root}/nameless"},
            2,
            "`data.store` = `{root}/nameless` must have a speaker for each utterance, to take prompts from the"
            " speaker's other utterances, but `0.wav` has none. Prepare it from folders, one per speaker.",
        ),
        (
            {"data.max_s": "0.3", "data.min_s": "0.2"},
            2,
            "`data.min_s` = 0.2 to `data.max_s` = 0.3 must leave utterances to train on, but none of the 12 in the"
            " dataset is left (12 over `data.max_s` = 0.3). Widen the range or `data.languages`, or lower"
            " `data.validation`.",
        ),
        (
            {"data.store": "{root}/single", "data.tasks": "{{cse: 1}}"},
            2,
            "`data.tasks.cse` must be possible for at least one utterance, but no utterance can be used: the task needs"
            " speakers of two utterances or more. Add that to the dataset, or set the weight to 0.",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_its_exit_code(  # noqa: PLR0917 (fixtures)
    folder: Path, tmp_path: Path, monkeypatch, capsys, sets: dict[str, str], code: int, told: str
) -> None:
    before = sorted((folder / "run").rglob("*"))
    assert train(monkeypatch, folder, tmp_path / "new", sets) == code
    assert capsys.readouterr().err == f"error: {told.format(root=folder)}\n"
    assert sorted((folder / "run").rglob("*")) == before
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("sets", "begins", "ends"),
    [
        (
            {"trainer.start_from": "{root}/damaged"},
            "`{root}/damaged/checkpoints/step-00000003/model.safetensors` must hold the weights, but can't be read as",
            ". Remove `{root}/damaged/checkpoints/step-00000003` to use the checkpoint before it.",
        ),
        (
            {"data.store": "{root}/torn"},
            "`{root}/torn/hdf5/index.h5` can't be read as HDF5: ",
            ". Run `valle-prep hdf5` again.",
        ),
    ],
)
def test_what_is_damaged_is_one_line_around_what_the_reader_says(  # noqa: PLR0917 (fixtures)
    folder: Path, tmp_path: Path, monkeypatch, capsys, sets: dict[str, str], begins: str, ends: str
) -> None:
    assert train(monkeypatch, folder, tmp_path / "new", sets) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {begins.format(root=folder)}")
    assert told.endswith(f"{ends.format(root=folder)}\n")
    assert told.count("\n") == 1


def test_speakers_of_one_utterance_continue_themselves(folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    options = "--set", f"data.store={folder / 'single'}", "--set", f"trainer.out={tmp_path}", "--json"
    assert valle(monkeypatch, "train", folder / "config.yaml", *options) == 0
    losses = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert any("train/loss" in line for line in losses)
    examples = Examples(open_store(folder / "single"), Tokenizer.default(4), DataConfig(min_s=0.2), "train")
    assert {examples.draw(int(row), np.random.default_rng(row)).task for row in examples.rows} == {"tts-c"}


def test_an_empty_validation_split_is_said(folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    options = "--set", f"data.store={folder / 'dataset'}", "--set", f"trainer.out={tmp_path}"
    assert valle(monkeypatch, "train", folder / "config.yaml", *options, "--set", "data.validation=0.001") == 0
    told = capsys.readouterr().err
    assert "no validation utterances" in told
