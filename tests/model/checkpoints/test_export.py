"""Tests that exports to one file and to Llama keep weights, hidden states and speech."""

import json
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.architecture import ModelConfig
from model.checkpoints import checkpoint, saving
from model.checkpoints.checkpoint import Meta
from model.checkpoints.export import Format, export
from model.checkpoints.llama import to_llama
from model.cli import main
from model.inference.synthesizer import Synthesizer
from model.network.attention import Packed
from model.sequences.documents import Condition, document
from model.sequences.tokenizer import Tokenizer
from model.training.trainer import train
from stages.codecs.table import codec_identity
from stages.errors import ArtefactError, MachineError, MissingInputError, UsageError
from tests.model.conftest import CODEC, make_config, make_store

TOKENIZER = Tokenizer.default(CODEC.num_codebooks)
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few steps of training, with grouped queries and settings that Llama doesn't have by default."""
    folder = tmp_path_factory.mktemp("export") / "run"
    shape = {"width": 48, "heads": 6, "kv_heads": 2, "rope_theta": 500.0, "norm_eps": 1e-3, "dropout": 0.1}
    values = {f"model__{key}": value for key, value in shape.items()}
    run = {"trainer__out": str(folder), "trainer__max_steps": 4, "data__max_s": 2.0, "data__tones": True}
    config = make_config(**run, **values)
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    return folder


@pytest.fixture(scope="module")
def hf(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "hf"
    export(run, folder, "hf")
    return folder


@pytest.fixture(scope="module")
def one_file(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.safetensors"
    export(run, path, "safetensors")
    return path


def write_random(run: Path, **shape: object) -> Path:
    """A checkpoint with large random weights and gains, far from their initial values."""
    config = make_config(**{f"model__{key}": value for key, value in shape.items()})
    network = checkpoint.build(config, TOKENIZER, CODEC)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(1.0 if weight.dim() == 1 else 0.0, 0.3, generator=generator)
        network.code_embedding.weight[-1] = 0
    meta = Meta(7, CODEC, "fingerprint", ("a", "ˈ"))
    return saving.write(run, saving.Snapshot(network.state_dict(), {}, config, TOKENIZER, meta))


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path if path.is_file() else checkpoint.find(path) / "model.safetensors")


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert weight.dtype == other[name].dtype
        assert torch.equal(weight, other[name]), name


def assert_same_hidden_states(model: Path, folder: Path, level: int) -> None:
    """Compares the network with `transformers`, fed as the folder's README.md says."""
    loaded = checkpoint.load(model)
    network, codec = loaded.network.eval(), loaded.meta.codec
    rng = np.random.default_rng(level)
    prompt_KP, response_KT = (
        rng.integers(0, codec.codebook_size, (codec.num_codebooks, frames)).astype(np.uint16) for frames in (11, 17)
    )
    condition, group = Condition("həlˈoʊ.", "en", prompt_KP), network.config.group
    item = document(loaded.tokenizer, condition, response_KT, level, codec.codebook_size, group=group)
    tokens, codes, positions = map(torch.from_numpy, (item.tokens_L, item.codes_LK, item.positions_L))
    causal = level == 0
    with torch.no_grad():
        ours = network.hidden(tokens, codes, positions, Packed([len(item)], int(causal), torch.device("cpu")))

    recipe: dict = {}
    exec((folder / "README.md").read_text(encoding="utf-8").split("```")[1].removeprefix("python\n"), recipe)
    theirs = recipe["hidden_states"](folder, tokens, codes, positions, causal)
    assert theirs.shape == ours.shape
    assert (theirs - ours).abs().max() < TOLERANCE
    assert ours.std() > 0.1, "the comparison must be of something"
    wrong = recipe["hidden_states"](folder, tokens, codes, positions, not causal)
    assert (wrong - ours).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("level", [0, 3])
def test_a_trained_model_has_the_same_hidden_states_in_transformers(run: Path, hf: Path, level: int) -> None:
    assert_same_hidden_states(run, hf, level)


@pytest.mark.parametrize("shape", [{"kv_heads": None}, {"kv_heads": 1}, {"group": 2, "ahead": 2}], ids=str)
def test_random_weights_have_the_same_hidden_states_in_transformers(tmp_path: Path, shape: dict[str, object]) -> None:
    model = write_random(tmp_path / "run", **shape, rope_theta=100.0, norm_eps=1e-2)
    export(model, tmp_path / "hf", "hf")
    assert_same_hidden_states(model, tmp_path / "hf", 0)
    assert_same_hidden_states(model, tmp_path / "hf", 1)


def test_transformers_takes_every_tensor_and_lacks_none(hf: Path) -> None:
    from transformers import AutoModel

    model, about = AutoModel.from_pretrained(hf, output_loading_info=True)
    assert type(model).__name__ == "LlamaModel"
    assert not about["missing_keys"]
    assert not about["unexpected_keys"]
    assert model.config.num_key_value_heads == 2


def test_every_setting_of_the_network_is_known_to_the_export() -> None:
    known = {"arch", "width", "layers", "heads", "kv_heads", "group", "feedforward"}
    known |= {"ahead", "window", "rope_theta", "norm_eps", "dropout"}
    known |= {"experts", "experts_per_token", "state"}  # refused: the last one is of `mamba` alone
    known |= {"text_spacing", "initial_codes"}  # changes positions, which are given; begins a training
    assert set(ModelConfig.model_fields) == known, (
        "does Llama have it? Map it in model/checkpoints/export.py, or refuse it there"
    )


def test_there_and_back_every_weight_is_the_same_bit_for_bit(
    run: Path, hf: Path, one_file: Path, tmp_path: Path
) -> None:
    export(hf, tmp_path / "back.safetensors", "safetensors")
    export(one_file, tmp_path / "hf", "hf")
    for path in (one_file, tmp_path / "back.safetensors"):
        assert_same(weights_of(run), weights_of(path))
        assert checkpoint.load(path).meta == checkpoint.load(run).meta
    assert (tmp_path / "back.safetensors").read_bytes() == one_file.read_bytes()
    for path in hf.iterdir():
        assert path.read_bytes() == (tmp_path / "hf" / path.name).read_bytes(), path.name


def test_half_precision_stays_as_it_is(tmp_path: Path) -> None:
    model = write_random(tmp_path / "run")
    halves = {name: weight.bfloat16() for name, weight in weights_of(model).items()}
    save_file(halves, model / "model.safetensors")
    export(model, tmp_path / "hf", "hf")
    export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")
    assert_same(halves, weights_of(tmp_path / "back.safetensors"))
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["torch_dtype"] == "bfloat16"


def test_what_transformers_has_saved_again_comes_back(hf: Path, run: Path, tmp_path: Path) -> None:
    from transformers import LlamaModel

    shutil.copytree(hf, tmp_path / "hf")
    model = LlamaModel.from_pretrained(hf)
    with torch.no_grad():
        model.layers[1].self_attn.k_proj.weight += 1
    model.save_pretrained(tmp_path / "hf")
    export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")
    before, after = weights_of(run), weights_of(tmp_path / "back.safetensors")
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed == {"blocks.1.attention.qkv.weight"}
    keys = slice(48, 48 + 2 * 8)
    difference = after["blocks.1.attention.qkv.weight"] - before["blocks.1.attention.qkv.weight"]
    assert torch.allclose(difference[keys], torch.ones(16, 48))
    assert not difference[: keys.start].any()
    assert not difference[keys.stop :].any()


def test_the_one_file_speaks_as_the_folder_does(run: Path, one_file: Path) -> None:
    codes_KP = np.random.default_rng(0).integers(0, 64, (8, 20)).astype(np.uint16)
    speeches = [
        Synthesizer.load(path).speak("Hello.", prompt=codes_KP, seed=5, max_s=0.3, language="en", tone="g")
        for path in (run, one_file)
    ]
    assert np.array_equal(*(speech.codes for speech in speeches))
    assert np.array_equal(*(speech.samples for speech in speeches))


def test_the_embedding_tables_are_where_the_file_says(run: Path, one_file: Path) -> None:
    network, codec = checkpoint.load(run).network, codec_identity("embedded")
    with safe_open(one_file, "np") as file:
        about = json.loads(file.metadata()["valle"])
        tokens, codes = (file.get_tensor(f"{kind}_embedding.weight") for kind in ("token", "code"))
    assert about["meta"]["codec"] == codec.to_json()
    assert len(tokens) == len(about["tokenizer"]["tokens"])
    table_KVD = codes[:-1].reshape(codec.num_codebooks, codec.codebook_size, -1)
    shown_1K = torch.full((1, codec.num_codebooks), -1)
    shown_1K[0, 2], token_1 = 5, torch.tensor([9])
    with torch.no_grad():
        assert np.allclose(network.embed(token_1, shown_1K)[0].numpy(), tokens[9] + table_KVD[2, 5], atol=1e-7)


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_what_llama_has_no_place_for_is_refused(run: Path) -> None:
    config = checkpoint.load(run).config.model
    weights = {**weights_of(run), "blocks.0.attention.q_norm.gain": torch.ones(8)}
    with pytest.raises(UsageError, match=r"`blocks.0.attention.q_norm.gain`: Llama has no place for it"):
        to_llama(weights, config)


@pytest.mark.parametrize("arch", ["retnet", "mamba"])
def test_other_architectures_are_refused_as_llama_and_come_through_as_one_file(tmp_path: Path, arch: str) -> None:
    model = write_random(tmp_path / "run", arch=arch, kv_heads=None)
    with pytest.raises(UsageError, match=f"`model.arch: llama`, but this one is `{arch}`") as raised:
        export(model, tmp_path / "hf", "hf")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "hf").exists()
    export(model, tmp_path / "voice.safetensors", "safetensors")
    assert_same(weights_of(model), weights_of(tmp_path / "voice.safetensors"))
    assert checkpoint.load(tmp_path / "voice.safetensors").config.model.arch == arch


def test_experts_are_refused_as_llama_and_come_through_as_one_file_with_their_biases(tmp_path: Path) -> None:
    model = write_random(tmp_path / "run", experts=3)
    weights = weights_of(model)
    name = "blocks.1.feedforward.lifts_E"
    weights[name] += torch.tensor([5, -3, 1])
    save_file(weights, model / "model.safetensors")
    with pytest.raises(UsageError, match=r"without `model.experts`, but this one has 3"):
        export(model, tmp_path / "hf", "hf")
    assert not (tmp_path / "hf").exists()
    export(model, tmp_path / "voice.safetensors", "safetensors")
    assert checkpoint.load(tmp_path / "voice.safetensors").network.lifts()[name].tolist() == [5, -3, 1]


def test_a_window_is_refused_as_llama_and_comes_through_as_one_file(tmp_path: Path) -> None:
    model = write_random(tmp_path / "run", window=9)
    with pytest.raises(UsageError, match=r"without `model.window`, but this one's is 9"):
        export(model, tmp_path / "hf", "hf")
    assert not (tmp_path / "hf").exists()
    export(model, tmp_path / "voice.safetensors", "safetensors")
    assert checkpoint.load(tmp_path / "voice.safetensors").config.model.window == 9


@pytest.mark.parametrize(
    ("key", "value"), [("rope_parameters", {"rope_theta": 1e4}), ("rms_norm_eps", 1e-5), ("num_attention_heads", 3)]
)
def test_a_changed_llama_is_refused(hf: Path, tmp_path: Path, key: str, value: object) -> None:
    shutil.copytree(hf, tmp_path / "hf")
    path = tmp_path / "hf" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ArtefactError, match=r"must agree with `valle.json`"):
        export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")
    assert not (tmp_path / "back.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "rename", "told"),
    [
        ("model.safetensors", ("norm.weight", "model.norm.weight"), "lacks `norm.weight`"),
        ("model.safetensors", ("layers.0.mlp.up_proj.weight", None), "lacks `layers.0.mlp.up_proj.weight`"),
        ("valle.safetensors", ("heads.1.weight", None), r"`heads.1.weight` is absent instead of \(1024, 48\)"),
    ],
)
def test_a_folder_that_lacks_a_weight_is_refused(
    hf: Path, tmp_path: Path, name: str, rename: tuple[str, str | None], told: str
) -> None:
    shutil.copytree(hf, tmp_path / "hf")
    weights = load_file(hf / name)
    moved = weights.pop(rename[0])
    save_file({**weights, **({rename[1]: moved} if rename[1] else {})}, tmp_path / "hf" / name)
    with pytest.raises(ArtefactError, match=told):
        export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")


def test_a_folder_for_transformers_doesnt_speak_and_says_what_to_do(hf: Path) -> None:
    with pytest.raises(MissingInputError, match=r"valle export .*hf model.safetensors"):
        checkpoint.load(hf)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    (tmp_path / "notes.txt").write_text("not a model")
    for path, told in (
        (tmp_path / "other.safetensors", "`valle export` didn't write it"),
        (tmp_path / "notes.txt", "header"),
    ):
        with pytest.raises(ArtefactError, match=told) as raised:
            checkpoint.load(path)
        assert str(path) in str(raised.value)
        assert "Remove" not in str(raised.value), "it isn't a checkpoint among others"


def test_a_damaged_file_is_refused(one_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(one_file.read_bytes()[:-10])
    with pytest.raises(ArtefactError, match=r"cut.safetensors` must hold .* Make it again with `valle export`"):
        checkpoint.load(path)


def test_a_llama_from_elsewhere_is_refused(hf: Path, tmp_path: Path) -> None:
    shutil.copytree(hf, tmp_path / "hf")
    (tmp_path / "hf" / "valle.json").unlink()
    with pytest.raises(MissingInputError, match=r"lacks `valle.json` and `meta.json`"):
        export(tmp_path / "hf", tmp_path / "back.safetensors", "safetensors")


@pytest.mark.parametrize(("form", "name"), [("hf", "hf"), ("safetensors", "model.safetensors")])
def test_nothing_half_written_stays_where_the_disk_is_full(
    run: Path, tmp_path: Path, form: Format, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # a cut .pyc would break every Python after this one
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    try:
        with pytest.raises(MachineError, match=f"{name}` can't be written: .*[Ff]ile too large"):
            export(run, tmp_path / name, form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert not list(tmp_path.iterdir())


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command_says_what_it_wrote(run: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "new" / "hf"
    assert valle(monkeypatch, "export", run, out, "--format", "hf", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    parameters = sum(weight.numel() for weight in weights_of(run).values())
    assert shown == {"out": str(out), "format": "hf", "step": 4, "parameters": parameters}
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "model.safetensors", "valle.json", "valle.safetensors", "README.md")
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{run}", "{one_file}"], "must not exist, but does"),
        (["{run}", "{hf}", "--format", "hf"], "must not exist, but does"),
        (["{run}", "folder"], "For a folder, give `--format hf`"),
        (["{run}", "model.bin", "--format", "gguf"], "`OUT` must end in `.gguf`, but is `model.bin`"),
        (["{run}", "model.xyz", "--format", "xyz"], "'xyz' is not one of 'safetensors', 'hf', 'gguf', 'onnx'"),
        (
            ["{run}", "out", "--format", "hf", "--type", "f32"],
            "`--type` is for `--format gguf`, but the format is `hf`",
        ),
        (["{run}", "m.safetensors", "--public"], "`--public` and `--dry-run` go with `--push OWNER/NAME`"),
        (["{run}", "m.safetensors", "--push", "x", "--dry-run"], "must name a repository as OWNER/NAME, but is `x`"),
        (["{run}", "m.safetensors", "--evaluation", "none.json"], "`--evaluation` = `none.json` can't be read"),
        (["nowhere", "model.safetensors"], "`nowhere` must be a checkpoint or a run's folder"),
    ],
)
def test_mistakes_end_with_2_and_are_told(  # noqa: PLR0917 (fixtures)
    run: Path, one_file: Path, hf: Path, tmp_path: Path, monkeypatch, capsys, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(run=run, one_file=one_file, hf=hf) for argument in arguments]
    assert valle(monkeypatch, "export", *filled) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())
