"""What a codec is: the protocol that each keeps, its row in the table, and the checks that all share.

Axes: K codebooks, T frames, V codebook size, D width of a codebook's vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError, CodecError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]


class Codec(Protocol):
    """Turns waves into codes and back. Tensors are given and returned on the CPU, whatever the device."""

    @property
    def name(self) -> str:
        """The name of the codec's row."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

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
        """Short SHA-256 of the weights that turn waves into codes."""

    def encode(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """Turns waves into codes.

        On the CPU waves are encoded one by one, which is the fastest there, and a batch gives exactly the codes of its
        singles. On CUDA they share batches, and rounding depends on a batch's shape: see each codec for what that
        changes. The same call gives the same codes.

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
            codes_KT: Integers in [0, codebook_size); the first codebooks alone give a rougher wave.

        Returns:
            `[samples]` float32, samples = T * sample_rate / frame_rate.

        Raises:
            CodecError: if the codes are not `[K, T]`, have too many codebooks or are out of range.
        """

    def embeddings(self) -> "Tensor":
        """Returns the codebooks' vectors, `[K, V, D]` float32: their sum over K is the quantised frame."""


class CodecKind(Protocol):
    """How a codec is identified and loaded. `weights` and `sample_rate` as in `load_codec`."""

    def identify(self, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the codec's identity without loading the weights."""

    def load(self, weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:
        """Loads the codec."""

    def tables(self, weights: str | Path | None, sample_rate: int | None) -> Floats:
        """Returns the codec's embeddings, `[K, codebook_size, D]`."""


@dataclass(frozen=True, slots=True)
class CodecRow:
    """A codec of the table: all that the stages, the doctor and the command line ask of it."""

    name: str
    summary: str
    """What it is, in half a line."""
    kind: CodecKind
    files: Callable[[str | None, int | None], list[Path]]
    """Finds the weights on this machine, given `weights` and `sample_rate`; fetches nothing. Raises `WeightsError`."""
    packages: tuple[str, ...]
    """What it imports, as package registries call it."""
    half_precision: bool = True
    """Whether the encoder can compute in bfloat16 and float16."""
    models: Mapping[str, int] = field(default_factory=dict)
    """The published models by name, where there are several, and their sample rates in Hz."""


def identity_of(codec: Codec) -> CodecIdentity:
    """Returns what is stored beside the codes that `codec` makes."""
    sizes = (codec.sample_rate, codec.frame_rate, codec.num_codebooks, codec.codebook_size)
    return CodecIdentity(codec.name, *sizes, codec.revision)


def check_waves(waves: "Sequence[Tensor]") -> "list[Tensor]":
    """Returns the waves as float32; raises as `Codec.encode` does."""
    import torch

    for index, wave in enumerate(waves):
        if wave.ndim != 1 or not wave.numel():
            raise AudioError(f"`waves[{index}]` must be mono `[samples]` and not empty, but is {list(wave.shape)}.")
        if not torch.isfinite(wave).all():
            raise AudioError(f"`waves[{index}]` must hold finite samples, but holds NaN or infinity.")
    return [wave.detach().cpu().float() for wave in waves]


def check_codes(codec: Codec, codes_KT: "Tensor") -> "Tensor":
    """Returns the codes as int64; raises as `Codec.decode` does."""
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
