"""A speaker encoder with weights from a package: turns a voice into a vector."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.errors import WeightsError
from stages.listeners.mel import mel_power
from stages.records import Wave

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16_000
"""Hz of its input."""


class Resemblyzer:
    """The GE2E speaker encoder with the weights of the package `resemblyzer`: a stand-in where WavLM is missing.

    It tells speakers apart, but its similarities can't be compared with published ones, which are on WavLM's scale.
    Long silences stay in; the package removes them with a voice activity detector that has to be compiled.

    Source: https://github.com/resemble-ai/Resemblyzer, `voice_encoder.py`; https://arxiv.org/abs/1710.10467.
    """

    name = "resemblyzer (a stand-in: not comparable with published WavLM numbers)"
    VERSION = 2
    """Raised when the outputs of `parts` change: part of the fingerprints of `similar.feature=speaker`."""
    _FRAMES = 160
    """Frames of 10 ms in a part."""
    _STEP = 77
    """Frames between the starts of two parts: 1.3 parts per second."""
    _HOP = 160
    """Samples in a frame."""
    _LOUDNESS = 10 ** (-30 / 20)
    """Root mean square that quieter waves are raised to."""

    def __init__(self, device: str = "cpu") -> None:
        """Loads the weights from the package without importing it.

        Raises:
            WeightsError: if the package isn't installed.
        """
        import torch

        state = torch.load(find_weights(), map_location=device, weights_only=True)["model_state"]
        self._lstm = torch.nn.LSTM(40, 256, 3, batch_first=True).to(device).eval()
        self._linear = torch.nn.Linear(256, 256).to(device)
        for name, module in {"lstm.": self._lstm, "linear.": self._linear}.items():
            module.load_state_dict(
                {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
            )
        self._device = device

    def embed(self, wave: Wave) -> npt.NDArray[np.float32]:
        """Returns the mean of the unit vectors of parts of 1.6 s, `[256]`, scaled to length 1."""
        import torch

        vectors = torch.nn.functional.normalize(self._outputs(wave, self._starts(len(wave))).relu(), dim=1)
        vector: npt.NDArray[np.float32] = torch.nn.functional.normalize(vectors.mean(0), dim=0).cpu().numpy()
        return vector

    def parts(self, wave: Wave) -> npt.NDArray[np.float32]:
        """Returns the last layer's outputs, `[parts, 256]`, for the fewest even parts of 1.6 s that cover a wave.

        These are the values before the ReLU of `embed`. A shorter wave is repeated, once from its beginning and once
        from its middle: two parts of speech, not one with silence at its end. `embed` pads, as the package does.
        """
        part = self._FRAMES * self._HOP
        if 0 < len(wave) < part:
            turned = [np.resize(np.roll(wave, -start), part) for start in (0, len(wave) // 2)]
            return np.concatenate([self._outputs(one, [0]).cpu().numpy() for one in turned])
        frames = len(wave) // self._HOP + 1
        starts = np.linspace(0, max(0, frames - self._FRAMES), -(-frames // self._FRAMES)).round().astype(int)
        outputs: npt.NDArray[np.float32] = self._outputs(wave, starts.tolist()).cpu().numpy()
        return outputs

    def _outputs(self, wave: Wave, starts: list[int]) -> "torch.Tensor":
        """Returns the last layer's outputs for the parts that begin at these frames, `[parts, 256]`."""
        import torch

        loudness = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
        if 0 < loudness < self._LOUDNESS:
            wave = wave * np.float32(self._LOUDNESS / loudness)
        wave = np.pad(wave, (0, max(0, (starts[-1] + self._FRAMES) * self._HOP - len(wave))))
        mel_TM = mel_power(wave, sample_rate=SAMPLE_RATE, window=400, hop=self._HOP, mels=40).T
        parts = np.stack([mel_TM[start : start + self._FRAMES] for start in starts]).astype(np.float32)
        with torch.inference_mode():
            hidden = self._lstm(torch.from_numpy(parts).to(self._device))[1][0][-1]
            outputs: torch.Tensor = self._linear(hidden)
        return outputs

    def _starts(self, samples: int) -> list[int]:
        """Returns the first frame of each part. The last part counts if it is at least three quarters full."""
        frames = -(-(samples + 1) // self._HOP)
        starts = list(range(0, max(1, frames - self._FRAMES + self._STEP + 1), self._STEP))
        filled = (samples - starts[-1] * self._HOP) / (self._FRAMES * self._HOP)
        return starts[:-1] if filled < 0.75 and len(starts) > 1 else starts


def find_weights() -> Path:
    """Returns the path of the weights without importing the package.

    Raises:
        WeightsError: if the package isn't installed.
    """
    spec = importlib.util.find_spec("resemblyzer")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0] if folders else "") / "pretrained.pt"
    if not path.is_file():
        raise WeightsError(
            "The speaker encoder `resemblyzer` must be installed with its weights, but isn't."
            " Run `pip install --no-deps resemblyzer==0.1.4`."
        )
    return path
