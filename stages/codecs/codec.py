"""The codec interface, the row of a codec in the table, and the checks that all codecs share.

Axes: K codebooks, T frames, V codebook size, D width of a codebook's vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError, CodecError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
LongCodes = npt.NDArray[np.int64]


class Codec(Protocol):
    """Turns waves into codes and back. Its tensors are on the CPU, whatever the codec's device."""

    @property
    def name(self) -> str:
        """The name of the codec's row."""

    @property
    def sample_rate(self) -> int:
        """Hz of the waves that it encodes; those that it decodes to have it, too, unless it `ChangesRate`."""

    @property
    def frame_rate(self) -> float:
        """Frames per second."""

    @property
    def num_codebooks(self) -> int:
        """K."""

    @property
    def codebook_size(self) -> int:
        """V."""

    @property
    def revision(self) -> str:
        """Short SHA-256 of the weights that turn waves into codes.

        Without weights: 8 or more characters that no other codec uses, changed whenever the codes change.
        """

    def encode(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """Turns waves into codes.

        On the CPU a batch gives exactly the codes of its singles.
        On CUDA they share batches, and rounding depends on a batch's shape; each codec says what that changes. The same
        call always gives the same codes.

        Args:
            waves: Mono, `[samples]`, float in [-1, 1], at `sample_rate`; lengths may differ.

        Returns:
            One `[K, T]` int64 tensor per wave, T = ceil(samples * frame_rate / sample_rate).

        Raises:
            AudioError: if a wave is empty, not mono or not finite.
        """

    def decode(self, codes_KT: "Tensor") -> "Tensor":
        """Turns codes into a wave.

        Args:
            codes_KT: Integers in [0, codebook_size). Fewer codebooks, the first ones, give a rougher wave.

        Returns:
            `[samples]` float32 at `output_rate(codec)`, samples = T * output_rate / frame_rate.

        Raises:
            CodecError: if the codes are not `[K, T]`, have too many codebooks or are out of range.
        """

    def embeddings(self) -> "Tensor":
        """Returns the codebooks' vectors, `[K, V, D]` float32: their sum over K is the quantised frame."""


@runtime_checkable
class Shortens(Protocol):
    """A codec that also works with its first codebooks alone."""

    def keep(self, codebooks: int) -> None:
        """Leaves out all codebooks but the first; at least 1, at most as many as there are."""


@runtime_checkable
class ChangesRate(Protocol):
    """A codec whose `decode` gives waves at another sample rate than `encode` takes."""

    @property
    def output_rate(self) -> int:
        """Hz of decoded waves."""


def output_rate(codec: Codec) -> int:
    """Returns the sample rate of what a codec decodes to, in Hz."""
    return codec.output_rate if isinstance(codec, ChangesRate) else codec.sample_rate


@runtime_checkable
class EncodesArrays(Protocol):
    """A codec that also encodes NumPy's arrays, without importing PyTorch where it can."""

    def encode_arrays(self, waves: Sequence[Floats]) -> list[LongCodes]:
        """As `Codec.encode`, with the same codes."""


def encode_arrays(codec: Codec, waves: Sequence[Floats]) -> list[LongCodes]:
    """Turns waves into codes, as `Codec.encode`, from and to NumPy's arrays. Raises as it does."""
    if isinstance(codec, EncodesArrays):
        return codec.encode_arrays(waves)
    import torch

    return [codes_KT.numpy() for codes_KT in codec.encode([torch.tensor(wave) for wave in waves])]


class CodecKind(Protocol):
    """Identifies and loads a codec; `weights` and `sample_rate` are those of `load_codec`."""

    def identify(self, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the codec's identity without loading the weights."""

    def load(self, weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:
        """Loads the codec."""

    def tables(self, weights: str | Path | None, sample_rate: int | None) -> Floats:
        """Returns the codec's embeddings, `[K, V, D]` float32."""


@dataclass(frozen=True, slots=True)
class CodecRow:
    """A row of the table of codecs."""

    name: str
    summary: str
    """A description in half a line, for help and docs."""
    kind: CodecKind
    files: Callable[[str | None, int | None], list[Path]]
    """Finds the weights from `weights` and `sample_rate`, without a download. Raises `WeightsError` if it can't."""
    packages: tuple[str, ...]
    """The packages that it imports, by their names on PyPI."""
    imports: tuple[str, ...] = ("torch",)
    """The modules that encoding on the CPU imports slowly: local workers share them."""
    way: str = ""
    """The name of a faster way to compute on the CPU than its library's, which may round a few codes to others. It is
    part of the identity of `encode`'s output: change it when the codes change. Empty if there is none; only a
    `NetworkCodec` can have one."""
    half_precision: bool = False
    """Whether the encoder can compute in bfloat16 and float16: only a `NetworkCodec` can."""
    lookahead: int | None = None
    """How many frames after its own a sample depends on: while speech is streamed, so many are held back. None if every
    sample depends on all frames."""
    codebooks: int | None = None
    """How many codebooks, from the first, are used if nobody says it. None: all."""
    licence: str = ""
    """The licence of the published weights; "" if the row doesn't know."""
    repository: str = ""
    """The published weights' repository on the Hugging Face hub; "" if they are elsewhere."""
    digest: str = ""
    """How the SHA-256 of the published weights begins, if that is known: they are known by it wherever they lie."""
    models: Mapping[str, int] = field(default_factory=dict)
    """If several models are published: their names and sample rates in Hz."""


def identity_of(codec: Codec) -> CodecIdentity:
    """Returns the identity that is stored beside a codec's codes."""
    sizes = (codec.sample_rate, codec.frame_rate, codec.num_codebooks, codec.codebook_size)
    decoded = output_rate(codec)
    return CodecIdentity(codec.name, *sizes, codec.revision, decoded if decoded != codec.sample_rate else None)


def check_waves(waves: "Sequence[Tensor]") -> "list[Tensor]":
    """Checks the waves and returns them as float32 on the CPU. Raises as `Codec.encode` does."""
    import torch

    for index, wave in enumerate(waves):
        if wave.ndim != 1 or not wave.numel():
            raise AudioError(f"`waves[{index}]` must be mono `[samples]` and not empty, but is {list(wave.shape)}.")
        if not torch.isfinite(wave).all():
            raise AudioError(f"`waves[{index}]` must hold finite samples, but holds NaN or infinity.")
    return [wave.detach().cpu().float() for wave in waves]


def check_arrays(waves: Sequence[Floats]) -> list[Floats]:
    """As `check_waves`, for arrays."""
    for index, wave in enumerate(waves):
        if wave.ndim != 1 or not wave.size:
            raise AudioError(f"`waves[{index}]` must be mono `[samples]` and not empty, but is {list(wave.shape)}.")
        if not np.isfinite(wave).all():
            raise AudioError(f"`waves[{index}]` must hold finite samples, but holds NaN or infinity.")
    return [np.asarray(wave, np.float32) for wave in waves]


def check_codes(codec: Codec, codes_KT: "Tensor") -> "Tensor":
    """Checks the codes and returns them as int64. Raises as `Codec.decode` does."""
    most, size = codec.num_codebooks, codec.codebook_size
    if codes_KT.ndim != 2 or not 1 <= codes_KT.shape[0] <= most or not codes_KT.shape[1]:
        raise CodecError(
            f"`codes_KT` must be [K, T] with 1 to {most} codebooks for `{codec.name}`, but is {list(codes_KT.shape)}."
        )
    codes_KT = codes_KT.long()
    low, high = int(codes_KT.min()), int(codes_KT.max())
    if low < 0 or high >= size:
        raise CodecError(
            f"`codes_KT` must lie in 0 to {size - 1} for `{codec.name}`, but holds {low if low < 0 else high}."
            " Use the codec that made the codes, and cut stop tokens off."
        )
    return codes_KT
