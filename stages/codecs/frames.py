"""The embedded codec's tables, and its encoder on the CPU, which doesn't import PyTorch.

The codes are those of `EmbeddedCodec.encode`, bit for bit. Operations of NumPy are used where IEEE 754 leaves no choice
in rounding: sums and products of two numbers. The others are PyTorch's own, by `stages.kernels.aten`.

Axes: K codebooks, T frames, M mel bands, F frequency bins, V codebook size, H hypotheses of the beam, N samples of a
window.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from stages.codecs.codec import Floats, LongCodes

SAMPLE_RATE = 24_000
HOP = 320
"""Samples between two frames: 75 frames per second."""
WINDOW = 1024
"""Samples in a frame's Hann window; frame t is centred on sample HOP * t + HOP / 2."""
NUM_MELS = 100
FLOOR = 5e-4
"""Added to the mel magnitudes, so that hiss well below it counts as silence and gets steady codes. A full-scale sine
reaches about 7."""
BEAM = 4
"""Hypotheses that the search for codes keeps."""


@cache
def mel_filters() -> Floats:
    """Returns triangular mel filters of unit area, `[M, F]` float32, equal to `librosa.filters.mel`.

    The mel scale is Slaney's: linear up to 1 kHz, logarithmic above (Auditory Toolbox, 1998).
    """
    top = 15 + 27 * math.log(SAMPLE_RATE / 2 / 1000) / math.log(6.4)
    mels = np.linspace(0, top, NUM_MELS + 2)[:, None]
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * math.log(6.4) / 27))
    bins = np.arange(WINDOW // 2 + 1, dtype=np.float64) * SAMPLE_RATE / WINDOW
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
    filters_MF: Floats = (np.maximum(np.minimum(rise, fall), 0) * 2 / (high - low)).astype(np.float32)
    return filters_MF


@dataclass(frozen=True, slots=True)
class Tables:
    """The trained tables in the weights file, in float32."""

    mean_M: Floats
    """Mean log mel magnitude of speech."""
    scale_M: Floats
    """Log magnitude of one unit of the codebooks' vectors."""
    codebooks_KVM: Floats

    def first(self, codebooks: int) -> "Tables":
        """Returns the tables with the first codebooks alone."""
        return Tables(self.mean_M, self.scale_M, self.codebooks_KVM[:codebooks])

    def by_name(self) -> dict[str, Floats]:
        """Returns the tables by their names in the file."""
        return {"mean_M": self.mean_M, "scale_M": self.scale_M, "codebooks_KVM": self.codebooks_KVM}


class FrameCoder:
    """Encodes waves with given tables.

    Raises:
        ImportError: if PyTorch's library can't be called without its Python modules.
    """

    def __init__(self, tables: Tables) -> None:
        from stages.kernels import aten

        self._aten = aten
        self._tables = tables
        (self._window_N,) = aten.call("aten::hann_window", WINDOW, None, None, None, None)
        self._filters_MF = _copied(mel_filters())
        self._books = [_copied(codebook_VM) for codebook_VM in tables.codebooks_KVM]
        self._half_norms = [self._squares(codebook_VM)[:, 0] / 2 for codebook_VM in self._books]

    def __call__(self, wave: Floats) -> LongCodes:
        """Returns the codes of a wave, `[K, T]` int64, T = ceil(samples / HOP)."""
        mel_TM = self._log_mel(wave)
        return self._quantise((mel_TM - self._tables.mean_M) / self._tables.scale_M)

    def _log_mel(self, wave: Floats) -> Floats:
        """As `embedded.log_mel`."""
        frames, side = -(-len(wave) // HOP), (WINDOW - HOP) // 2
        padded = np.zeros(frames * HOP + 2 * side, np.float32)
        padded[side : side + len(wave)] = wave
        windowed_TN = self._aten.aligned(frames, WINDOW)
        np.multiply(np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP], self._window_N, out=windowed_TN)
        (spectrum_TF,) = self._aten.call("aten::fft_rfft", windowed_TN, None, -1, None)
        (magnitude_TF,) = self._aten.call("aten::abs", spectrum_TF)
        (mel_TM,) = self._aten.call("aten::matmul", magnitude_TF, self._filters_MF.T)
        mel_TM += np.float32(FLOOR)
        return self._aten.call("aten::log", mel_TM)[0]

    def _quantise(self, frames_TM: Floats) -> LongCodes:
        """As `embedded.quantise`."""
        rest_THM = _copied(frames_TM[:, None])
        codes_THK = np.zeros((len(frames_TM), 1, 0), np.int64)
        for codebook_VM, half_norm_V in zip(self._books, self._half_norms, strict=True):
            (error_THV,) = self._aten.call("aten::matmul", rest_THM, codebook_VM.T)
            np.subtract(self._squares(rest_THM) / 2, error_THV, out=error_THV)
            error_THV += half_norm_V
            flat_TX = error_THV.reshape(len(frames_TM), -1)
            _, best_TH = self._aten.call("aten::topk", flat_TX, BEAM, -1, False, True, results=2)
            parent_TH1, code_TH = best_TH[..., None] // len(codebook_VM), best_TH % len(codebook_VM)
            parents_THM = np.take_along_axis(rest_THM, parent_TH1, 1)
            rest_THM = self._aten.aligned(*parents_THM.shape)
            np.subtract(parents_THM, codebook_VM[code_TH], out=rest_THM)
            parents_THK = np.take_along_axis(codes_THK, parent_TH1, 1)
            codes_THK = np.concatenate([parents_THK, code_TH[..., None]], axis=2)
        return np.ascontiguousarray(codes_THK[:, 0].T)

    def _squares(self, vectors: Floats) -> Floats:
        """Returns the sum of squares of vectors that lie along the last axis, which stays as one of length 1."""
        squares = self._aten.aligned(*vectors.shape)
        np.multiply(vectors, vectors, out=squares)
        return self._aten.call("aten::sum_to_size", squares, [*vectors.shape[:-1], 1])[0]


def frame_coder(tables: Tables) -> FrameCoder | None:
    """Returns an encoder with these tables; None if PyTorch's library can't be called without its Python modules."""
    try:
        return FrameCoder(tables)
    except ImportError:
        return None


def _copied(array: Floats) -> Floats:
    """Returns a copy that lies in memory as PyTorch's tensors do."""
    from stages.kernels import aten

    copy = aten.aligned(*array.shape)
    copy[...] = array
    return copy
