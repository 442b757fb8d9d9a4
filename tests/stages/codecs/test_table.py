"""The codecs: every row keeps the contract, and gives exactly its library's codes."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.audio import files as audio
from stages.codecs import network as network_codec
from stages.codecs.dac import DAC_RELEASES
from stages.codecs.embedded import WEIGHTS
from stages.codecs.encodec import encodec_model
from stages.codecs.network import NetworkCodec, Precision, causal_batches, equal_batches
from stages.codecs.table import CODECS, Codec, codec_embeddings, codec_identity, identity_of, load_codec, output_rate
from stages.codecs.vocos import vocos_model
from stages.codecs.weights import variable_of
from stages.errors import AudioError, CodecError, UsageError, WeightsError
from tests.stages.genuine_codecs import save_all

VARIABLES = tuple(variable_of(name) for name in CODECS)


WITHOUT_LOOKAHEAD = {"neucodec", "xcodec2"}
"""Those whose samples depend on all frames: a stream of theirs passes from one decoding into the next."""


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_all(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def loaded(saved: dict[str, Path]) -> dict[str, Codec]:
    return {name: load_codec(name, path, exact=True) for name, path in saved.items()}


@pytest.fixture(scope="session")
def quick(saved: dict[str, Path]) -> dict[str, Codec]:
    return {name: load_codec(name, path) for name, path in saved.items()}


@pytest.fixture(scope="session", params=[*CODECS, *(f"{name}, quick" for name, row in CODECS.items() if row.way)])
def codec(request: pytest.FixtureRequest, loaded: dict[str, Codec], quick: dict[str, Codec]) -> Codec:
    name, _, way = request.param.partition(", ")
    return (quick if way else loaded).get(name) or load_codec(name)


@pytest.fixture(params=["synthetic", "speech"])
def clip(request: pytest.FixtureRequest) -> torch.Tensor:
    """A second of sound at 24 kHz, not a whole number of frames long."""
    if request.param == "synthetic":
        return sweep(24_111)
    path = request.getfixturevalue("recordings") / "longform" / "jfk" / "jfk.flac"
    path = path if path.is_file() else max(request.getfixturevalue("english"), key=lambda clip: clip.stat().st_size)
    wave = audio.read_at(path, 24_000)
    return torch.tensor(wave[12_000:36_111])


def sweep(samples: int, seed: int = 0) -> torch.Tensor:
    """A rising tone with harmonics over a little noise."""
    time = torch.arange(samples) / 24_000
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(seed))
    return sum(0.2 / n * torch.sin(2 * math.pi * n * (110 + 60 * time) * time) for n in (1, 2, 3)) + 0.01 * noise


def test_encoding_keeps_the_contract(codec: Codec) -> None:
    hop = round(codec.sample_rate / codec.frame_rate)
    waves = [sweep(samples, seed) for seed, samples in enumerate((1, hop - 1, hop, hop + 1, 10 * hop + 7, 3 * hop))]
    codes = codec.encode(waves)
    for wave, codes_KT in zip(waves, codes, strict=True):
        frames = math.ceil(len(wave) * codec.frame_rate / codec.sample_rate)
        assert codes_KT.shape == (codec.num_codebooks, frames)
        assert codes_KT.dtype == torch.int64
        assert codes_KT.min() >= 0
        assert codes_KT.max() < codec.codebook_size
        assert torch.equal(codes_KT, codec.encode([wave])[0]), "a batch must give what its singles give"
    assert codec.encode([]) == []


def test_only_networks_compute_in_half_precision(codec: Codec) -> None:
    assert not CODECS[codec.name].half_precision or isinstance(codec, NetworkCodec)


def test_the_published_networks_compute_in_half_precision() -> None:
    assert {name for name in ("encodec", "vocos", "dac") if not CODECS[name].half_precision} == set()
    assert not CODECS["embedded"].half_precision


def test_decoding_keeps_the_contract(codec: Codec) -> None:
    [codes_KT] = codec.encode([sweep(20 * round(codec.sample_rate / codec.frame_rate))])
    hop = round(output_rate(codec) / codec.frame_rate)
    for rows in range(1, codec.num_codebooks + 1):
        wave = codec.decode(codes_KT[:rows])
        assert wave.shape == (20 * hop,)
        assert wave.dtype == torch.float32
        assert wave.isfinite().all()
    assert torch.equal(wave, codec.decode(codes_KT.to(torch.int32)))
    assert codec.decode(codes_KT[:, :1]).shape == (hop,)


def test_frames_beyond_the_lookahead_change_nothing(codec: Codec) -> None:
    lookahead, frames, known = CODECS[codec.name].lookahead, 100, 60
    drawn = torch.Generator().manual_seed(0)
    codes_KT = torch.randint(0, codec.codebook_size, (codec.num_codebooks, frames), generator=drawn)
    whole, part = codec.decode(codes_KT), codec.decode(codes_KT[:, :known])
    hop = len(whole) // frames
    differs = ((whole[: len(part)] - part).abs() > 1e-4 * whole.abs().max()).nonzero().flatten()
    needed = known - int(differs[0]) / hop if len(differs) else 0.0
    if lookahead is None:
        assert codec.name in WITHOUT_LOOKAHEAD
        assert needed > known / 2, "frames to come change nearly all that comes before: no stream is the whole"
        return
    assert needed <= lookahead, "what is sent of a stream is final"


@pytest.mark.parametrize(
    ("wave", "problem"),
    [
        (torch.zeros(0), "empty"),
        (torch.zeros(1, 400), "mono"),
        (torch.full((400,), math.nan), "finite"),
        (torch.full((400,), math.inf), "finite"),
    ],
)
def test_a_bad_wave_is_refused(codec: Codec, wave: torch.Tensor, problem: str) -> None:
    with pytest.raises(AudioError, match=problem):
        codec.encode([sweep(400), wave])


def test_codes_that_do_not_fit_are_refused(codec: Codec) -> None:
    rows, size = codec.num_codebooks, codec.codebook_size
    for codes in (torch.zeros(rows + 1, 4), torch.zeros(rows, 0), torch.zeros(4), torch.zeros(1, rows, 4)):
        with pytest.raises(CodecError, match=r"\[K, T\]"):
            codec.decode(codes.long())
    for code in (-1, size):
        with pytest.raises(CodecError, match=f"holds {code}"):
            codec.decode(torch.full((rows, 4), code))


def test_the_identity_is_known_without_loading(codec: Codec, saved: dict[str, Path]) -> None:
    identity = codec_identity(codec.name, saved.get(codec.name))
    assert identity == identity_of(codec)
    assert type(identity).from_json(identity.to_json()) == identity
    assert len(identity.revision) >= 8, "`revision` must be 8 or more characters that no other codec uses"
    identity.require(replace(identity, name="another decoder"), "dataset")
    with pytest.raises(CodecError, match=r"`dataset`.*`codebook_size` must be .*`revision` must be"):
        identity.require(replace(identity, codebook_size=7, revision="0"), "dataset")


def test_the_embeddings_are_read_without_the_model(codec: Codec, saved: dict[str, Path]) -> None:
    tables_KVD = codec_embeddings(codec.name, saved.get(codec.name))
    assert tables_KVD.dtype == np.float32
    assert (tables_KVD == codec.embeddings().numpy()).all()


def test_embeddings_sum_to_the_quantised_frame(loaded: dict[str, Codec]) -> None:
    for name in ("encodec", "dac", "mimi", "higgs"):
        codec = loaded[name]
        [codes_KT] = codec.encode([sweep(12_000)])
        tables_KVD = codec.embeddings()
        assert tables_KVD.shape[:2] == (codec.num_codebooks, codec.codebook_size)
        sum_TD = sum(table_VD[codes_T] for table_VD, codes_T in zip(tables_KVD, codes_KT, strict=True))
        quantizer = codec._model.quantizer
        with torch.no_grad():
            if name == "encodec":
                latent_1DT = quantizer.decode(codes_KT[:, None])
            elif name == "mimi":
                latent_1DT = quantizer.decode(codes_KT[None])
            elif name == "higgs":
                latent_1DT = quantizer.decode(codes_KT[:, None])
            else:
                latent_1DT, _, _ = quantizer.from_codes(codes_KT[None])
        assert torch.allclose(sum_TD.T, latent_1DT[0], rtol=1e-5, atol=1e-5)


def test_encodec_is_the_library(loaded: dict[str, Codec], saved: dict[str, Path], clip: torch.Tensor) -> None:
    from encodec import EncodecModel

    model = EncodecModel.encodec_model_24khz(pretrained=False)
    model.load_state_dict(torch.load(saved["encodec"], weights_only=True))
    model.set_target_bandwidth(6.0)
    with torch.no_grad():
        [(expected_1KT, _)] = model.encode(clip[None, None])
        expected_wave = model.decode([(expected_1KT, None)])
    [codes_KT] = loaded["encodec"].encode([clip])
    assert torch.equal(codes_KT, expected_1KT[0])
    assert torch.equal(loaded["encodec"].decode(codes_KT), expected_wave[0, 0])
    assert len(codes_KT.unique()) > 20, "random weights must tell sounds apart"


def test_vocos_is_the_library(
    loaded: dict[str, Codec], saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vocos import Vocos
    from vocos.feature_extractors import EncodecModel

    model = encodec_model(saved["encodec"])
    monkeypatch.setattr(EncodecModel, "encodec_model_24khz", lambda pretrained: model)
    vocos = Vocos.from_hparams(str(saved["vocos"] / "config.yaml")).eval()
    vocos.load_state_dict(torch.load(saved["vocos"] / "pytorch_model.bin", weights_only=True), strict=False)
    codec, wave = loaded["vocos"], sweep(16_000)
    [codes_KT] = codec.encode([wave])
    assert torch.equal(codes_KT, loaded["encodec"].encode([wave])[0])
    for rows, bandwidth in ((1, 0), (2, 0), (3, 1), (8, 2)):
        features = vocos.codes_to_features(codes_KT[:rows])
        expected = vocos.decode(features, bandwidth_id=torch.tensor([bandwidth]))
        assert torch.equal(codec.decode(codes_KT[:rows]), expected[0])
        another = vocos.decode(features, bandwidth_id=torch.tensor([3 - bandwidth]))
        assert not torch.allclose(expected, another), "the decoder must hear which bandwidth it is given"


def test_fewer_codebooks_can_be_asked_for(codec: Codec, saved: dict[str, Path]) -> None:
    name, weights = codec.name, saved.get(codec.name)
    one, wave = load_codec(name, weights, exact=not getattr(codec, "quick", False), codebooks=1), sweep(12_000)
    assert identity_of(one) == codec_identity(name, weights, codebooks=1)
    assert one.num_codebooks == 1
    [codes_1T] = one.encode([wave])
    assert len(codes_1T) == 1
    if name != "embedded":  # its search looks at all codebooks that it has
        assert torch.equal(codes_1T, codec.encode([wave])[0][:1])
    assert torch.equal(one.decode(codes_1T), codec.decode(codes_1T))
    tables_1VD = codec_embeddings(name, weights, codebooks=1)
    assert (tables_1VD == codec.embeddings()[:1].numpy()).all()
    assert (tables_1VD == one.embeddings().numpy()).all()
    with pytest.raises(CodecError, match="1 to 1 codebooks"):
        one.decode(torch.zeros(2, 4).long())
    for codebooks in (0, 99):
        for ask in (load_codec, codec_identity, codec_embeddings):
            with pytest.raises(CodecError, match=f"must use 1 to .* but {codebooks} are asked for"):
                ask(name, weights, codebooks=codebooks)  # type: ignore[operator]


def test_dac_is_the_library(loaded: dict[str, Codec], saved: dict[str, Path], clip: torch.Tensor) -> None:
    from dac import DAC

    model = DAC.load(saved["dac"]).eval()
    with torch.no_grad():
        _, expected_1KT, *_ = model.encode(model.preprocess(clip[None, None], 24_000))
        expected_wave = model.decode(model.quantizer.from_codes(expected_1KT)[0])[0, 0]
    [codes_KT] = loaded["dac"].encode([clip])
    assert torch.equal(codes_KT, expected_1KT[0])
    decoded = loaded["dac"].decode(codes_KT)
    assert torch.equal(decoded[: len(expected_wave)], expected_wave)
    assert len(decoded) == 76 * 320 > len(expected_wave), "odd strides lose samples, which decode pads"
    assert len(codes_KT.unique()) > 10


@pytest.mark.parametrize("name", [name for name, row in CODECS.items() if row.way])
def test_the_quick_way_gives_nearly_the_librarys_codes_and_its_sound(
    quick: dict[str, Codec], loaded: dict[str, Codec], name: str, clip: torch.Tensor
) -> None:
    [codes_KT], [expected_KT] = quick[name].encode([clip]), loaded[name].encode([clip])
    # One of 76 frames may flip: random weights hardly tell sounds apart. A flip changes the codebooks after it, too.
    assert (codes_KT == expected_KT).all(dim=0).sum() >= codes_KT.shape[1] - 1
    assert len(expected_KT.unique()) > 10
    found, expected = (which[name].decode(expected_KT) for which in (quick, loaded))
    assert (found - expected).norm() < 1e-4 * expected.norm()
    if name == "vocos":
        assert torch.equal(found, expected), "Vocos decodes by its library alone"
    else:
        assert not torch.equal(found, expected), "it must compute in another way"


@pytest.mark.parametrize("name", ["encodec", "dac"])
def test_the_quick_way_gives_the_same_bits_on_any_number_of_threads(quick: dict[str, Codec], name: str) -> None:
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with threadpool_limits(threads):
                [codes_KT] = quick[name].encode([sweep(48_000)])
                found.append((codes_KT, quick[name].decode(codes_KT)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_only_a_codec_on_the_cpu_in_float32_is_quick(saved: dict[str, Path], quick: dict[str, Codec]) -> None:
    assert all(codec.quick == bool(CODECS[name].way) for name, codec in quick.items())
    assert not load_codec("dac", saved["dac"], exact=True).quick
    assert not load_codec("dac", saved["dac"], precision="bfloat16").quick


def test_dac_names_its_releases_as_the_library_does() -> None:
    from dac import utils

    for rate, (release, file) in DAC_RELEASES.items():
        model = f"{rate // 1000}khz"
        assert utils.__MODEL_LATEST_TAGS__[model, "8kbps"] == release
        assert utils.__MODEL_URLS__[model, release, "8kbps"].endswith(f"{release}/{file}")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No weights in the environment, empty caches, and a network that refuses every connection."""
    from huggingface_hub import constants

    for name in (*VARIABLES, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: pytest.fail("the hub's client retries"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "cache", "url"),
    [
        ("encodec", "torch/hub/checkpoints/encodec_24khz-d7cc33bc.th", "dl.fbaipublicfiles.com"),
        ("vocos", "hub", "huggingface.co/charactr/vocos-encodec-24khz"),
        ("dac", ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth", "github.com/descriptinc"),
        ("mimi", "hub", "huggingface.co/kyutai/mimi"),
        ("neucodec", "hub", "huggingface.co/neuphonic/neucodec"),
        ("xcodec2", "hub", "huggingface.co/HKUSTAudio/xcodec2-hf"),
        ("higgs", "hub", "huggingface.co/bosonai/higgs-audio-v2-tokenizer"),
    ],
)
def test_missing_weights_give_one_line_with_every_way_to_get_them(
    nowhere: Path, name: str, cache: str, url: str
) -> None:
    with pytest.raises(WeightsError) as error:
        load_codec(name)
    message = str(error.value)
    assert "\n" not in message
    for way in ("`encode.weights`", f"`VALLE_{name.upper()}_WEIGHTS`", str(nowhere / cache), url, "embedded"):
        assert way in message
    with pytest.raises(WeightsError, match=r"isn't there|has no `config.(yaml|json)`"):
        load_codec(name, nowhere / "gone")


def test_weights_are_found_in_the_environment_and_in_the_cache(
    nowhere: Path, saved: dict[str, Path], loaded: dict[str, Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = nowhere / "torch" / "hub" / "checkpoints" / "encodec_24khz-d7cc33bc.th"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(saved["encodec"])
    assert codec_identity("encodec") == identity_of(loaded["encodec"])
    released = nowhere / ".cache" / "descript" / "dac" / "weights_24khz_8kbps_0.0.4.pth"
    released.parent.mkdir(parents=True)
    released.symlink_to(saved["dac"])
    assert codec_identity("dac", sample_rate=24_000) == identity_of(loaded["dac"])
    for name, path in saved.items():
        monkeypatch.setenv(f"VALLE_{name.upper()}_WEIGHTS", str(path))
        assert codec_identity(name) == identity_of(loaded[name])
    assert codec_identity("encodec", saved["vocos"]) == identity_of(loaded["encodec"]), "a folder will do"


def test_weights_of_the_embedded_codec_may_lie_at_home(nowhere: Path) -> None:
    (nowhere / "mine").symlink_to(WEIGHTS)
    assert codec_identity("embedded", "~/mine") == identity_of(load_codec("embedded", "~/mine"))
    assert codec_embeddings("embedded", "~/mine").shape[0] == 8


def test_weights_of_something_else_are_refused(tmp_path: Path, saved: dict[str, Path]) -> None:
    small = tmp_path / "small.th"
    torch.save({"encoder.model.0.conv.conv.weight_g": torch.zeros(3)}, small)
    garbage, empty, listed = tmp_path / "garbage.th", tmp_path / "empty.th", tmp_path / "listed.th"
    garbage.write_bytes(bytes(range(256)) * 40)
    empty.touch()
    torch.save([1, 2], listed)
    torn = tmp_path / "torn.pth"
    torn.write_bytes(saved["dac"].read_bytes()[:5000])
    partial = tmp_path / "partial.pth"
    file = torch.load(saved["dac"], weights_only=True)
    del file["state_dict"]["quantizer.quantizers.2.codebook.weight"]
    torch.save(file, partial)
    for name, path, problem in (
        ("encodec", small, "size mismatch"),
        ("encodec", saved["dac"], "are missing"),
        ("encodec", garbage, "can't be read"),
        ("encodec", empty, "can't be read"),
        ("encodec", listed, "holds a list"),
        ("encodec", tmp_path, "holds 4 of them"),
        ("dac", saved["encodec"], "the model's sizes"),
        ("dac", torn, "can't be read"),
        ("dac", partial, "codebook.weight"),
    ):
        with pytest.raises(WeightsError, match=problem) as error:
            load_codec(name, path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)


def test_vocos_of_something_else_is_refused(tmp_path: Path, saved: dict[str, Path]) -> None:
    (tmp_path / "pytorch_model.bin").symlink_to(saved["vocos"] / "pytorch_model.bin")
    config = (saved["vocos"] / "config.yaml").read_text()
    for text, problem in (
        (config.replace("- 6.0", "- 7.0"), "6 kbps"),
        (config.replace("vocos.heads.ISTFTHead", "os.system"), "os.system"),
        (config.replace("num_layers: 2", "num_layers: 3"), "are missing"),
        ("backbone: [", "ParserError"),
        ("", "TypeError"),
    ):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(WeightsError, match=problem) as error:
            vocos_model(tmp_path, 8 * 1024)
        assert "\n" not in str(error.value)
        assert str(tmp_path) in str(error.value)


def test_a_codec_a_rate_or_a_device_that_is_not_there_is_a_usage_error(nowhere: Path) -> None:
    with pytest.raises(UsageError, match=", ".join(CODECS)):
        load_codec("soundstream")
    with pytest.raises(UsageError, match="16000 Hz, but 48000 Hz"):
        load_codec("dac", sample_rate=48_000)
    with pytest.raises(UsageError, match="`tpu` must be a device"):
        load_codec("encodec", device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="Use `cpu`"):
            load_codec("encodec", device="cuda")


@given(frames=st.lists(st.integers(1, 20_000), max_size=40))
def test_batches_hold_each_wave_once_and_fit_into_memory(frames: list[int]) -> None:
    for batches, causal in ((causal_batches(frames), True), (equal_batches(frames), False)):
        assert sorted(index for batch in batches for index in batch.waves) == list(range(len(frames)))
        for batch in batches:
            lengths = {frames[index] for index in batch.waves}
            assert len(batch.waves) <= batch.rows
            assert batch.rows == 1 or batch.rows * batch.frames <= 18_000
            if causal:
                assert all(length <= batch.frames <= 1.25 * length + 1 for length in lengths)
            else:
                assert lengths == {batch.frames}


@given(frames=st.lists(st.integers(1, 3000), min_size=1, max_size=40), data=st.data())
def test_the_shape_of_a_causal_batch_depends_on_a_waves_own_length(frames: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(frames) - 1))
    [alone] = causal_batches([frames[index]])
    [shared] = [batch for batch in causal_batches(frames) if index in batch.waves]
    assert (shared.rows, shared.frames) == (alone.rows, alone.frames)


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of at most three rows instead of 32, which the CPU can compute."""
    monkeypatch.setattr(network_codec, "_BATCH_ROWS", 3)


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("name", ["encodec", "mimi"])
def test_the_rest_of_a_batch_changes_no_code_of_a_causal_codec(saved: dict[str, Path], name: str) -> None:
    """The batching of CUDA, on the CPU: neither the order of the waves nor the other waves change a code."""
    codec = load_codec(name, saved[name])
    codec._batched = True
    waves = [sweep(samples, seed) for seed, samples in enumerate((5_000, 5_001, 4_900, 2_000))]
    together = codec.encode(waves)
    for index in (0, 1, 3):
        assert torch.equal(codec.encode([waves[index]])[0], together[index])
    for codes_KT, again_KT in zip(together, reversed(codec.encode(waves[::-1])), strict=True):
        assert torch.equal(codes_KT, again_KT)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_codes(
    saved: dict[str, Path], loaded: dict[str, Codec], precision: Precision
) -> None:
    wave = sweep(12_000)
    for name in ("encodec", "dac"):
        half = load_codec(name, saved[name], precision=precision)
        [codes_KT], [expected_KT] = half.encode([wave]), loaded[name].encode([wave])
        assert codes_KT.shape == expected_KT.shape
        assert (codes_KT == expected_KT)[0].float().mean() > 0.8, name
        with torch.no_grad():
            latent, expected = (codec._latent(wave[None, None, :9600]) for codec in (half, loaded[name]))
        assert latent.dtype == torch.float32
        assert not torch.equal(latent, expected), "it must compute in another precision"
    with pytest.raises(UsageError, match="`embedded` must compute in float32"):
        load_codec("embedded", precision=precision)


def test_bfloat16_is_refused_where_a_device_does_not_compute_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    message = r"must be float16 or float32 on `cuda:1`, but is bfloat16.*compute capability 8\.0; this device has 7\.5"
    with pytest.raises(UsageError, match=message):
        load_codec("encodec", "nowhere", "cuda:1", precision="bfloat16")
    for capability, precision in (((7, 5), "float16"), ((8, 0), "bfloat16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        with pytest.raises(WeightsError):
            load_codec("encodec", "nowhere", "cuda:1", precision=precision)


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", ["encodec", "dac", "mimi", "higgs"])
def test_batches_give_nearly_the_codes_of_singles(
    saved: dict[str, Path], loaded: dict[str, Codec], name: str, device: str
) -> None:
    """The batching of CUDA, also on the CPU: rounding may flip a code, and padding may change the last frame."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    codec = load_codec(name, saved[name], device)
    codec._batched = True
    waves = [sweep(samples, seed) for seed, samples in enumerate((16_000, 9_001, 16_000, 15_900))]
    for ours_KT, theirs_KT in zip(codec.encode(waves), loaded[name].encode(waves), strict=True):
        assert ours_KT.shape == theirs_KT.shape
        assert (ours_KT == theirs_KT)[:, :-1].float().mean() > 0.98
