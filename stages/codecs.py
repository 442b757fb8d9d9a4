"""Neural audio codecs: the protocol and the table.

To add a codec: write a class with `identify`, `load` and `tables` (which `NetworkCodec` has) beside the methods of
`Codec`, and give it a row in `CODECS`.

Axes: B batch, K codebooks, T frames, L samples, V codebook size, D width of a codebook's vectors.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from stages.codec import Codec, identity_of
from stages.errors import UsageError
from stages.machine import on_gpu
from stages.network_codec import Batch, NetworkCodec, Precision, causal_batches, equal_batches
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
    from torch import Tensor

__all__ = ["CODECS", "Codec", "codec_embeddings", "codec_identity", "identity_of", "load_codec"]

Floats = npt.NDArray[np.float32]

_BFLOAT16_FROM = 8, 0
"""The compute capability from which CUDA devices convolve in bfloat16 (Ampere)."""


def load_codec(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    sample_rate: int | None = None,
    precision: Precision = "float32",
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
        precision: In what the encoder computes: half of it is faster on CUDA and flips some codes.

    Raises:
        UsageError: if there is no such codec, sample rate or device, or if it can't compute in this precision.
        WeightsError: if the weights are missing or don't fit; the line names every way to get them.
    """
    row = _row(name)
    _check_device(device)
    _check_precision(precision, device)
    codec = row.load(weights, device, sample_rate)
    if precision == "float32":
        return codec
    if not isinstance(codec, NetworkCodec):
        raise UsageError(f"`{name}` must compute in float32, but {precision} is asked for.")
    codec.precision = precision
    return codec


def codec_identity(name: str, weights: str | Path | None = None, *, sample_rate: int | None = None) -> CodecIdentity:
    """Returns the identity of what `load_codec` would load, without loading its weights; arguments as there."""
    return _row(name).identify(weights, sample_rate)


def codec_embeddings(name: str, weights: str | Path | None = None, *, sample_rate: int | None = None) -> Floats:
    """Returns the embeddings of what `load_codec` would load, `[K, codebook_size, D]`; arguments and errors as there.

    Those of `embedded` are read without PyTorch, which a client that only hands out the work has no other need of.
    """
    return _row(name).tables(weights, sample_rate)


class EncodecCodec(NetworkCodec):
    """EnCodec, the causal 24 kHz model at 6 kbps: 8 codebooks of 1024 at 75 Hz.

    On the CPU the codes are exactly the library's. On CUDA waves of nearby lengths share a batch, as the model is
    causal; padding with zeros to whole frames may then change the last frame of a wave. What else is in the batch
    changes nothing.

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

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return causal_batches(frames)

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        model = self._model
        codes_KBT = model.quantizer.encode(self._latent(wave_B1L), model.frame_rate, model.bandwidth)
        return codes_KBT.transpose(0, 1)  # type: ignore[no-any-return]

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


class DacCodec(NetworkCodec):
    """Descript Audio Codec of any size; the published 44.1 kHz model has 9 codebooks of 1024 at 86 Hz.

    On the CPU the codes are exactly the library's: waves padded with zeros to whole frames, loudness left as it is. The
    model looks ahead, so on CUDA only waves of equally many frames share a batch, whose size may flip a few codes.

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

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return equal_batches(frames)

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        whole_B1L = self._model.preprocess(wave_B1L, self.sample_rate)
        _, codes_BKT, *_ = self._model.quantizer(self._latent(whole_B1L))
        return codes_BKT  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        latent_1DT, _, _ = self._model.quantizer.from_codes(codes_KT[None])
        return self._model.decode(latent_1DT)  # type: ignore[no-any-return]


def _path(weights: str | Path | None) -> Path | None:
    return Path(weights).expanduser() if weights else None


class _Embedded:
    """The codec that ships with the package: 24 kHz, 8 codebooks of 1024 at 75 Hz, no download."""

    @staticmethod
    def identify(weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG004
        """Returns the identity, with the sizes that the head of the file holds."""
        from stages.embedded import EmbeddedCodec

        return EmbeddedCodec.identify(_path(weights))

    @staticmethod
    def load(weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:  # noqa: ARG004
        """Loads the packaged weights, or others of the same kind."""
        from stages.embedded import EmbeddedCodec

        return EmbeddedCodec.load(_path(weights), device)

    @staticmethod
    def tables(weights: str | Path | None, sample_rate: int | None) -> Floats:  # noqa: ARG004
        """Returns the embeddings of the packaged weights, or of others of the same kind."""
        from stages.embedded import EmbeddedCodec

        return EmbeddedCodec.tables(_path(weights))


class _Row(Protocol):
    """What the table holds: how to identify and to load a codec or its embeddings. Arguments as in `load_codec`."""

    def identify(self, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the codec's identity without loading the weights."""

    def load(self, weights: str | Path | None, device: str, sample_rate: int | None) -> Codec:
        """Loads the codec."""

    def tables(self, weights: str | Path | None, sample_rate: int | None) -> Floats:
        """Returns the codec's embeddings."""


CODECS: dict[str, _Row] = {"encodec": EncodecCodec, "vocos": VocosCodec, "dac": DacCodec, "embedded": _Embedded}
"""The codecs by name."""


def _row(name: str) -> _Row:
    if name not in CODECS:
        raise UsageError(f"`{name}` must be one of the codecs {', '.join(CODECS)}.")
    return CODECS[name]


def _check_device(device: str) -> None:
    import torch

    if on_gpu(device) and not torch.cuda.is_available():
        raise UsageError(f"`{device}` needs a CUDA device and a CUDA build of torch, but there is none. Use `cpu`.")


def _check_precision(precision: Precision, device: str) -> None:
    import torch

    if precision != "bfloat16" or torch.device(device).type != "cuda":
        return
    capability = torch.cuda.get_device_capability(device)
    if capability < _BFLOAT16_FROM:
        raise UsageError(
            f"`encode.precision` must be float16 or float32 on `{device}`, which doesn't multiply in bfloat16 (compute"
            f" capability {capability[0]}.{capability[1]}; it takes {_BFLOAT16_FROM[0]}.{_BFLOAT16_FROM[1]}), but is"
            " bfloat16."
        )
