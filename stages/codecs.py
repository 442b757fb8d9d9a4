"""Neural audio codecs: the protocol and the table.

To add a codec: write a class with `identify` and `load` beside the methods of `Codec`, and give it a row in `CODECS`.

Axes: B batch, K codebooks, T frames, L samples, V codebook size, D width of a codebook's vectors.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from stages.errors import AudioError, CodecError, UsageError
from stages.records import CodecIdentity
from stages.weights import (
    dac_model,
    dac_sizes,
    encodec_model,
    find_dac,
    find_encodec,
    find_vocos,
    revision_of,
    vocos_model,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_BATCH_FRAMES = 240 * 75
"""Most frames, padding included, that EnCodec takes at once on CUDA."""


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
        singles. On CUDA they share batches, whose rounding depends on their shapes: the same batch gives the same
        codes, another one may flip a few between vectors that are equally near.

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


def load_codec(
    name: str, weights: str | Path | None = None, device: str = "cpu", *, sample_rate: int | None = None
) -> Codec:
    """Loads a codec.

    Args:
        name: A row of `CODECS`.
        weights: A file or folder. Without it: the environment variable (`VALLE_ENCODEC_WEIGHTS`,
            `VALLE_VOCOS_WEIGHTS`, `VALLE_DAC_WEIGHTS`), the cache of the codec's library, its download.
            `encodec`: the state dict of the 24 kHz model, `encodec_24khz-d7cc33bc.th`. `vocos`: a folder with
            `config.yaml`, `pytorch_model.bin` and EnCodec's `.th` file; without the latter, that is looked for as for
            `encodec`. `dac`: a file that `DAC.save(path, package=False)` wrote; the model's sizes are in it.
        device: `cpu`, `cuda` or `cuda:N`.
        sample_rate: Hz; which published model to fetch where there are several (`dac`: 44100, which is the default,
            24000 or 16000). Not used where `weights` are given.

    Raises:
        UsageError: if there is no such codec, sample rate or device.
        WeightsError: if the weights are missing or don't fit; the line names every way to get them.
    """
    row = _row(name)
    _check_device(device)
    return row.load(weights, device, sample_rate)


def codec_identity(name: str, weights: str | Path | None = None, *, sample_rate: int | None = None) -> CodecIdentity:
    """Returns the identity of what `load_codec` would load, without loading its weights; arguments as there."""
    return _row(name).identify(weights, sample_rate)


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


class _Network(ABC):
    """What the codecs that are torch modules share."""

    def __init__(self, model: "torch.nn.Module", identity: CodecIdentity, device: str) -> None:
        import torch

        self.name = identity.name
        self.sample_rate = identity.sample_rate
        self.frame_rate = identity.frame_rate
        self.num_codebooks = identity.num_codebooks
        self.codebook_size = identity.codebook_size
        self.revision = identity.revision
        self._hop = round(identity.sample_rate / identity.frame_rate)
        self._device = torch.device(device)
        self._batched = self._device.type != "cpu"
        self._model: Any = model.to(self._device).eval()

    def encode(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        """As `Codec.encode`."""
        import torch

        waves = check_waves(waves)
        frames = [self._frames(wave) for wave in waves]
        codes: dict[int, Tensor] = {}
        with torch.no_grad():
            for batch in self._batches(frames) if self._batched else [[index] for index in range(len(waves))]:
                codes.update(zip(batch, self._encode([waves[index] for index in batch]), strict=True))
        return [codes[index] for index in range(len(waves))]

    def _frames(self, wave: "Tensor") -> int:
        return -(-len(wave) // self._hop)

    def _encode(self, waves: "list[Tensor]") -> "list[Tensor]":
        """Encodes one batch, padded with zeros to whole frames; where there are no batches, the wave as it is."""
        import torch

        samples = max(self._frames(wave) for wave in waves) * self._hop if self._batched else len(waves[0])
        wave_B1L = torch.zeros(len(waves), 1, samples)
        for row_1L, wave in zip(wave_B1L, waves, strict=True):
            row_1L[0, : len(wave)] = wave
        codes_BKT = self._codes(wave_B1L.to(self._device)).cpu()
        return [codes_KT[:, : self._frames(wave)] for codes_KT, wave in zip(codes_BKT, waves, strict=True)]

    def decode(self, codes_KT: "Tensor") -> "Tensor":
        """As `Codec.decode`."""
        import torch

        codes_KT = check_codes(self, codes_KT).to(self._device)
        with torch.no_grad():
            wave = self._wave(codes_KT).flatten().float().cpu()
        samples = codes_KT.shape[1] * self._hop
        return torch.nn.functional.pad(wave, (0, max(0, samples - len(wave))))[:samples]

    @abstractmethod
    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`."""

    @abstractmethod
    def _batches(self, frames: list[int]) -> list[list[int]]:
        """Returns which waves, by their numbers of frames, are encoded together."""

    @abstractmethod
    def _codes(self, wave_B1L: "Tensor") -> "Tensor": ...
    @abstractmethod
    def _wave(self, codes_KT: "Tensor") -> "Tensor": ...


class EncodecCodec(_Network):
    """EnCodec, the causal 24 kHz model at 6 kbps: 8 codebooks of 1024 at 75 Hz.

    On the CPU the codes are exactly the library's. On CUDA waves of any length share a batch, as the model is causal;
    padding with zeros to whole frames may then change the last frame of a wave.

    Source: High Fidelity Neural Audio Compression, section 3, https://arxiv.org/abs/2210.13438.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity: all but the revision is fixed."""
        return CodecIdentity("encodec", 24_000, 75.0, 8, 1024, revision_of(find_encodec(weights)))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model from its state dict."""
        return cls(encodec_model(find_encodec(weights)), cls.identify(weights, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D = 128."""
        import torch

        layers = self._model.quantizer.vq.layers[: self.num_codebooks]
        return torch.stack([layer.codebook for layer in layers]).detach().float().cpu()

    def _batches(self, frames: list[int]) -> list[list[int]]:
        """Returns waves of similar lengths together, in batches that fit into memory."""
        batches: list[list[int]] = []
        for index in sorted(range(len(frames)), key=lambda index: (frames[index], index)):
            if batches and (len(batches[-1]) + 1) * frames[index] <= _BATCH_FRAMES:
                batches[-1].append(index)
            else:
                batches.append([index])
        return batches

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        [(codes_BKT, _scale)] = self._model.encode(wave_B1L)
        return codes_BKT  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode([(codes_KT[None], None)])  # type: ignore[no-any-return]


class VocosCodec(EncodecCodec):
    """EnCodec's codes with Vocos as the decoder, which sounds cleaner than EnCodec's own.

    Source: Vocos, section 4.4, https://arxiv.org/abs/2306.00814.
    """

    _vocos: Any

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the identity of EnCodec's codes, under the name that decodes them with Vocos."""
        _, encodec = find_vocos(weights)
        return replace(EncodecCodec.identify(encodec, sample_rate), name="vocos")

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads EnCodec's model from its state dict, and Vocos' from its configuration and state dict."""
        folder, encodec = find_vocos(weights)
        codec = cls(encodec_model(encodec), cls.identify(weights, sample_rate), device)
        codec._vocos = vocos_model(folder, codec.num_codebooks * codec.codebook_size).to(codec._device)
        return codec

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        import torch

        num_codebooks = len(codes_KT)
        first_K1 = torch.arange(num_codebooks, device=self._device)[:, None] * self.codebook_size
        features_1DT = self._vocos.codebooks_VD[codes_KT + first_K1].sum(dim=0).T[None]
        kbps = num_codebooks * math.log2(self.codebook_size) * self.frame_rate / 1000
        _, bandwidth = min((value, index) for index, value in enumerate(self._vocos.bandwidths) if value >= kbps)
        hidden_1TD = self._vocos.backbone(features_1DT, bandwidth_id=torch.tensor([bandwidth], device=self._device))
        return self._vocos.head(hidden_1TD)  # type: ignore[no-any-return]


class DacCodec(_Network):
    """Descript Audio Codec of any size; the published 44.1 kHz model has 9 codebooks of 1024 at 86 Hz.

    On the CPU the codes are exactly the library's: waves padded with zeros to whole frames, loudness left as it is. The
    model looks ahead, so on CUDA only waves of equally many frames share a batch.

    Source: High-Fidelity Audio Compression with Improved RVQGAN, section 3, https://arxiv.org/abs/2306.06546.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the identity, with the sizes that the file holds beside its tensors."""
        path = find_dac(weights, sample_rate)
        sizes = dac_sizes(path)
        rate, hop = sizes["sample_rate"], math.prod(sizes["encoder_rates"])
        return CodecIdentity("dac", rate, rate / hop, sizes["n_codebooks"], sizes["codebook_size"], revision_of(path))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads what `DAC.load` loads, but a missing tensor is an error and no pickled code is run."""
        model = dac_model(find_dac(weights, sample_rate))
        return cls(model, cls.identify(weights, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the width of the decoder's input (1024 in the published models)."""
        import torch

        with torch.no_grad():
            tables = [layer.out_proj(layer.codebook.weight.T[None])[0].T for layer in self._model.quantizer.quantizers]
        return torch.stack(tables).float().cpu()

    def _batches(self, frames: list[int]) -> list[list[int]]:
        batches: dict[int, list[int]] = defaultdict(list)
        for index, count in enumerate(frames):
            batches[count].append(index)
        return list(batches.values())

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        _, codes_BKT, *_ = self._model.encode(self._model.preprocess(wave_B1L, self.sample_rate))
        return codes_BKT  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        latent_1DT, _, _ = self._model.quantizer.from_codes(codes_KT[None])
        return self._model.decode(latent_1DT)  # type: ignore[no-any-return]


class _Embedded:
    """The row of the codec that ships with the package."""

    @staticmethod
    def identify(weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG004
        """Returns the identity, with the sizes that the head of the file holds."""
        from stages.embedded import EmbeddedCodec

        return EmbeddedCodec.identify(Path(weights) if weights else None)

    @staticmethod
    def load(weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:  # noqa: ARG004
        """Loads the packaged weights, or others of the same kind."""
        from stages.embedded import EmbeddedCodec

        return EmbeddedCodec.load(Path(weights) if weights else None, device)


class _Row(Protocol):
    """What the table holds: how to identify and to load a codec. Arguments as in `load_codec`."""

    def identify(self, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the codec's identity without loading the weights."""

    def load(self, weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:
        """Loads the codec."""


CODECS: dict[str, _Row] = {"encodec": EncodecCodec, "vocos": VocosCodec, "dac": DacCodec, "embedded": _Embedded}
"""The codecs by name."""


def _row(name: str) -> _Row:
    if name not in CODECS:
        raise UsageError(f"`{name}` must be one of the codecs {', '.join(CODECS)}.")
    return CODECS[name]


def _check_device(device: str) -> None:
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"`{device}` must be a device: `cpu`, `cuda` or `cuda:N`.") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"`{device}` needs a CUDA device and a CUDA build of torch, but there is none. Use `cpu`.")
