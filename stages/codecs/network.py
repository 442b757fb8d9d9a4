"""The base of codecs that are torch modules: batches, precision, and padding to whole frames.

Axes: B batch, K codebooks, T frames, L samples.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from stages.codecs.codec import check_codes, check_waves
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Precision = Literal["float32", "bfloat16", "float16"]

_BATCH_FRAMES = 240 * 75
"""Most frames in a batch, padding included."""
_BATCH_ROWS = 32
"""Most waves in a batch of similar lengths."""
_STEPS = 4
"""Padded lengths per power of two. Padding adds an eighth on average and a quarter at most."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Waves that are encoded together."""

    waves: list[int]
    """Indices into the given list."""
    rows: int
    """B. Rows without a wave are silent."""
    frames: int
    """Frames that every row is padded to."""


def causal_batches(frames: Sequence[int], *, most: int = _BATCH_FRAMES) -> list[Batch]:
    """Forms batches for a causal network, which silence after a wave doesn't disturb.

    Rounding depends on a batch's shape. So the shape depends only on a wave's own length: that is rounded up to one of
    a few lengths, each with a fixed number of rows. The rest is filled with silence.

    Args:
        frames: The number of frames of each wave, at least 1.
        most: Most frames in a batch, unless one wave has more.
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for index, count in enumerate(frames):
        alike[_rounded_up(count)].append(index)
    batches = []
    for length, waves in sorted(alike.items()):
        rows = max(1, min(_BATCH_ROWS, most // length))
        batches += [Batch(waves[at : at + rows], rows, length) for at in range(0, len(waves), rows)]
    return batches


def equal_batches(frames: Sequence[int], *, most: int = _BATCH_FRAMES) -> list[Batch]:
    """Forms batches of equal lengths for a network that looks ahead, which silence after a wave would disturb.

    Args:
        frames: The number of frames of each wave, at least 1.
        most: Most frames in a batch, unless one wave has more.
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for index, count in enumerate(frames):
        alike[count].append(index)
    batches = []
    for length, waves in sorted(alike.items()):
        rows = max(1, most // length)
        parts = [waves[at : at + rows] for at in range(0, len(waves), rows)]
        batches += [Batch(part, len(part), length) for part in parts]
    return batches


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a long wave that is encoded by itself, in frames."""

    start: int
    """The first frame that is kept."""
    end: int
    """The frame after the last one that is kept."""
    first: int
    """The first frame that is encoded."""
    last: int
    """The frame after the last one that is encoded."""


def windows(frames: int, *, core: int, context: int) -> list[Window]:
    """Divides a long wave for a network whose memory grows with the square of a wave's length.

    Args:
        frames: The number of frames of the wave.
        core: Frames that are kept of each window.
        context: Frames that are encoded on either side of them, and not kept.

    Returns:
        The windows in order; a single one up to `core + 2 * context` frames.
    """
    if frames <= core + 2 * context:
        return [Window(0, frames, 0, frames)]
    starts = range(0, frames, core)
    ends = [min(start + core, frames) for start in starts]
    return [
        Window(start, end, max(0, start - context), min(frames, end + context))
        for start, end in zip(starts, ends, strict=True)
    ]


def _rounded_up(frames: int) -> int:
    """Rounds up to the next padded length."""
    step = max(1, (1 << (frames - 1).bit_length()) // (2 * _STEPS))
    return -(-frames // step) * step


class NetworkCodec(ABC):
    """Base of codecs that are torch modules: implements `Codec` on top of the abstract methods."""

    precision: Precision = "float32"
    """Precision of the encoder. The search in the codebooks is always in float32."""
    quick: bool = False
    """Whether it computes by `_quick_codes` and `_quick_wave`: on the CPU in float32, by the codec's `CodecRow.way`."""

    @classmethod
    @abstractmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the codec."""

    @classmethod
    def tables(cls, weights: str | Path | None, sample_rate: int | None) -> npt.NDArray[np.float32]:
        """Loads the codec and returns its embeddings, `[K, V, D]`."""
        found: npt.NDArray[np.float32] = cls.load(weights, "cpu", sample_rate).embeddings().numpy()
        return found

    def __init__(self, model: "torch.nn.Module", identity: CodecIdentity, device: str) -> None:
        import torch

        self.name = identity.name
        self.sample_rate = identity.sample_rate
        self.output_rate = identity.decoded_rate or identity.sample_rate
        self.frame_rate = identity.frame_rate
        self.num_codebooks = identity.num_codebooks
        self.codebook_size = identity.codebook_size
        self.revision = identity.revision
        self._hop = round(identity.sample_rate / identity.frame_rate)
        self._hop_out = round(self.output_rate / identity.frame_rate)
        self._device = torch.device(device)
        self._batched = self._device.type != "cpu"
        self._model: Any = _folded(model).to(self._device).eval()

    def encode(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """As `Codec.encode`."""
        import torch

        waves = check_waves(waves)
        codes: dict[int, Tensor] = {}
        with torch.no_grad(), _repeatable():
            if self._batched:
                for batch in self._batches([self._frames(wave) for wave in waves]):
                    codes.update(zip(batch.waves, self._encode_batch(waves, batch), strict=True))
            elif self.quick:
                codes = dict(enumerate(self._quick_codes(waves)))
            else:
                codes = {index: self._codes(wave[None, None])[0] for index, wave in enumerate(waves)}
        return [codes[index][: self.num_codebooks] for index in range(len(waves))]

    def keep(self, codebooks: int) -> None:
        """As `Shortens.keep`; each codebook codes what those before it left, so the first codes stay the same."""
        self.num_codebooks = codebooks

    def _frames(self, wave: "Tensor") -> int:
        return -(-len(wave) // self._hop)

    def _encode_batch(self, waves: "Sequence[Tensor]", batch: Batch) -> "list[Tensor]":
        import torch

        chosen = [waves[index] for index in batch.waves]
        wave_B1L = torch.zeros(batch.rows, 1, batch.frames * self._hop)
        for row_1L, wave in zip(wave_B1L, chosen, strict=False):
            row_1L[0, : len(wave)] = wave
        codes_BKT = self._codes(wave_B1L.to(self._device)).cpu()
        return [codes_KT[:, : self._frames(wave)] for codes_KT, wave in zip(codes_BKT, chosen, strict=False)]

    def _latent(self, wave_B1L: "Tensor") -> "Tensor":
        """Returns the encoder's output, float32."""
        import torch

        half = self.precision != "float32"
        with torch.autocast(self._device.type, getattr(torch, self.precision) if half else None, enabled=half):
            latent: Tensor = self._model.encoder(wave_B1L)
        return latent.float()

    def decode(self, codes_KT: "Tensor") -> "Tensor":
        """As `Codec.decode`."""
        import torch

        codes_KT = check_codes(self, codes_KT).to(self._device)
        with torch.no_grad():
            wave = (self._quick_wave if self.quick else self._wave)(codes_KT).flatten().float().cpu()
        samples = codes_KT.shape[1] * self._hop_out
        return torch.nn.functional.pad(wave, (0, max(0, samples - len(wave))))[:samples]

    @abstractmethod
    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`."""

    @abstractmethod
    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        """Forms batches of waves, given their numbers of frames."""

    @abstractmethod
    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        """Encodes a batch of waves to codes, `[B, K, T]`."""

    @abstractmethod
    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        """Decodes codes to a wave of any shape; `decode` pads or cuts it to T frames."""

    def _quick_codes(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """Encodes waves, `[samples]`, on the CPU, faster than `_codes` and with nearly its codes.

        A wave's codes must not depend on the others.
        """
        raise NotImplementedError

    def _quick_wave(self, codes_KT: "Tensor") -> "Tensor":
        """Decodes as `_wave` on the CPU, up to rounding; by default by `_wave` itself."""
        return self._wave(codes_KT)


def _folded(model: "torch.nn.Module") -> "torch.nn.Module":
    """Applies weight normalisation once instead of at every call. The results are bit-identical."""
    from torch.nn.utils import remove_weight_norm
    from torch.nn.utils.weight_norm import WeightNorm

    for module in model.modules():
        if any(isinstance(hook, WeightNorm) for hook in module._forward_pre_hooks.values()):
            remove_weight_norm(module)
    return model


@contextmanager
def _repeatable() -> Iterator[None]:
    """Makes cuDNN deterministic, and keeps it from computing float32 in TF32."""
    import torch

    with torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield
