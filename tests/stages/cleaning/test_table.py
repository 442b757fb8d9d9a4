"""Contract tests over the table of cleaners, each with its own library."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from stages.audio import files as audio
from stages.cleaning.cleaner import Cleaner
from stages.cleaning.cleaners import demucs
from stages.cleaning.cleaners.deepfilternet import DeepFilterNet
from stages.cleaning.overlapped import cleaned
from stages.cleaning.table import CLEANERS
from stages.errors import WeightsError
from stages.records import Wave
from tests.conftest import SPEECH

RATES = 8000, 16_000, 22_050, 44_100, 48_000


def voice(seconds: float, rate: int) -> Wave:
    """A voice-like buzz of syllables, each of another pitch, so that it fits itself at one shift only."""
    rng = np.random.default_rng(0)
    times = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(times))
    for start in np.arange(0.05, seconds, 0.33):
        pitch = rng.uniform(90, 220)
        inside = (times >= start) & (times < start + 0.2)
        tone = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, 18) if pitch * n < rate / 2)
        wave += inside * np.sin(np.pi * (times - start) / 0.2) * tone
    return (0.1 * wave).astype(np.float32)


@pytest.fixture(params=sorted(CLEANERS))
def cleaner(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cleaner:
    """Every cleaner; Demucs with random weights of a small network."""
    row = CLEANERS[request.param]
    weights = None
    if row.name == "demucs":
        from torchaudio.models import HDemucs

        monkeypatch.setattr(demucs, "_network", lambda: HDemucs(list(demucs._SOURCES), channels=4))
        torch.manual_seed(0)
        weights = tmp_path / "weights.pt"
        torch.save(demucs._network().state_dict(), weights)
    try:
        assert row.identify(weights)
    except WeightsError as error:
        pytest.skip(str(error))
    return row.load(weights)


def test_the_wave_keeps_its_length_at_every_rate_and_its_value_depends_on_nothing_else(cleaner: Cleaner) -> None:
    for rate in RATES if cleaner.sample_rate is None else (cleaner.sample_rate,):
        for samples in (1, 100, rate // 2 + 17):
            wave = voice(1.0, rate)[:samples] + 1e-4
            one, two = cleaner.clean(wave, rate), cleaner.clean(wave, rate)
            assert one.shape == wave.shape
            assert one.dtype == np.float32
            assert np.isfinite(one).all()
            assert np.array_equal(one, two)


def test_nothing_is_shifted(cleaner: Cleaner) -> None:
    if isinstance(cleaner, demucs.Demucs):
        pytest.skip("random weights know no voice")
    rate = 16_000
    wave = voice(2.0, rate)
    noisy = wave + np.random.default_rng(1).normal(0, 0.005, len(wave)).astype(np.float32)
    found = np.concatenate(list(cleaned([noisy], rate, cleaner)))[:, 0]
    fits = np.correlate(found, np.pad(wave, 400), "valid")
    assert int(fits.argmax()) == 400, "the cleaned wave fits the clean one best where it lies"


@pytest.mark.skipif(not SPEECH.is_dir(), reason="no ../shared/speech beside the project")
def test_real_speech_comes_out_of_the_noise_where_it_was(cleaner: Cleaner) -> None:
    if isinstance(cleaner, demucs.Demucs):
        pytest.skip("random weights know no voice")
    whole, rate = audio.read(sorted(SPEECH.glob("kerstin-de/*/*.flac"))[3])
    wave = whole[: 3 * rate]
    level = float(np.sqrt(np.mean(wave**2)))
    noisy = wave + np.random.default_rng(1).normal(0, level / 3, len(wave)).astype(np.float32)
    found = np.concatenate(list(cleaned([noisy], rate, cleaner)))[:, 0]
    fits = fftconvolve(np.pad(wave, 2000), found[::-1], "valid")
    assert int(fits.argmax()) == 2000
    assert np.corrcoef(found, wave)[0, 1] > 0.9
    if isinstance(cleaner, DeepFilterNet):
        assert np.sum((found - wave) ** 2) < np.sum((noisy - wave) ** 2) / 2


def test_weights_that_dont_fit_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(b"nothing of use")
    for row in CLEANERS.values():
        with pytest.raises(WeightsError, match=r"wrong\.bin|needs the package"):
            row.load(wrong)
    if "deepfilternet" in CLEANERS:
        empty = tmp_path / "empty.tar.gz"
        with tarfile.open(empty, "w:gz"):
            pass
        with pytest.raises(WeightsError, match=r"empty\.tar\.gz|needs the package"):
            CLEANERS["deepfilternet"].identify(empty)


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", gone)
    for name in ("gate", "deepfilternet"):
        with pytest.raises(WeightsError, match="EXTRAS=dev,clean"):
            CLEANERS[name].identify(None)


def test_demucs_needs_its_weights(tmp_path: Path) -> None:
    for given in (None, tmp_path / "gone.pt"):
        with pytest.raises(WeightsError, match="hdemucs_high_trained"):
            CLEANERS["demucs"].identify(given)
