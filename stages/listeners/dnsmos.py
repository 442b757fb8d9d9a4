"""DNSMOS P.835: predicts listeners' scores for the speech, the background and the whole of a recording."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from stages.errors import WeightsError
from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz of its input."""


class Dnsmos:
    """Runs the predictor from its ONNX file, always on the CPU, in one thread.

    Source: https://arxiv.org/abs/2110.01763; `dnsmos_local.py` in https://github.com/microsoft/DNS-Challenge.
    """

    _SAMPLES = 144_160
    """Samples in a window: 9.01 s."""
    _SCALES: ClassVar[dict[str, tuple[float, ...]]] = {
        "sig": (-0.08397278, 1.22083953, 0.0052439),
        "bak": (-0.13166888, 1.60915514, -0.39604546),
        "ovrl": (-0.06766283, 1.11546468, 0.04602535),
    }
    """Polynomials from the network's outputs, in their order, to the listeners' scale."""

    def __init__(self, path: Path, option: str = "--dnsmos") -> None:
        """Loads `sig_bak_ovr.onnx`.

        Args:
            path: The file.
            option: The option that names it, for messages.

        Raises:
            WeightsError: if it is missing or another network, or if onnxruntime is missing.
        """
        if not path.is_file():
            raise WeightsError(
                f"`{option}` must be DNSMOS P.835's `sig_bak_ovr.onnx` (microsoft/DNS-Challenge), but `{path}` isn't"
                " there. Check the path, or leave the option out."
            )
        try:
            import onnxruntime
        except ImportError as error:
            raise WeightsError(
                f"`{option}` needs the package onnxruntime, which isn't there. Run `pip install onnxruntime`, or leave"
                " the option out."
            ) from error

        errors = onnxruntime.capi.onnxruntime_pybind11_state
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (errors.InvalidProtobuf, errors.InvalidGraph, errors.Fail) as error:
            raise WeightsError(
                f"`{option}` must be an ONNX file, but `{path}` can't be loaded as one. Download it again."
            ) from error
        shapes = [list(one.shape)[1:] for one in (*self._session.get_inputs(), *self._session.get_outputs())]
        if shapes != [[self._SAMPLES], [len(self._SCALES)]]:
            raise WeightsError(
                f"`{option}` must be a network from {self._SAMPLES} samples to 3 scores, but `{path}` has the shapes"
                f" {shapes}. Use `sig_bak_ovr.onnx` of P.835 (`model_v8.onnx` is P.808)."
            )
        self.name = "DNSMOS P.835"

    def score(self, wave: Wave) -> dict[str, float]:
        """Scores a wave.

        Args:
            wave: Mono, at 16 kHz, not empty; a short one is repeated.

        Returns:
            `sig`, `bak` and `ovrl`, 1 to 5: means over windows of 9.01 s, one second apart.
        """
        while len(wave) < self._SAMPLES:
            wave = np.concatenate([wave, wave])
        hops = int(len(wave) // SAMPLE_RATE - self._SAMPLES / SAMPLE_RATE) + 1
        starts = [hop * SAMPLE_RATE for hop in range(hops)]
        windows = [wave[start : start + self._SAMPLES] for start in starts if start + self._SAMPLES <= len(wave)]
        name = self._session.get_inputs()[0].name
        raw = np.concatenate(
            [self._session.run(None, {name: window[None].astype(np.float32)})[0] for window in windows]
        )
        return {
            key: float(np.polyval(scale, raw[:, column]).mean())
            for column, (key, scale) in enumerate(self._SCALES.items())
        }
