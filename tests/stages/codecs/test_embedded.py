import json
import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from pipeline.bench import embedded as fit_embedded
from stages.audio.files import read_at, write_wav
from stages.codecs.embedded import WEIGHTS, EmbeddedCodec, _overlapped, quantise
from stages.codecs.frames import HOP, NUM_MELS, SAMPLE_RATE, WINDOW, mel_filters
from stages.codecs.table import identity_of
from stages.corpora.scan import scan
from stages.errors import AudioError, CodecError, UsageError, WeightsError
from stages.records import Recording
from tests.conftest import SPEECH


@pytest.fixture(scope="module")
def codec():
    return EmbeddedCodec.load()


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_sizes(codec):
    assert (codec.name, codec.sample_rate, codec.frame_rate) == ("embedded", 24_000, 75.0)
    assert codec.embeddings().shape == (codec.num_codebooks, codec.codebook_size, NUM_MELS) == (8, 1024, NUM_MELS)
    assert EmbeddedCodec.identify() == identity_of(codec)
    assert WEIGHTS.stat().st_size <= 8_000_000


def test_sizes_and_embeddings_need_no_torch():
    """The scheduling process needs them while workers encode."""
    asked = 'codec_identity("embedded"); codec_embeddings("embedded"); print("torch" in sys.modules)'
    line = [
        sys.executable,
        "-c",
        f"import sys; from stages.codecs.table import codec_embeddings, codec_identity; {asked}",
    ]
    root = Path(__file__).parents[3]
    assert subprocess.run(line, capture_output=True, check=True, text=True, cwd=root).stdout == "False\n"


def test_mel_filters_are_librosas():
    import librosa

    expected = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=NUM_MELS)
    np.testing.assert_allclose(mel_filters(), expected, atol=1e-7, rtol=1e-5)


def test_mel_filters_have_the_bits_of_those_that_torch_makes():
    """Codes of earlier datasets were made with these."""

    def hertz(mel: torch.Tensor) -> torch.Tensor:
        return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))

    top = 15 + 27 * math.log(SAMPLE_RATE / 2 / 1000) / math.log(6.4)
    edges = hertz(torch.linspace(0, top, NUM_MELS + 2, dtype=torch.float64))[:, None]
    bins = torch.arange(WINDOW // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / WINDOW
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
    theirs = (torch.minimum(rise, fall).clamp_min(0) * 2 / (high - low)).float()
    np.testing.assert_array_equal(mel_filters(), theirs)


@settings(max_examples=25)
@given(
    samples=st.lists(st.integers(1, 3 * WINDOW), min_size=1, max_size=4), gain=st.sampled_from([0.0, 1e-6, 0.1, 1.0])
)
def test_encode_gives_the_frames_and_a_batch_equals_its_singles(codec, samples, gain):
    waves = [gain * noise(count, seed) for seed, count in enumerate(samples)]
    batch = codec.encode(waves)
    without_torch = codec.encode_arrays([wave.numpy() for wave in waves])
    for wave, codes_KT, array_KT in zip(waves, batch, without_torch, strict=True):
        assert array_KT.dtype == np.int64
        np.testing.assert_array_equal(array_KT, codes_KT)
        assert codes_KT.shape == (8, math.ceil(len(wave) * codec.frame_rate / codec.sample_rate))
        assert codes_KT.dtype == torch.int64
        assert 0 <= codes_KT.min() <= codes_KT.max() < 1024
        assert torch.equal(codes_KT, codec.encode([wave])[0])


@settings(max_examples=25)
@given(codebooks=st.integers(1, 8), frames=st.integers(1, 20), seed=st.integers(0, 99))
def test_decode_gives_whole_frames_and_the_same_ones_again(codec, codebooks, frames, seed):
    codes_KT = torch.randint(0, 1024, (codebooks, frames), generator=torch.Generator().manual_seed(seed))
    before = torch.random.get_rng_state()
    wave = codec.decode(codes_KT)
    assert wave.shape == (frames * HOP,)
    assert wave.dtype == torch.float32
    assert wave.isfinite().all()
    assert torch.equal(wave, codec.decode(codes_KT))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_wider_beam_is_no_worse_than_the_greedy_choice(codec):
    tables = codec.embeddings()
    frames_TM = tables[:, torch.arange(60)].sum(dim=0) + noise(60 * NUM_MELS).reshape(60, NUM_MELS)
    rest_TM = frames_TM
    for codebook_VM in tables:
        rest_TM = rest_TM - codebook_VM[torch.cdist(rest_TM, codebook_VM).argmin(dim=1)]
    codes_KT = quantise(frames_TM, tables)
    found_TM = frames_TM - tables[torch.arange(8)[:, None], codes_KT].sum(dim=0)
    assert found_TM.square().mean() < rest_TM.square().mean()


HELD_OUT = ("vctk", "ljspeech", "librispeech-test-other", "multilingual-de", "multilingual-ja")


@pytest.fixture(scope="module")
def clips(recordings):
    """The first three seconds of some recordings that the weights were not fitted on, synthetic ones if need be."""
    found = scan(recordings).recordings
    if recordings == SPEECH:
        found = [recording for recording in found if recording.group in HELD_OUT]
        assert all(fit_embedded.is_held_out(recording) for recording in found)
    found = found[:: 9 if recordings == SPEECH else 5]
    return [torch.from_numpy(read_at(recordings / one.id, SAMPLE_RATE)[: 3 * SAMPLE_RATE]) for one in found]


def test_real_speech_comes_back_intelligible_and_every_codebook_helps(codec, clips, recordings):
    from pystoi import stoi

    codes = codec.encode(clips)

    def mean_stoi(codebooks: int) -> float:
        pairs = [
            (wave, codec.decode(codes_KT[:codebooks])[: len(wave)]) for wave, codes_KT in zip(clips, codes, strict=True)
        ]
        return fmean(stoi(wave.numpy(), decoded.numpy(), SAMPLE_RATE) for wave, decoded in pairs)

    coarse, middle, fine = (mean_stoi(codebooks) for codebooks in (1, 4, 8))
    assert len(clips) >= 10
    assert coarse + 0.05 < middle < fine - 0.02
    assert fine >= (0.87 if recordings == SPEECH else 0.8)


@pytest.mark.parametrize("codebooks", [8, 3])
def test_speech_has_the_same_codes_without_torchs_modules(clips, codebooks, monkeypatch):
    codec = EmbeddedCodec.load()
    codec.encode_arrays([clips[0].numpy()])
    codec.keep(codebooks)
    codes = codec.encode(clips)
    with monkeypatch.context() as patched:
        patched.setattr(codec, "encode", None)  # it isn't how arrays are encoded
        found = codec.encode_arrays([wave.numpy() for wave in clips])
    assert all(np.array_equal(array_KT, codes_KT) for array_KT, codes_KT in zip(found, codes, strict=True))
    assert found[0].shape[0] == codebooks


def test_where_torchs_library_cannot_be_called_arrays_are_encoded_by_its_modules(clips, monkeypatch):
    expected = EmbeddedCodec.load().encode_arrays([clips[0].numpy()])
    monkeypatch.setitem(sys.modules, "stages.kernels.aten", None)
    monkeypatch.delattr("stages.kernels.aten")
    codec = EmbeddedCodec.load()
    assert codec._coder is None
    np.testing.assert_array_equal(codec.encode_arrays([clips[0].numpy()]), expected)


def test_silence_is_one_code_and_stays_silent(codec):
    [codes_KT] = codec.encode([torch.zeros(SAMPLE_RATE)])
    assert (codes_KT == codes_KT[:, :1]).all()
    assert codec.decode(codes_KT).abs().max() < 1e-4
    hiss_KT = codec.encode([1e-6 * noise(SAMPLE_RATE)])[0]
    assert torch.equal(hiss_KT, codes_KT)


def test_clipped_and_overdriven_input_is_coded(codec, clips):
    for wave in ((8 * clips[0]).clamp(-1, 1), 100 * clips[0], torch.ones(SAMPLE_RATE)):
        [codes_KT] = codec.encode([wave])
        assert codec.decode(codes_KT).isfinite().all()


@pytest.mark.parametrize(
    "wave", [torch.zeros(0), torch.zeros(2, 9), torch.tensor([0.0, math.nan]), torch.tensor([math.inf])]
)
def test_bad_waves_are_refused(codec, wave):
    with pytest.raises(AudioError, match=r"waves\[1\]"):
        codec.encode([noise(400), wave])
    with pytest.raises(AudioError, match=r"waves\[1\]"):
        codec.encode_arrays([noise(400).numpy(), wave.numpy()])


@pytest.mark.parametrize("shape_or_value", [(9, 4), (0, 4), (8, 0), (8,), -1, 1024])
def test_bad_codes_are_refused(codec, shape_or_value):
    is_value = isinstance(shape_or_value, int)
    codes = torch.full((8, 4), shape_or_value) if is_value else torch.zeros(shape_or_value, dtype=torch.long)
    with pytest.raises(CodecError, match="embedded"):
        codec.decode(codes)


def test_bad_weights_are_refused(tmp_path):
    missing, garbage, foreign = (tmp_path / name for name in ("missing", "garbage", "foreign"))
    garbage.write_bytes(b"not safetensors")
    save_file({"weight": torch.zeros(3)}, foreign)
    for path in (missing, garbage, foreign):
        with pytest.raises(WeightsError, match=rf"{path.name}.*pipeline\.bench\.embedded"):
            EmbeddedCodec.load(path)


@pytest.fixture
def small_fit(tmp_path, monkeypatch):
    """A folder with a little noise for each training group, and trained tables of 3 codebooks of 16."""
    for constant, value in (("NUM_CODEBOOKS", 3), ("CODEBOOK_SIZE", 16), ("_ITERATIONS", 3)):
        monkeypatch.setattr(fit_embedded, constant, value)
    for group in fit_embedded.SOURCES:
        for seed in range(3):
            write_wav(
                tmp_path / group / "103" / f"{seed}.wav",
                0.1 * (seed + 1) * noise(SAMPLE_RATE, seed).numpy(),
                SAMPLE_RATE,
            )
    return tmp_path


def test_a_fit_gives_the_same_file_again_and_improves_with_every_codebook(small_fit, capsys):
    files = [small_fit / "first.safetensors", small_fit / "second.safetensors"]
    for file in files:
        fit_embedded.save(fit_embedded.fit(small_fit), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    errors = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[:4]]
    assert errors == sorted(errors, reverse=True)
    codec = EmbeddedCodec.load(files[0])
    assert codec.encode([noise(SAMPLE_RATE)])[0].shape == (3, 75)


def test_a_fit_needs_all_its_groups(small_fit):
    for file in (small_fit / "kerstin-de").rglob("*.wav"):
        file.unlink()
    with pytest.raises(UsageError, match="has no kerstin-de"):
        fit_embedded.fit(small_fit)


def test_evaluation_measures_held_out_clips_alone(tmp_path, speech, monkeypatch, capsys):
    (tmp_path / "vctk").symlink_to(speech / "vctk")
    (tmp_path / "kerstin-de").symlink_to(speech / "kerstin-de")
    monkeypatch.setattr("sys.argv", ["fit_embedded", str(tmp_path), "--evaluate", "--json"])
    fit_embedded.main()
    result = json.loads(capsys.readouterr().out)
    vctk, everything = result["scores"]
    assert (vctk["group"], vctk["clips"], vctk["speakers"]) == ("vctk", 6, 2)
    assert everything["stoi"] == vctk["stoi"]
    assert vctk["stoi"]["8"] > 0.88


def test_a_tenth_of_the_speakers_is_held_out(speech):
    recordings = scan(speech / "librispeech-train-clean-100").recordings
    speakers = {Recording("", "librispeech-train-clean-100", one.speaker, "") for one in recordings}
    assert 15 <= sum(map(fit_embedded.is_held_out, speakers)) <= 30


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 77])
def test_frames_are_added_as_pytorch_adds_them(frames: int) -> None:
    frames_TN = torch.randn(frames, WINDOW, generator=torch.Generator().manual_seed(frames))
    length = (frames - 1) * HOP + WINDOW
    sums = torch.nn.functional.fold(frames_TN.T[None], (1, length), (1, WINDOW), stride=(1, HOP))
    assert torch.equal(_overlapped(frames_TN), sums.flatten())
