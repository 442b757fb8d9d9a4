"""The codec that ships with the package: residual vector quantisation of log-mel frames, and Griffin-Lim back.

It needs no download. Its quality is far below that of neural codecs: speech stays intelligible, voices roughly
recognisable. `python -m pipeline.bench.embedded` trains its codebooks and measures it.

Axes: K codebooks, T frames, L samples, V codebook size, M mel bands (the width of a codebook's vectors), F frequency
bins, N samples in a window, H hypotheses of the beam.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from stages.codecs.codec import CodecRow, Floats, LongCodes, check_arrays, check_codes, check_waves
from stages.codecs.frames import (
    BEAM,
    FLOOR,
    HOP,
    NUM_MELS,
    SAMPLE_RATE,
    WINDOW,
    FrameCoder,
    Tables,
    frame_coder,
    mel_filters,
)
from stages.codecs.weights import revision_of
from stages.errors import WeightsError
from stages.machine import on_gpu
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WEIGHTS = Path(__file__).parent / "data" / "embedded_codec.safetensors"
_NNLS_STEPS = 10
_GRIFFIN_LIM_STEPS = 32
_MOMENTUM = 0.99
_TINY = 1e-10


def log_mel(wave: "Tensor", filters_MF: "Tensor") -> "Tensor":
    """Returns the natural logarithm of a wave's mel magnitudes, `[T, M]` float32, T = ceil(L / HOP)."""
    import torch

    frames = -(-len(wave) // HOP)
    padded = torch.nn.functional.pad(wave, (0, frames * HOP - len(wave)))
    magnitude_TF = _Frames(frames, wave.device).spectrum(padded).abs()
    return (magnitude_TF @ filters_MF.T + FLOOR).log()


class EmbeddedCodec:
    """Residual vector quantisation of log-mel frames at 75 Hz, 8 codebooks of 1024.

    Each frame is coded on its own, so equal sounds get equal codes, and codebook 0 holds loudness and rough timbre.
    On the CPU a batch gives exactly the codes of its singles.

    Sources: residual quantisation as in SoundStream, section III.C, https://arxiv.org/abs/2107.03312; decoding by
    fast Griffin-Lim, Perraudin et al. 2013, https://doi.org/10.1109/WASPAA.2013.6701851.
    """

    name: ClassVar[str] = "embedded"
    sample_rate: ClassVar[int] = SAMPLE_RATE
    frame_rate: ClassVar[float] = SAMPLE_RATE / HOP

    def __init__(self, tables: Tables, *, revision: str = "", device: str = "cpu") -> None:
        self.revision = revision
        self.num_codebooks, self.codebook_size, _ = tables.codebooks_KVM.shape
        self._device = device
        self._all = tables

    @cached_property
    def _tables(self) -> "dict[str, Tensor]":
        """All tables on the device, by the names of the fields of `Tables`; and the mel filters, `filters_MF`."""
        import torch

        kept = {**self._all.first(self.num_codebooks).by_name(), "filters_MF": mel_filters()}
        return {name: torch.tensor(table, device=self._device) for name, table in kept.items()}

    @cached_property
    def _inverse(self) -> "Tensor":
        """What turns mel magnitudes into magnitudes, `[F, M]`."""
        import torch

        inverse: Tensor = torch.linalg.pinv(torch.tensor(mel_filters()).double())
        return inverse.float().to(self._device)

    @cached_property
    def _coder(self) -> FrameCoder | None:
        """What encodes on the CPU without PyTorch's Python modules; None on a GPU, or if it can't be called so."""
        return None if on_gpu(self._device) else frame_coder(self._all.first(self.num_codebooks))

    @classmethod
    def identify(cls, weights: str | Path | None = None, sample_rate: int | None = None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity of the packaged weights, or of another such file, without loading its tensors.

        Raises:
            WeightsError: if the file is missing or isn't such weights.
        """
        path = _path(weights)
        with _opened(path) as file:
            num_codebooks, size, _ = file.get_slice("codebooks_KVM").get_shape()
        return CodecIdentity(cls.name, SAMPLE_RATE, cls.frame_rate, num_codebooks, size, revision_of(path))

    @staticmethod
    def tables(weights: str | Path | None = None, sample_rate: int | None = None) -> Floats:  # noqa: ARG004
        """Reads the embeddings from the packaged weights, or from another such file, without PyTorch.

        Raises:
            WeightsError: if the file is missing or isn't such weights.
        """
        with _opened(_path(weights)) as file:
            return np.asarray(file.get_tensor("codebooks_KVM"), np.float32)

    @classmethod
    def load(cls, weights: str | Path | None = None, device: str = "cpu", sample_rate: int | None = None) -> Self:  # noqa: ARG003
        """Loads the packaged weights, or another such file.

        Raises:
            WeightsError: if the file is missing or isn't such weights.
        """
        path = _path(weights)
        return cls(read_tables(path), revision=revision_of(path), device=device)

    def keep(self, codebooks: int) -> None:
        """As `Shortens.keep`; the search for codes then ends with the last of them, so some codes change."""
        self.num_codebooks = codebooks
        self.__dict__.pop("_tables", None)
        self.__dict__.pop("_coder", None)

    def encode(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """As `Codec.encode`."""
        return [self._encode(wave.to(self._device)).cpu() for wave in check_waves(waves)]

    def encode_arrays(self, waves: Sequence[Floats]) -> list[LongCodes]:
        """As `EncodesArrays.encode_arrays`."""
        if self._coder is not None:
            return [self._coder(wave) for wave in check_arrays(waves)]
        import torch

        return [codes_KT.numpy() for codes_KT in self.encode([torch.tensor(wave) for wave in waves])]

    def decode(self, codes_KT: "Tensor") -> "Tensor":
        """As `Codec.decode`. The same codes always give the same wave."""
        codes_KT = check_codes(self, codes_KT).to(self._device)
        tables = self._tables
        vectors_KTM = tables["codebooks_KVM"][: len(codes_KT)].gather(1, codes_KT[..., None].expand(-1, -1, NUM_MELS))
        mel_TM = vectors_KTM.sum(dim=0) * tables["scale_M"] + tables["mean_M"]
        return _griffin_lim(self._magnitudes((mel_TM.exp() - FLOOR).clamp_min(0))).cpu()

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the number of mel bands, each in standard deviations."""
        return self._tables["codebooks_KVM"].cpu().clone()

    def _encode(self, wave: "Tensor") -> "Tensor":
        tables = self._tables
        frames_TM = (log_mel(wave, tables["filters_MF"]) - tables["mean_M"]) / tables["scale_M"]
        return quantise(frames_TM, tables["codebooks_KVM"])

    def _magnitudes(self, mel_TM: "Tensor") -> "Tensor":
        """Estimates non-negative magnitudes `[T, F]` from mel magnitudes.

        Source: multiplicative updates, Lee & Seung 2001, started from the pseudo-inverse.
        """
        filters_MF = self._tables["filters_MF"]
        magnitude_TF: Tensor = (mel_TM @ self._inverse.T).clamp_min(_TINY)
        wanted_TF = mel_TM @ filters_MF
        for _ in range(_NNLS_STEPS):
            magnitude_TF = magnitude_TF * wanted_TF / ((magnitude_TF @ filters_MF.T) @ filters_MF + _TINY)
        return magnitude_TF


def quantise(frames_TM: "Tensor", codebooks_KVM: "Tensor") -> "Tensor":
    """Returns the codes `[K, T]` int64 of standardised frames.

    A beam search over the codebooks keeps the best few sums of vectors. It finds nearer sums than a greedy search.

    Source: Additive Quantization for Extreme Vector Compression, Babenko & Lempitsky, CVPR 2014.
    """
    import torch

    rest_THM = frames_TM[:, None]
    codes_THK = torch.zeros(len(frames_TM), 1, 0, dtype=torch.long, device=frames_TM.device)
    for codebook_VM in codebooks_KVM:
        half_norm_V = codebook_VM.square().sum(dim=1) / 2
        error_THV = rest_THM.square().sum(dim=2, keepdim=True) / 2 - rest_THM @ codebook_VM.T + half_norm_V
        best_TH = error_THV.flatten(1).topk(BEAM, largest=False).indices
        parent_TH1, code_TH = best_TH[..., None] // len(codebook_VM), best_TH % len(codebook_VM)
        rest_THM = rest_THM.gather(1, parent_TH1.expand(-1, -1, rest_THM.shape[2])) - codebook_VM[code_TH]
        parents_THK = codes_THK.gather(1, parent_TH1.expand(-1, -1, codes_THK.shape[2]))
        codes_THK = torch.cat([parents_THK, code_TH[..., None]], dim=2)
    return codes_THK[:, 0].T.contiguous()


def read_tables(path: Path) -> Tables:
    """Reads a weights file. Raises as `EmbeddedCodec.load` does."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tables = Tables(**{name: np.asarray(table, np.float32) for name, table in load_file(path).items()})
    except (OSError, SafetensorError, TypeError) as error:
        raise WeightsError(_unreadable(path, error)) from error
    if tables.codebooks_KVM.ndim != 3 or tables.codebooks_KVM.shape[2] != NUM_MELS:
        raise WeightsError(
            f"`{path}` must hold codebooks of {NUM_MELS} mel bands, but holds {list(tables.codebooks_KVM.shape)}."
            " Make them with `python -m pipeline.bench.embedded`."
        )
    return tables


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a weights file.

    Raises:
        WeightsError: if the file is missing or isn't such weights.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(_unreadable(path, error)) from error


def _path(weights: str | Path | None) -> Path:
    return Path(weights).expanduser() if weights else WEIGHTS


def _unreadable(path: Path, error: Exception) -> str:
    return (
        f"`{path}` must be the embedded codec's weights, but can't be read: {str(error).splitlines()[0]}."
        " Install the package again, or make them with `python -m pipeline.bench.embedded`."
    )


def _griffin_lim(magnitude_TF: "Tensor") -> "Tensor":
    """Returns a wave `[T * HOP]` with nearly the given magnitudes. The initial phases are random with a fixed seed."""
    import torch

    frames = _Frames(len(magnitude_TF), magnitude_TF.device)
    generator = torch.Generator().manual_seed(0)
    start_TF = torch.rand(magnitude_TF.shape, generator=generator).to(magnitude_TF.device) * 2 * math.pi
    phase_TF = torch.polar(torch.ones_like(magnitude_TF), start_TF)
    last_TF = torch.zeros_like(phase_TF)
    for _ in range(_GRIFFIN_LIM_STEPS):
        spectrum_TF = frames.spectrum(frames.wave(magnitude_TF * phase_TF))
        phase_TF = torch.sgn(spectrum_TF - _MOMENTUM / (1 + _MOMENTUM) * last_TF)
        last_TF = spectrum_TF
    return frames.wave(magnitude_TF * phase_TF)


class _Frames:
    """The windows of T frames, between a wave of T * HOP samples and its spectrum `[T, F]`."""

    _SIDE = (WINDOW - HOP) // 2

    def __init__(self, count: int, device: "torch.device") -> None:
        import torch

        self._count = count
        self._window_N = torch.hann_window(WINDOW, device=device)

    @cached_property
    def _weight(self) -> "Tensor":
        """The sum of the squares of the windows, for each sample of the wave and of what the ends reach beyond it."""
        return _overlapped(self._window_N.square().expand(self._count, -1)).clamp_min(_TINY)

    def spectrum(self, wave: "Tensor") -> "Tensor":
        """Returns the spectrum of a wave."""
        import torch

        frames_TN = torch.nn.functional.pad(wave, (self._SIDE, self._SIDE)).unfold(0, WINDOW, HOP)
        spectrum_TF: Tensor = torch.fft.rfft(frames_TN * self._window_N)
        return spectrum_TF

    def wave(self, spectrum_TF: "Tensor") -> "Tensor":
        """Returns the wave whose spectrum is nearest to the given one (least squares)."""
        import torch

        frames_TN = torch.fft.irfft(spectrum_TF, WINDOW) * self._window_N
        middle: Tensor = (_overlapped(frames_TN) / self._weight)[self._SIDE : -self._SIDE]
        return middle


def _overlapped(frames_TN: "Tensor") -> "Tensor":
    """Returns the sum of frames that begin HOP samples apart, `[(T - 1) * HOP + WINDOW]`.

    Frames are added a hop's width at a time, several times as fast as `torch.nn.functional.fold`, and on the CPU in its
    order: the sums are the same.
    """
    count = len(frames_TN)
    length = (count - 1) * HOP + WINDOW
    sums = frames_TN.new_zeros(count + (WINDOW - 1) // HOP, HOP)
    for hop, start in enumerate(range(0, WINDOW, HOP)):
        part = frames_TN[:, start : start + HOP]
        sums[hop : hop + count, : part.shape[1]] += part
    return sums.flatten()[:length]


EMBEDDED = CodecRow(
    "embedded",
    "ships with the package and needs no download: 24 kHz, 8 codebooks of 1024 at 75 Hz",
    EmbeddedCodec,
    files=lambda weights, _: [_path(weights)],
    packages=("safetensors",),
    imports=("stages.kernels.aten",),
    licence="MIT",
    lookahead=20,  # measured: in speech, the phases of frames beyond it change samples by less than 1e-4
)
