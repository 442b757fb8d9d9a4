"""Higgs v2's tokenizer: exactly the codes of transformers on real speech, fewer codebooks, and windows."""

import json
from pathlib import Path

import pytest
import torch

from stages.audio import files as audio
from stages.codecs import higgs
from stages.codecs.table import identity_of, load_codec
from stages.errors import WeightsError
from tests.stages.genuine_codecs import save_higgs


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_higgs(tmp_path_factory.mktemp("weights") / "higgs")


def test_speech_has_exactly_the_codes_and_the_sound_of_the_library(weights: Path, english: list[Path]) -> None:
    from transformers import DacFeatureExtractor, HiggsAudioV2TokenizerModel

    model = HiggsAudioV2TokenizerModel.from_pretrained(weights).eval()
    extractor = DacFeatureExtractor(sampling_rate=24_000, hop_length=960)
    codec = load_codec("higgs", weights)
    waves = [torch.tensor(audio.read_at(path, 24_000))[:100_000] for path in english[:3]]
    for wave, codes_KT in zip(waves, codec.encode(waves), strict=True):
        inputs = extractor(wave.numpy(), sampling_rate=24_000, return_tensors="pt")
        with torch.no_grad():
            expected_1KT = model.encode(inputs["input_values"]).audio_codes
            expected_wave = model.decode(expected_1KT).audio_values[0, 0]
        assert torch.equal(codes_KT, expected_1KT[0])
        assert torch.equal(codec.decode(codes_KT), expected_wave)
        assert all(len(codes_T.unique()) > 30 for codes_T in codes_KT), "random weights must tell sounds apart"


def test_its_sizes_are_those_of_the_published_model(weights: Path) -> None:
    identity = identity_of(load_codec("higgs", weights))
    assert (identity.sample_rate, identity.decoded_rate, identity.frame_rate) == (24_000, None, 25.0)
    assert (identity.num_codebooks, identity.codebook_size) == (8, 1024)


def test_long_waves_are_encoded_in_windows_with_nearly_the_codes_of_the_whole(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = load_codec("higgs", weights)
    drawn = torch.Generator().manual_seed(0)
    wave = (
        0.2
        * torch.randn(200 * 960 + 7, generator=drawn)
        * torch.rand(201, generator=drawn).repeat_interleave(960)[:-953]
    )
    [whole_KT] = codec.encode([wave])
    monkeypatch.setattr(higgs, "_CORE_S", 2)
    monkeypatch.setattr(higgs, "_CONTEXT_S", 1)
    [found_KT] = codec.encode([wave])
    assert found_KT.shape == whole_KT.shape == (8, 201)
    assert 0.5 < (found_KT == whole_KT)[0].double().mean() < 1, "HuBERT attends to all of a window"


def test_another_model_is_refused(tmp_path: Path, weights: Path) -> None:
    values = json.loads((weights / "config.json").read_text())
    acoustic = values["acoustic_model_config"]
    (tmp_path / "model.safetensors").symlink_to(weights / "model.safetensors")
    for changed, problem in (
        ({"sample_rate": 24_001}, "don't divide 24001 Hz"),
        ({"acoustic_model_config": acoustic | {"downsampling_ratios": [8, 5, 4, 2]}}, "75 frames a second aren't"),
        ({"semantic_sample_rate": 12_000}, "frames of its semantic encoder"),
        ({"target_bandwidths": [0.1]}, "0.1 kbps aren't enough"),
        ({"codebook_size": 512}, "doesn't"),
        ({"model_type": "xcodec"}, "model_type"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(values | changed))
        with pytest.raises(WeightsError, match=problem) as error:
            load_codec("higgs", tmp_path)
        assert "\n" not in str(error.value)
        assert str(tmp_path) in str(error.value)
