"""The published speaker verifier, on a tiny file of the same make.

The expected numbers were computed once by the original code: `ECAPA_TDNN` of microsoft/UniSpeech over the WavLM of
s3prl 0.4.18, which took these very tensors by these names (`load_state_dict`: all keys matched).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from model.evaluation.judges import SAMPLE_RATE, load_judges
from model.evaluation.wavlm_sv import WavLMEcapa
from stages.errors import WeightsError

WIDTH, LAYERS, HEADS, FEEDFORWARD, CONV, CHANNELS, OUT = 32, 2, 2, 48, 16, 16, 24
Shape = tuple[int, ...]

GOLDEN = {
    0.6: [-0.29226, 0.0175, -0.23645, 0.26792, 0.11553, -0.21647, -0.33499, 0.1966],
    2.0: [-0.29126, 0.01176, -0.23538, 0.26714, 0.11144, -0.21807, -0.3352, 0.19803],
    30.0: [-0.29375, 0.01051, -0.23588, 0.26775, 0.10972, -0.21887, -0.33626, 0.19647],
}
"""The first eight of the speaker vector's 24 numbers, by the wave's length in seconds."""


def affine(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def norm(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    yield from affine(name, channels)
    yield from ((f"{name}.{part}", (channels,)) for part in ("running_mean", "running_var"))
    yield f"{name}.num_batches_tracked", ()


def wavlm() -> Iterator[tuple[str, Shape]]:
    yield "mask_emb", (WIDTH,)
    yield from affine("layer_norm", CONV)
    yield from affine("post_extract_proj", WIDTH, CONV)
    for index, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        yield f"feature_extractor.conv_layers.{index}.0.weight", (CONV, CONV if index else 1, kernel)
        yield from affine(f"feature_extractor.conv_layers.{index}.2.1", CONV)
    yield from {"bias": (WIDTH,), "weight_g": (1, 1, 16), "weight_v": (WIDTH, WIDTH // 4, 16)}.items()
    yield from affine("encoder.layer_norm", WIDTH)
    for index in range(LAYERS):
        layer = f"encoder.layers.{index}"
        yield f"{layer}.self_attn.grep_a", (1, HEADS, 1, 1)
        yield from affine(f"{layer}.self_attn.grep_linear", 8, WIDTH // HEADS)
        for part in "kvq":
            yield from affine(f"{layer}.self_attn.{part}_proj", WIDTH, WIDTH)
        yield from affine(f"{layer}.self_attn.out_proj", WIDTH, WIDTH)
        yield from affine(f"{layer}.fc1", FEEDFORWARD, WIDTH)
        yield from affine(f"{layer}.fc2", WIDTH, FEEDFORWARD)
        yield from affine(f"{layer}.self_attn_layer_norm", WIDTH)
        yield from affine(f"{layer}.final_layer_norm", WIDTH)
    yield "encoder.layers.0.self_attn.relative_attention_bias.weight", (320, HEADS)


def head() -> Iterator[tuple[str, Shape]]:
    yield "feature_weight", (LAYERS + 1,)
    yield from affine("layer1.conv", CHANNELS, WIDTH, 5)
    yield from norm("layer1.bn", CHANNELS)
    for number in (2, 3, 4):
        layer = f"layer{number}"
        for part in ("Conv1dReluBn1", "Conv1dReluBn2"):
            yield from affine(f"{layer}.{part}.conv", CHANNELS, CHANNELS, 1)
            yield from norm(f"{layer}.{part}.bn", CHANNELS)
        for group in range(7):
            yield from affine(f"{layer}.Res2Conv1dReluBn.convs.{group}", CHANNELS // 8, CHANNELS // 8, 3)
            yield from norm(f"{layer}.Res2Conv1dReluBn.bns.{group}", CHANNELS // 8)
        yield from affine(f"{layer}.SE_Connect.linear1", 128, CHANNELS)
        yield from affine(f"{layer}.SE_Connect.linear2", CHANNELS, 128)
    yield from affine("conv", 1536, 3 * CHANNELS, 1)
    yield from affine("pooling.linear1", 128, 1536, 1)
    yield from affine("pooling.linear2", 1536, 128, 1)
    yield from norm("bn", 3072)
    yield from affine("linear", OUT, 3072)


POSITION = {"bias", "weight_g", "weight_v"}
POSITIVE = ("running_var", "weight_g", "norm.weight", "2.1.weight", "grep_a")


def tensors() -> dict[str, torch.Tensor]:
    inner = {f"encoder.pos_conv.0.{name}" if name in POSITION else name: shape for name, shape in wavlm()}
    shapes = {f"feature_extract.model.{name}": shape for name, shape in inner.items()} | dict(head())
    rng = np.random.default_rng(0)
    made = {}
    for name, shape in sorted(shapes.items()):
        if name.endswith("num_batches_tracked"):
            made[name] = torch.tensor(7)
            continue
        value = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 4)
        value = 1 + np.abs(value) if name.endswith(POSITIVE) else value
        made[name] = torch.from_numpy(value.astype(np.float32))
    return made


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "wavlm_large_finetune.pth"
    torch.save({"model": tensors() | {"loss_calculator.projection.weight": torch.zeros(3, 3)}}, path)
    return path


def tone(seconds: float) -> np.ndarray:
    time_s = np.arange(int(SAMPLE_RATE * seconds)) / SAMPLE_RATE
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(time_s))
    return (0.3 * np.sin(2 * np.pi * (150 + 40 * time_s) * time_s) + noise).astype(np.float32)


def test_it_gives_the_vectors_of_the_original_code(checkpoint: Path) -> None:
    judge = load_judges(asr="none", speaker=str(checkpoint), dnsmos=None)["speaker"]
    assert judge.name == "WavLM ECAPA-TDNN wavlm_large_finetune.pth"
    for seconds, expected in GOLDEN.items():
        vector = judge.embed(tone(seconds))
        assert vector.shape == (OUT,)
        assert np.linalg.norm(vector) == pytest.approx(1)
        assert vector[:8] == pytest.approx(expected, abs=2e-5)
    assert np.isfinite(judge.embed(tone(0.01))).all()


@pytest.mark.parametrize(
    "missing", ["feature_weight", "layer3.SE_Connect.linear1.bias", "feature_extract.model.mask_emb"]
)
def test_a_file_that_lacks_a_tensor_is_refused(checkpoint: Path, missing: str) -> None:
    state = tensors()
    del state[missing]
    torch.save({"model": state}, checkpoint)
    with pytest.raises(WeightsError, match=r"must be UniSpeech's `wavlm_large_finetune.pth`.* isn't: "):
        WavLMEcapa.load(checkpoint)


def test_files_of_another_make_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match=r"other.pth` isn't"):
        WavLMEcapa.load(path)
    for content in ({"weights": {}}, [1, 2], {"model": {"layer1.conv.weight": torch.zeros(1)}}):
        torch.save(content, path)
        with pytest.raises(WeightsError, match=r"other.pth` isn't"):
            WavLMEcapa.load(path)
