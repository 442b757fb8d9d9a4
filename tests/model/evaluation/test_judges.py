"""The judges: genuine code on tiny random weights, and real weights out of a package or from beside the checkout."""

import itertools
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tiny_whisper import build_whisper

from model.evaluation.judges import (
    ERROR_RATES,
    JUDGES,
    SAMPLE_RATE,
    SIMILARITIES,
    WavLMXVector,
    columns,
    load_judges,
)
from model.evaluation.voices import similarity
from stages.audio.files import read_at
from stages.errors import UsageError, WeightsError
from stages.listeners.dnsmos import Dnsmos
from stages.listeners.resemblyzer import Resemblyzer
from stages.records import Wave

SHARED = Path(__file__).resolve().parents[4] / "shared"
LIBRISPEECH = SHARED / "speech" / "librispeech-test-other"
DNSMOS = SHARED / "dnsmos"
needs_speech = pytest.mark.skipif(not LIBRISPEECH.is_dir(), reason="no real recordings beside the checkout")
needs_dnsmos = pytest.mark.skipif(not DNSMOS.is_dir(), reason="no DNSMOS weights beside the checkout")


def clips(speaker: str, count: int = 4) -> list[Wave]:
    return [read_at(path, SAMPLE_RATE) for path in sorted((LIBRISPEECH / speaker).glob("*.flac"))[:count]]


def noise(seconds: float, seed: int = 0) -> Wave:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test whose judge looks for its weights on the network."""

    def refuse(host: object, *_: object, **__: object) -> None:
        raise AssertionError(f"a judge looks up {host}")

    monkeypatch.setattr("socket.getaddrinfo", refuse)


# recogniser


def test_whisper_hears_what_is_said(tmp_path: Path) -> None:
    folder = build_whisper(tmp_path, language="en", says="Good morning, everyone.")
    judge = load_judges(asr=str(folder), speaker="none", dnsmos=None)["recogniser"]
    heard = judge.hear(noise(2.0), "en")
    # faster-whisper suppresses what the test's tokenizer, which has no merges but of two bytes, writes a space with.
    assert re.findall(r"[a-z,.]+", heard, re.IGNORECASE) == ["Good", "morning,", "everyone."]
    assert judge.name == f"faster-whisper {folder}"
    (folder / "tokenizer.json").unlink()
    with pytest.raises(
        WeightsError,
        match=r"`--asr` must be .* lacks tokenizer.json \(convert it: `ct2-transformers-converter.*--asr none",
    ):
        load_judges(asr=str(folder), speaker="none")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.bin").write_bytes(b"no model")
    with pytest.raises(WeightsError, match="`--asr` can't be loaded from"):
        load_judges(asr=str(folder), speaker="none")


def test_a_whisper_in_the_cache_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--Systran--faster-whisper-tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots").mkdir()
    build_whisper(tmp_path, language="en", says="Hello").rename(cached / "snapshots" / ("0" * 40))
    assert "Hello" in load_judges(asr="tiny", speaker="none")["recogniser"].hear(noise(1.0), "en")


def test_a_whisper_that_is_not_there_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("large-v3", "no-such-size", "somebody/whisper"):
        with pytest.raises(WeightsError, match=rf"`{name}` is neither.*--asr none"):
            load_judges(asr=name, speaker="none")


# speaker


@pytest.fixture(scope="module")
def xvector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random WavLM of 2 layers with an x-vector head, saved as transformers saves it."""
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    folder = tmp_path_factory.mktemp("judges") / "wavlm-sv"
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    convolutions = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    head = {"tdnn_dim": (32, 32, 32, 32, 64), "xvector_output_dim": 24}
    WavLMForXVector(WavLMConfig(**sizes, **convolutions, **head)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def test_wavlm_gives_the_vectors_of_its_transformers_model(xvector: Path) -> None:
    from transformers import WavLMForXVector

    judge = load_judges(asr="none", speaker=str(xvector), dnsmos=None)["speaker"]
    wave = noise(2.0)
    model = WavLMForXVector.from_pretrained(xvector).eval()
    normalised = torch.from_numpy((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7))
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(normalised[None]).embeddings[0], dim=0)
    assert judge.embed(wave) == pytest.approx(expected.numpy(), abs=1e-5)
    assert similarity(judge.embed(wave), judge.embed(wave)) == pytest.approx(1)
    assert similarity(judge.embed(wave), judge.embed(noise(2.0, seed=1))) < 1
    assert np.isfinite(judge.embed(noise(0.01))).all(), "shorter than what the last layers look at"
    assert judge.name.startswith("WavLM x-vector wavlm-sv (not the published verifier")


def test_wavlm_says_what_it_needs(xvector: Path, tmp_path: Path) -> None:
    from transformers import WavLMConfig, WavLMModel

    with pytest.raises(WeightsError, match="`--speaker` must be"):
        WavLMXVector(tmp_path / "none")
    config = WavLMConfig.from_pretrained(xvector)
    WavLMModel(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes((xvector / "preprocessor_config.json").read_bytes())
    with pytest.raises(WeightsError, match="holds WavLMModel: its speaker vectors would be noise"):
        WavLMXVector(tmp_path)
    for path in xvector.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="`--speaker` can't be loaded from"):
        WavLMXVector(tmp_path)


@pytest.mark.parametrize("seconds", [0.4, 1.6, 2.5, 2.9, 3.3, 7.0])
def test_resemblyzer_gives_the_vectors_of_its_package(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("webrtcvad", "scipy.ndimage.morphology"):  # of the package's voice activity detector, not used here
        stand_in = ModuleType(name)
        stand_in.binary_dilation = None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, stand_in)
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import normalize_volume

    wave = noise(seconds) * np.linspace(0, 0.3, int(seconds * SAMPLE_RATE), dtype=np.float32)
    expected = VoiceEncoder("cpu", verbose=False).embed_utterance(normalize_volume(wave, -30, increase_only=True))
    assert Resemblyzer().embed(wave) == pytest.approx(expected, abs=1e-5)


def test_resemblyzer_says_that_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="pip install --no-deps resemblyzer"):
        Resemblyzer()


@needs_speech
def test_resemblyzer_tells_real_speakers_apart() -> None:
    judge = load_judges(asr="none", speaker="resemblyzer", dnsmos=None)["speaker"]
    assert "stand-in" in judge.name
    speakers = sorted(path.name for path in LIBRISPEECH.iterdir() if path.is_dir())
    voices = [(speaker, judge.embed(wave)) for speaker in speakers for wave in clips(speaker)]
    scores: dict[bool, list[float]] = {True: [], False: []}
    for (one, vector), (other, another) in itertools.combinations(voices, 2):
        scores[one == other].append(similarity(vector, another))
    same, others = np.array(scores[True]), np.array(scores[False])
    print(f"same speaker {same.mean():.3f}, others {others.mean():.3f}")
    assert same.mean() > others.mean() + 0.15
    assert (same[:, None] > others[None]).mean() > 0.95, "of pairs of pairs"


# quality


@needs_dnsmos
@needs_speech
@pytest.mark.parametrize("seconds", [2.0, 9.5, 12.2])
def test_dnsmos_gives_the_scores_of_torchmetrics(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchmetrics.functional.audio import dnsmos

    (tmp_path / "DNSMOS").symlink_to(DNSMOS)
    monkeypatch.setattr(dnsmos, "DNSMOS_DIR", str(tmp_path))
    speech = np.concatenate(clips("1688"))
    wave = speech[: int(seconds * SAMPLE_RATE)]
    assert len(wave) == int(seconds * SAMPLE_RATE)
    _, *expected = dnsmos.deep_noise_suppression_mean_opinion_score(
        torch.from_numpy(wave), SAMPLE_RATE, personalized=False, num_threads=1, cache_session=False
    )
    scores = Dnsmos(DNSMOS / "sig_bak_ovr.onnx").score(wave)
    assert [scores[name] for name in ("sig", "bak", "ovrl")] == pytest.approx(
        [float(one) for one in expected], abs=1e-4
    )


@needs_dnsmos
@needs_speech
def test_dnsmos_hears_noise() -> None:
    judge = load_judges(asr="none", speaker="none", dnsmos=DNSMOS / "sig_bak_ovr.onnx")["quality"]
    (wave,) = clips("2033", 1)
    clean, noisy = judge.score(wave), judge.score(wave + 0.3 * noise(len(wave) / SAMPLE_RATE)[: len(wave)])
    print(f"clean {clean}, noisy {noisy}")
    assert all(1 <= score <= 5 for score in (*clean.values(), *noisy.values()))
    assert clean["bak"] > noisy["bak"] + 0.5
    assert clean["ovrl"] > noisy["ovrl"] + 0.3


@needs_dnsmos
def test_dnsmos_takes_only_its_own_network(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has the shapes \[\[900, 120\], \[1\]\]. Use `sig_bak_ovr.onnx`"):
        Dnsmos(DNSMOS / "model_v8.onnx")
    with pytest.raises(WeightsError, match=r"none.onnx` isn't there"):
        Dnsmos(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="must be an ONNX file"):
        Dnsmos(tmp_path / "bad.onnx")


def test_nobody_has_to_judge() -> None:
    assert load_judges(asr="none", speaker="none", dnsmos=None) == {}
    with pytest.raises(TypeError, match="no judge has an option `ears`"):
        load_judges(asr="none", ears="two")
    with pytest.raises(UsageError, match="CUDA devices are here"):
        load_judges(asr="none", speaker="none", dnsmos=None, device="cuda:77")


def test_the_rows_of_the_table_do_not_collide() -> None:
    rows = JUDGES.values()
    assert len(columns()) == sum(len(row.columns) for row in rows), "two rows need different columns, or a prefix"
    assert len({row.option for row in rows}) == len(rows)
    for role, scores in (("recogniser", ERROR_RATES), ("speaker", SIMILARITIES)):
        assert all(row.columns.keys() == scores.keys() for row in rows if row.role == role)
    assert len({row.prefix for row in rows if row.role == "recogniser"}) == sum(
        row.role == "recogniser" for row in rows
    ), "words and texts of a second recogniser need a prefix"
