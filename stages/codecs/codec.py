"""What a neural audio codec is: the protocol that every row of `stages.codecs.table.CODECS` keeps, and its checks.

Axes: K codebooks, T frames, V codebook size, D width of a codebook's vectors.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stages.errors import AudioError, CodecError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor


class Codec(Protocol):
    """Turns waves into codes and back. Tensors are given and returned on the CPU, whatever the device."""

    @property
    def name(self) -> str:
        """The codec's row in `CODECS`."""

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
