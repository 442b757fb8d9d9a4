"""The stage `encode`: cuts, batches, rejects and the files it writes for later stages."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.audio import files as audio
from stages.base import Context, Reject
from stages.codecs.table import load_codec
from stages.encode import CODEC, EMBEDDINGS, Encode, EncodeConfig
from stages.errors import WeightsError
from stages.records import CodecIdentity, Encoded, Utterance
from tests.stages.genuine_codecs import save_dac

RATES = {"anna/low.wav": 16_000, "anna/high.wav": 44_100, "bert/same.wav": 24_000}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dac(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise per recording, and one broken file."""
    folder = tmp_path_factory.mktemp("voices")
    noise = np.random.default_rng(0)
    for name, rate in RATES.items():
        audio.write_wav(folder / name, noise.normal(0, 0.1, 2 * rate).astype(np.float32), rate)
    (folder / "bert" / "broken.wav").write_bytes(b"RIFF but no more")
    return folder


@pytest.fixture(scope="module")
def stage(weights: Path, voices: Path) -> Encode:
    stage = Encode(EncodeConfig(codec="dac", weights=str(weights)), Context(voices=voices))
    stage.setup()
    return stage


def utterance(recording: str, start_samples: int = 0, end_samples: int | None = None) -> Utterance:
    rate = RATES.get(recording, 16_000)
    end_samples = 2 * rate if end_samples is None else end_samples
    name = f"{recording}#{start_samples}-{end_samples}"
    speaker = recording.partition("/")[0]
    return Utterance(name, recording, "", speaker, "en", start_samples, end_samples, rate, "Hello.", "həlˈoʊ.")


def outcome(stage: Encode, item: Utterance) -> Encoded | Reject:
    [[found]] = stage.process([item])
    assert isinstance(found, Encoded | Reject)
    return found


@pytest.mark.parametrize("recording", RATES)
def test_the_codes_are_those_of_the_cut(stage: Encode, weights: Path, voices: Path, recording: str) -> None:
    rate = RATES[recording]
    item = utterance(recording, rate // 3, rate + 77)
    encoded = outcome(stage, item)
    wave, _ = audio.read(voices / recording)
    cut = audio.resample(wave[item.start_samples : item.end_samples], rate, 24_000)
    [expected_KT] = load_codec("dac", weights).encode([torch.tensor(cut)])
    assert isinstance(encoded, Encoded)
    assert encoded.codes_KT.dtype == np.uint8, "the smallest type that holds 256 codes"
    np.testing.assert_array_equal(encoded.codes_KT, expected_KT.numpy())
    assert encoded.utterance.frames == expected_KT.shape[1] == -(-len(cut) // 320)
    assert encoded.utterance.phonemes == item.phonemes


def test_a_bad_item_rejects_itself_alone_and_a_batch_gives_its_singles(stage: Encode, voices: Path) -> None:
    items = [
        utterance("anna/low.wav", 0, 9_000),
        utterance("bert/broken.wav"),
        utterance("anna/low.wav", 9_000, 30_001),
        utterance("anna/gone.wav"),
        utterance("anna/high.wav", 80_000, 90_000),
        utterance("bert/same.wav"),
    ]
    outcomes = [found for [found] in stage.process(items)]
    for item, found in zip(items, outcomes, strict=True):
        alone = outcome(stage, item)
        assert found.id == item.id
        if isinstance(found, Encoded):
            assert isinstance(alone, Encoded)
            assert found.utterance == alone.utterance
            np.testing.assert_array_equal(found.codes_KT, alone.codes_KT)
        else:
            assert found == alone
            assert found.reason in {"NotThere", "Truncated", "NotAudio"}
            assert str(voices) not in found.message, "messages don't depend on where the recordings lie"
            assert item.recording in found.message
    assert [isinstance(found, Reject) for found in outcomes] == [False, True, False, True, True, False]


def test_a_cut_of_no_samples_at_the_rate_of_the_codec_is_rejected(stage: Encode, voices: Path) -> None:
    audio.write_wav(voices / "tiny.wav", np.ones(100, np.float32), 192_000)
    found = outcome(stage, utterance("tiny.wav", 0, 1))
    assert isinstance(found, Reject)
    assert found.reason == "UnreadableAudio"


def test_the_way_to_compute_is_part_of_the_fingerprint_and_old_datasets_are_exact(stage: Encode) -> None:
    config = {"codec": "dac", "weights": stage.config.weights}
    exact, half = (
        Encode(EncodeConfig(**config, **more), stage.context) for more in ({"exact": True}, {"precision": "bfloat16"})
    )
    assert stage.revision() == f"{stage.identity.revision} toom-1"
    assert exact.revision() == half.revision() == stage.identity.revision
    before_exact_came = {"codec": "dac", "dac_model": "44khz", "precision": "float32"}
    assert exact.parameters() == [before_exact_came, stage.identity.revision]
    assert half.parameters() == [before_exact_came | {"precision": "bfloat16"}, stage.identity.revision]
    assert stage.parameters() != exact.parameters()
    EncodeConfig.model_validate(stage.config.identity())  # a finished stage's parameters are read as its section
    embedded = [Encode(EncodeConfig(codec="embedded", exact=exact), stage.context) for exact in (False, True)]
    assert embedded[0].parameters() == embedded[1].parameters(), "it has one way"


def test_it_writes_the_identity_and_the_embeddings(stage: Encode, weights: Path, tmp_path: Path) -> None:
    assert stage.finish(tmp_path, []) == [CODEC, EMBEDDINGS]
    codec = load_codec("dac", weights)
    assert CodecIdentity.from_json(json.loads((tmp_path / CODEC).read_text())) == stage.identity
    assert stage.identity.revision == codec.revision == stage.revision().split()[0]
    embeddings_KVD = np.load(tmp_path / EMBEDDINGS, allow_pickle=False)
    np.testing.assert_array_equal(embeddings_KVD, codec.embeddings().numpy())


def test_the_parameters_depend_on_the_weights_not_on_their_path(stage: Encode, weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "moved.pth"
    copy.write_bytes(weights.read_bytes())
    moved = Encode(EncodeConfig(codec="dac", weights=str(copy), batch_size=1), stage.context)
    assert moved.parameters() == stage.parameters()
    other = Encode(EncodeConfig(codec="dac", weights=str(save_dac(tmp_path, seed=1))), stage.context)
    assert other.parameters() != stage.parameters()
    assert moved.check([]) == []


def test_on_cuda_no_setting_changes_the_batches(stage: Encode, voices: Path) -> None:
    cuda = Context(voices=voices, device="cuda")
    assert {Encode(EncodeConfig(batch_size=size), cuda).batch_size for size in (1, 16, 600)} == {512}
    assert Encode(EncodeConfig(batch_size=3), stage.context).batch_size == 3


def test_the_embedded_codec_has_no_half_precision() -> None:
    with pytest.raises(ValueError, match="must be float32 for `embedded`, but is bfloat16"):
        EncodeConfig(codec="embedded", precision="bfloat16")


def test_missing_weights_are_one_problem(stage: Encode, tmp_path: Path) -> None:
    missing = Encode(EncodeConfig(codec="encodec", weights=str(tmp_path / "gone.th")), stage.context)
    [problem] = missing.check([])
    assert "gone.th" in problem
    assert "\n" not in problem
    with pytest.raises(WeightsError):
        missing.setup()
