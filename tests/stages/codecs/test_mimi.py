"""Mimi: exactly the codes of transformers, by any number of codebooks, and weights that don't fit are refused."""

import math
from pathlib import Path

import pytest
import torch

from stages.codecs.table import identity_of, load_codec
from stages.errors import WeightsError
from tests.stages.genuine_codecs import save_dac, save_mimi


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_mimi(tmp_path_factory.mktemp("weights") / "mimi")


@pytest.fixture
def clip() -> torch.Tensor:
    """A second of a rising tone, not a whole number of frames long."""
    time = torch.arange(24_111) / 24_000
    return 0.3 * torch.sin(2 * math.pi * (110 + 400 * time) * time)


@pytest.mark.parametrize("codebooks", [1, 2, 8, 12])
def test_mimi_is_the_library(weights: Path, clip: torch.Tensor, codebooks: int) -> None:
    from transformers import MimiModel

    model = MimiModel.from_pretrained(weights).eval()
    with torch.no_grad():
        expected_1KT = model.encode(clip[None, None], num_quantizers=codebooks).audio_codes
        whole_1KT = model.encode(clip[None, None]).audio_codes
        expected_wave = model.decode(expected_1KT).audio_values[0, 0]
    codec = load_codec("mimi", weights, codebooks=codebooks)
    [codes_KT] = codec.encode([clip])
    assert torch.equal(codes_KT, expected_1KT[0])
    assert torch.equal(codes_KT, whole_1KT[0, :codebooks])
    assert torch.equal(codec.decode(codes_KT), expected_wave)
    assert len(codes_KT.unique()) > 5, "random weights must tell sounds apart"


def test_mimi_has_eight_codebooks_unless_others_are_asked_for(weights: Path) -> None:
    identity = identity_of(load_codec("mimi", weights))
    assert (identity.sample_rate, identity.frame_rate, identity.num_codebooks) == (24_000, 12.5, 8)


def test_mimi_of_something_else_is_refused(tmp_path: Path, weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    config = (weights / "config.json").read_text()
    file = weights / "model.safetensors"
    tensors = load_file(file)
    partial, torn = tmp_path / "partial", tmp_path / "torn"
    lost = "quantizer.acoustic_residual_vector_quantizer.layers.3.codebook.embed_sum"
    save_file({name: tensor for name, tensor in tensors.items() if name != lost}, partial, {"format": "pt"})
    torn.write_bytes(file.read_bytes()[:5000])
    folder = tmp_path / "mimi"
    folder.mkdir()
    for text, given, problem in (
        (config, partial, "1 tensors are missing"),
        (config, torn, "Error"),
        (config, save_dac(tmp_path), "Error"),
        (config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'), file, "tensors are missing"),
        (config.replace('"codebook_size": 64', '"codebook_size": 128'), file, "doesn't"),
        (config.replace('"codebook_size": 64', '"codebook_size": "many"'), file, "codebook_size"),
        (config.replace('"audio_channels": 1', '"audio_channels": 2'), file, "mono"),
        (config.replace('"sampling_rate": 24000', '"sampling_rate": 24001'), file, "divide"),
        (config.replace('"mimi"', '"encodec"'), file, "model_type"),
        ("[]", file, "model_type"),
        ("{", file, "JSONDecodeError"),
    ):
        (folder / "config.json").write_text(text)
        (folder / "model.safetensors").unlink(missing_ok=True)
        (folder / "model.safetensors").symlink_to(given)
        with pytest.raises(WeightsError, match=problem) as error:
            load_codec("mimi", folder)
        assert "\n" not in str(error.value)
        assert str(folder) in str(error.value)
