from types import SimpleNamespace

import ctranslate2
import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from stages.hearing.asr.windows import SAMPLE_RATE, Windows


class Echo:
    """Stands for a whisper model whose encoder gives every second frame of the first four features."""

    def __init__(self) -> None:
        self.feature_extractor = FeatureExtractor()
        self.model = SimpleNamespace(n_mels=80)
        self.lengths: list[int] = []

    def encode(self, features: np.ndarray) -> ctranslate2.StorageView:
        batch = features if features.ndim == 3 else features[None]
        self.lengths += [batch.shape[-1]] * len(batch)
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(batch[:, :4, ::2].transpose(0, 2, 1)))


def tone(amplitude: float, seconds: float) -> np.ndarray:
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(amplitude * np.sin(2 * np.pi * 110 * time_s) * (np.sin(12 * time_s) > 0), np.float32)


@pytest.mark.parametrize("amplitude", [0.9, 0.3, 0.05])
def test_one_window_of_silence_serves_speech_of_any_level(amplitude):
    model = Echo()
    windows = Windows(model, short=True)
    loud, other = np.array(windows.encode([tone(0.5, 1.4), tone(amplitude, 1.4)]))
    np.testing.assert_allclose(loud, other, atol=1e-3)
    assert loud.shape == (1500, 4)
    assert sorted(model.lengths) == [400, 400, 3000]
    windows.encode([tone(amplitude, 3.0)])
    assert sorted(model.lengths) == [400, 400, 500, 3000], "the silence is encoded once"
    assert np.ptp(loud[250:]) == 0, "silence after the speech is that of the rest of the window"


def test_nothing_but_silence_is_not_raised_to_the_level_of_speech():
    windows = Windows(Echo(), short=True)
    [silence] = np.array(windows.encode([np.zeros(SAMPLE_RATE, np.float32)]))
    assert np.ptp(silence) == 0


def test_a_full_window_has_whispers_own_features():
    model = Echo()
    sound = tone(0.2, 2.0)
    [full] = np.array(Windows(model, short=False).encode([sound]))
    own = model.feature_extractor(sound, padding=480_000)[:4, :3000:2].T
    np.testing.assert_allclose(full[:90], own[:90], atol=1e-4)
    assert model.lengths == [3000]
