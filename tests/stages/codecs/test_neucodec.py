"""NeuCodec and X-Codec 2: exactly the codes of transformers on real speech, whole waves, two rates, and windows."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.audio import files as audio
from stages.codecs import neucodec
from stages.codecs.network import Window, windows
from stages.codecs.table import Codec, identity_of, load_codec, output_rate
from stages.errors import WeightsError
from tests.stages.genuine_codecs import save_higgs, save_neucodec, save_xcodec2

NAMES = "neucodec", "xcodec2"
CLASSES = {"neucodec": "NeuCodec", "xcodec2": "Xcodec2"}
HOP = 320


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    return {"neucodec": save_neucodec(folder / "neucodec"), "xcodec2": save_xcodec2(folder / "xcodec2")}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def codec(name: str, weights: dict[str, Path]) -> Codec:
    return load_codec(name, weights[name])


class Library:
    """The model and the feature extractor of transformers, called as its documentation does."""

    def __init__(self, name: str, folder: Path) -> None:
        import transformers

        self.model: Any = getattr(transformers, f"{CLASSES[name]}Model").from_pretrained(folder).eval()
        self._extractor: Any = getattr(transformers, f"{CLASSES[name]}FeatureExtractor")()

    def codes(self, wave: Tensor) -> Tensor:
        inputs = self._extractor(audio=wave, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            codes_11T: Tensor = self.model.encode(**inputs).audio_codes
        return codes_11T[0].long()

    def wave(self, codes_1T: Tensor) -> Tensor:
        with torch.no_grad():
            wave_11L: Tensor = self.model.decode(audio_codes=codes_1T[None]).audio_values
        return wave_11L[0, 0]


@pytest.fixture
def library(name: str, weights: dict[str, Path]) -> Library:
    return Library(name, weights[name])


def noise(samples: int, seed: int = 0) -> Tensor:
    """Noise whose loudness changes, so that its codes do."""
    drawn = torch.Generator().manual_seed(seed)
    volume = torch.rand(samples // HOP + 1, generator=drawn).repeat_interleave(HOP)[:samples]
    return 0.3 * volume * torch.randn(samples, generator=drawn)


def test_speech_has_exactly_the_codes_and_the_sound_of_the_library(
    codec: Codec, library: Library, english: list[Path]
) -> None:
    waves = [torch.tensor(audio.read_at(path, codec.sample_rate))[:80_000] for path in english[:3]]
    for wave, codes_1T in zip(waves, codec.encode(waves), strict=True):
        expected_1T = library.codes(wave)
        shared = min(codes_1T.shape[1], expected_1T.shape[1])
        assert codes_1T.shape[1] == -(-len(wave) // HOP)
        assert abs(codes_1T.shape[1] - expected_1T.shape[1]) <= 1
        assert torch.equal(codes_1T[:, :shared], expected_1T[:, :shared])
        assert torch.equal(codec.decode(codes_1T), library.wave(codes_1T))
        assert len(codes_1T.unique()) > 30, "random weights must tell sounds apart"
        assert codes_1T.max() > 32_767, "codes need all 16 bits"


@pytest.mark.parametrize("samples", [2 * HOP, 2 * HOP + 1, 10 * HOP, 10 * HOP + 159, 11 * HOP - 1])
def test_no_part_of_a_wave_is_lost(codec: Codec, library: Library, samples: int) -> None:
    """NeuCodec's library drops the last part of a frame; X-Codec 2's adds a frame of its own padding to whole ones."""
    wave = noise(samples)
    [codes_1T], expected_1T = codec.encode([wave]), library.codes(wave)
    assert codes_1T.shape == (1, math.ceil(samples / HOP))
    whole = samples // HOP
    assert torch.equal(codes_1T[:, :whole], expected_1T[:, :whole])
    if codec.name == "neucodec":
        assert expected_1T.shape[1] == whole
    else:
        assert torch.equal(codes_1T, expected_1T[:, : codes_1T.shape[1]])


def test_the_last_part_of_a_frame_is_heard(weights: dict[str, Path]) -> None:
    codec, wave = load_codec("neucodec", weights["neucodec"]), noise(10 * HOP + 200)
    found = set()
    for seed in range(4):
        wave[-200:] = torch.randn(200, generator=torch.Generator().manual_seed(seed)) / (seed + 1)
        [codes_1T] = codec.encode([wave])
        found.add(int(codes_1T[0, -1]))
    assert len(found) > 1


def test_the_rates_are_known(weights: dict[str, Path]) -> None:
    for name, rate, line in (("neucodec", 24_000, "16000 Hz in, 24000 Hz out"), ("xcodec2", 16_000, "16000 Hz, ")):
        codec = load_codec(name, weights[name])
        identity = identity_of(codec)
        assert (codec.sample_rate, output_rate(codec)) == (16_000, rate)
        assert identity.decoded_rate == (rate if rate != 16_000 else None)
        assert (identity.num_codebooks, identity.codebook_size, identity.frame_rate) == (1, 65_536, 50.0)
        assert line in identity.describe()
        [codes_1T] = codec.encode([noise(16_000)])
        assert len(codec.decode(codes_1T)) == rate


def test_the_embeddings_are_the_vectors_that_the_quantizer_decodes(codec: Codec, library: Library) -> None:
    [codes_1T] = codec.encode([noise(20 * HOP)])
    [vectors_VD] = codec.embeddings()
    assert vectors_VD.shape == (65_536, 8)
    quantizer = library.model.quantizer
    with torch.no_grad():
        expected_1TD = quantizer.from_codes(codes_1T[..., None])
        assert torch.allclose(quantizer.project_out(vectors_VD[codes_1T[0]]), expected_1TD[0], atol=1e-6)


def test_long_waves_are_encoded_in_windows_with_nearly_the_codes_of_the_whole(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = noise(400 * HOP + 7)
    [whole_1T] = codec.encode([wave])
    monkeypatch.setattr(neucodec, "_CORE_S", 2)
    monkeypatch.setattr(neucodec, "_CONTEXT_S", 1)
    [found_1T] = codec.encode([wave])
    assert found_1T.shape == whole_1T.shape == (1, 401)
    assert 0.8 < (found_1T == whole_1T).double().mean() < 1, "the semantic encoder attends to all of a window"


def test_windows_keep_each_frame_once() -> None:
    assert windows(10, core=6, context=2) == [Window(0, 10, 0, 10)]
    assert windows(11, core=6, context=2) == [Window(0, 6, 0, 8), Window(6, 11, 4, 11)]
    for frames in range(1, 60):
        found = windows(frames, core=6, context=2)
        kept = [frame for window in found for frame in range(window.start, window.end)]
        assert kept == list(range(frames))
        assert all(window.last - window.first <= 10 for window in found)


def test_another_model_is_refused(tmp_path: Path, weights: dict[str, Path], name: str) -> None:
    values = json.loads((weights[name] / "config.json").read_text())
    semantic = values["semantic_model_config"]
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(weights[name] / "model.safetensors")
    rate = "input_sampling_rate" if name == "neucodec" else "sampling_rate"
    for changed, problem in (
        ({rate: 24_000}, "it takes 24000 Hz and 320 samples a frame"),
        ({"downsampling_ratios": [2, 2, 4, 4, 4]}, "it takes 16000 Hz and 256 samples a frame"),
        ({"semantic_model_config": semantic | {"feature_projection_input_dim": 80}}, "160 features of w2v-BERT"),
        ({"semantic_model_config": {"model_type": "hubert"}}, "features of w2v-BERT"),
        ({"quantization_levels": [4] * 7 + [5]}, "its 81920 codes don't fit into 16 bits"),
        ({"num_hidden_layers": 3}, "tensors are missing"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"model_type": "dac"}, "model_type"),
    ):
        (folder / "config.json").write_text(json.dumps(values | changed))
        with pytest.raises(WeightsError, match=problem) as error:
            load_codec(name, folder)
        assert "\n" not in str(error.value)
        assert str(folder) in str(error.value)


def test_an_output_rate_without_whole_samples_a_frame_is_refused(tmp_path: Path, weights: dict[str, Path]) -> None:
    values = json.loads((weights["neucodec"] / "config.json").read_text())
    (tmp_path / "model.safetensors").symlink_to(weights["neucodec"] / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(values | {"output_sampling_rate": 22_051}))
    with pytest.raises(WeightsError, match="22051 Hz aren't a whole number of samples a frame"):
        load_codec("neucodec", tmp_path)


def test_a_transformers_that_lacks_the_model_is_named(
    weights: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    monkeypatch.setattr(transformers, f"{CLASSES[name]}Config", None)
    with pytest.raises(WeightsError, match=f"needs a transformers with `{CLASSES[name]}Config`.*Install a newer one"):
        load_codec(name, weights[name])


def test_weights_of_one_are_not_those_of_the_other(weights: dict[str, Path], tmp_path: Path) -> None:
    higgs = save_higgs(tmp_path / "higgs")
    for name, folder in (("neucodec", weights["xcodec2"]), ("xcodec2", weights["neucodec"]), ("neucodec", higgs)):
        with pytest.raises(WeightsError, match="`model_type` isn't"):
            load_codec(name, folder)
