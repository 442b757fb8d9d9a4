"""Tests that a GGUF file has every weight, and that llama.cpp computes the network's logits from it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize

from model.checkpoints import checkpoint, saving
from model.checkpoints.export import export, read_model
from model.checkpoints.gguf import GGUFType, tensors_of
from model.network.attention import Packed
from model.sequences.documents import Condition, Document, document
from model.sequences.heads import group_columns
from stages.errors import UsageError
from tests.model.checkpoints.llama_cpp import LlamaCpp
from tests.model.checkpoints.test_export import TOKENIZER, write_random
from tests.model.conftest import CODEC, make_config, make_snapshot

SHAPE = {"width": 64, "heads": 4, "kv_heads": 2, "feedforward": 96, "rope_theta": 100.0, "norm_eps": 1e-2}
SIZE, K = CODEC.codebook_size, CODEC.num_codebooks


def exported(tmp_path: Path, kind: GGUFType = "f32", **shape: object) -> tuple[Path, Path]:
    run = write_random(tmp_path / "run", **{**SHAPE, **shape})
    export(run, tmp_path / "model.gguf", "gguf", kind=kind)
    return run, tmp_path / "model.gguf"


def read(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize("values", [{"levels": "delay", "modes": {"ar": 1.0}}, {"levels": "masks"}], ids=str)
def test_other_levels_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    config = make_config(**{f"data__{key}": value for key, value in values.items()})
    run = saving.write(tmp_path / "run", make_snapshot(config, 3))
    with pytest.raises(
        UsageError, match=rf"`--format gguf` needs a model with `data.levels: sums`.* {values['levels']}"
    ):
        export(run, tmp_path / "model.gguf", "gguf")
    assert not (tmp_path / "model.gguf").exists()


@pytest.mark.parametrize("group", [1, 2])
def test_the_reader_finds_every_weight_bit_for_bit(tmp_path: Path, group: int) -> None:
    run, path = exported(tmp_path, group=group, ahead=1)
    network, found = checkpoint.load(run).network, read(path)
    state = {name: weight.numpy() for name, weight in network.state_dict().items()}
    tokens, codes = len(TOKENIZER), (K + group - 1) * SIZE
    assert found["token_embd.weight"].shape == found["output.weight"].shape == (tokens + codes + group, 64)
    np.testing.assert_array_equal(found["token_embd.weight"][:tokens], state["token_embedding.weight"])
    np.testing.assert_array_equal(
        found["token_embd.weight"][tokens : tokens + codes], state["code_embedding.weight"][:-1]
    )
    assert not found["token_embd.weight"][tokens + codes :].any(), "a stop code has no embedding"
    logits = found["output.weight"]
    np.testing.assert_array_equal(logits[:tokens], state[f"heads.{K}.weight"])
    for codebook in range(1, K):
        start = tokens + codebook * SIZE
        np.testing.assert_array_equal(logits[start : start + SIZE], state[f"heads.{codebook}.weight"])
    for frame, column in enumerate(group_columns(K, group)):
        head = state["heads.0.weight"][frame * (SIZE + 1) : (frame + 1) * (SIZE + 1)]
        start = tokens + column * SIZE
        np.testing.assert_array_equal(logits[start : start + SIZE], head[:SIZE])
        np.testing.assert_array_equal(logits[tokens + codes + frame], head[SIZE])
    for layer in range(2):
        fused = np.concatenate([found[f"blk.{layer}.attn_{name}.weight"] for name in "qkv"])
        np.testing.assert_array_equal(fused, state[f"blocks.{layer}.attention.qkv.weight"])
        both = np.concatenate([found[f"blk.{layer}.ffn_{name}.weight"] for name in ("gate", "up")])
        np.testing.assert_array_equal(both, state[f"blocks.{layer}.feedforward.gate_up.weight"])
    assert len(found) == 3 + 2 * 9
    model = read_model(run)
    assert {name: tuple(weight.shape) for name, weight in tensors_of(model)} == {
        name: weight.shape for name, weight in found.items()
    }


def test_its_keys_tell_what_llama_cpp_and_a_driver_must_know(tmp_path: Path) -> None:
    _, path = exported(tmp_path, "f16")
    reader = GGUFReader(path)
    told = {name: field.contents() for name, field in reader.fields.items()}
    assert told["paddleocr.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-2)
    assert told["paddleocr.rope.dimension_sections"] == [0, 8, 0, 0]
    assert told["paddleocr.attention.head_count_kv"] == 2
    assert told["valle.ids.codes"] == len(TOKENIZER)
    assert told["valle.ids.stop"] == len(TOKENIZER) + K * SIZE
    names = told["tokenizer.ggml.tokens"]
    assert names[: len(TOKENIZER)] == list(TOKENIZER.tokens)
    assert names[len(TOKENIZER) + SIZE] == "<code 1 0>"
    assert names[-1] == "<stop 0>"
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert {kind for name, kind in kinds.items() if "norm" in name} == {"F32"}
    assert {kind for name, kind in kinds.items() if "norm" not in name} == {"F16"}


@pytest.mark.parametrize(("kind", "close"), [("f16", 5e-4), ("q8_0", 5e-3)])
def test_smaller_types_are_near_the_weights(tmp_path: Path, kind: GGUFType, close: float) -> None:
    run, path = exported(tmp_path, kind)
    found = read(path)
    for name, weight in tensors_of(read_model(run)):
        error = np.abs(found[name] - weight.numpy()).max()
        assert error <= close * float(weight.abs().max()), name


def ours(run: Path, level: int, group: int) -> tuple[Document, np.ndarray]:
    """A document with a prompt, and the network's logits at each of its positions."""
    loaded = checkpoint.load(run)
    rng = np.random.default_rng(level)
    prompt_KP, response_KT = (rng.integers(0, SIZE, (K, frames)).astype(np.uint16) for frames in (11, 18))
    item = document(loaded.tokenizer, Condition("həlˈoʊ.", "en", prompt_KP), response_KT, level, SIZE, group=group)
    read = map(torch.from_numpy, (item.tokens_L, item.codes_LK, item.positions_L))
    attend = Packed([len(item)], int(item.causal), torch.device("cpu"))
    with torch.no_grad():
        hidden = loaded.network.eval().hidden(*read, attend)
        return item, loaded.network.logits(hidden, level).numpy()


def theirs(path: Path, item: Document, level: int, *, steps: int = 0) -> np.ndarray:
    """llama.cpp's logits of the same, the last positions one by one."""
    llama = LlamaCpp(path)
    parts = item.tokens_L, item.codes_LK, item.positions_L
    bounds = [0, *range(len(item) - steps, len(item) + 1)]
    llama.begin(causal=item.causal)
    logits = np.concatenate([llama.read(*(part[a:b] for part in parts)) for a, b in pairwise(bounds)])
    llama.close()
    if level:
        return logits[:, llama.codes + level * SIZE :][:, :SIZE]
    frames = [
        np.append(logits[:, llama.codes + column * SIZE :][:, :SIZE], logits[:, [llama.stop + frame]], 1)
        for frame, column in enumerate(group_columns(K, llama.group))
    ]
    return np.stack(frames, 1).reshape(-1, SIZE + 1)


@pytest.mark.parametrize("group", [1, 2])
def test_llama_cpp_computes_the_same_logits(tmp_path: Path, group: int) -> None:
    """Of codebook 0 with a cache, step by step, and of a codebook above in one pass without causality."""
    run, path = exported(tmp_path, group=group)
    for level, steps in ((0, 6), (3, 0)):
        item, wanted = ours(run, level, group)
        found = theirs(path, item, level, steps=steps)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-4
        assert wanted.std() > 1, "the comparison must be of something"


def test_llama_cpp_comes_near_in_half_precision(tmp_path: Path) -> None:
    run, path = exported(tmp_path, "f16")
    item, wanted = ours(run, 0, 1)
    assert np.abs(theirs(path, item, 0) - wanted).max() < 0.1


@pytest.mark.parametrize(
    ("shape", "kind", "told"),
    [
        ({"arch": "retnet", "kv_heads": None}, "f16", "`--format gguf` needs a model with `model.arch: llama`"),
        ({"window": 9}, "f16", "`--format gguf` needs a model without `model.window`, but this one's is 9"),
        ({"text_spacing": "aligned"}, "f16", "but this one has `model.text_spacing: aligned`"),
        ({"width": 48, "heads": 6}, "q8_0", "to be multiples of 32, but one is 48. Use `--type f16`."),
    ],
)
def test_what_llama_cpp_has_no_place_for_is_refused(
    tmp_path: Path, shape: dict[str, object], kind: GGUFType, told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        exported(tmp_path, kind, **shape)
    assert told in str(raised.value)
    assert not (tmp_path / "model.gguf").exists()


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(UsageError, match=r'needs the package gguf: `pip install "valle-prep\[gguf\]"`'):
        exported(tmp_path)
