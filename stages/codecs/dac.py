"""The Descript Audio Codec at 44.1, 24 or 16 kHz."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stages.codecs.codec import CodecRow
from stages.codecs.network import Batch, NetworkCodec, equal_batches
from stages.codecs.weights import (
    downloading,
    load_state,
    named_weights,
    no_deprecations,
    read_state,
    revision_of,
    single_file,
)
from stages.errors import UsageError, WeightsError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class DacCodec(NetworkCodec):
    """Descript Audio Codec of any size; the published 44.1 kHz model has 9 codebooks of 1024 at 86 Hz.

    Waves are padded with zeros to whole frames; their loudness isn't changed. On the CPU the codes are exactly the
    library's, or nearly, and found three times as fast, if `quick`. The model looks ahead, so on CUDA only waves with
    equally many frames share a batch; the batch's size may flip a few codes.

    Source: High-Fidelity Audio Compression with Improved RVQGAN, section 3, https://arxiv.org/abs/2306.06546.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the identity; its sizes are read from the file without loading the tensors."""
        path = find_dac(weights, sample_rate)
        sizes = dac_sizes(path)
        rate, hop = sizes["sample_rate"], math.prod(sizes["encoder_rates"])
        return CodecIdentity("dac", rate, rate / hop, sizes["n_codebooks"], sizes["codebook_size"], revision_of(path))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model; see `dac_model`."""
        model = dac_model(find_dac(weights, sample_rate))
        return cls(model, cls.identify(weights, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the width of the decoder's input (1024 in the published models)."""
        import torch

        with torch.no_grad():
            layers = self._model.quantizer.quantizers[: self.num_codebooks]
            tables = [layer.out_proj(layer.codebook.weight.T[None])[0].T for layer in layers]
        return torch.stack(tables).float().cpu()

    @cached_property
    def _quick_encoder(self) -> "Callable[[Tensor], Tensor]":
        from stages.kernels.dac import DacEncoder

        return DacEncoder(self._model.encoder)

    @cached_property
    def _quick_decoder(self) -> "Callable[[Tensor], Tensor]":
        from stages.kernels.dac import DacDecoder

        return DacDecoder(self._model.decoder)

    def _quick_codes(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        found = []
        for wave in waves:
            whole_L = self._model.preprocess(wave, self.sample_rate)
            _, codes_1KT, *_ = self._model.quantizer(self._quick_encoder(whole_L))
            found.append(codes_1KT[0])
        return found

    def _quick_wave(self, codes_KT: "Tensor") -> "Tensor":
        latent_1DT, _, _ = self._model.quantizer.from_codes(codes_KT[None])
        return self._quick_decoder(latent_1DT)

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return equal_batches(frames)

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        whole_B1L = self._model.preprocess(wave_B1L, self.sample_rate)
        _, codes_BKT, *_ = self._model.quantizer(self._latent(whole_B1L))
        return codes_BKT  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        latent_1DT, _, _ = self._model.quantizer.from_codes(codes_KT[None])
        return self._model.decode(latent_1DT)  # type: ignore[no-any-return]


DAC_RELEASES = {
    44_100: ("0.0.1", "weights.pth"),
    24_000: ("0.0.4", "weights_24khz.pth"),
    16_000: ("0.0.5", "weights_16khz.pth"),
}
"""Release and file name of the weights by sample rate in Hz."""
_DAC_SIZES = ("encoder_rates", "n_codebooks", "codebook_size", "sample_rate")
_DAC_WIDTHS = ("encoder_dim", "latent_dim", "decoder_dim", "decoder_rates", "codebook_dim")


def find_dac(weights: str | Path | None, sample_rate: int | None, *, download: bool = True) -> Path:
    """Returns the path of weights that `DAC.save(path, package=False)` wrote.

    Args:
        weights: As in `load_codec`.
        sample_rate: Hz; chooses the published model, 44100 by default.
        download: Whether to download the file if it isn't on this machine.

    Raises:
        WeightsError: if there is no such file and it can't be downloaded.
        UsageError: if no model is published at that rate.
    """
    given = named_weights(weights, "VALLE_DAC_WEIGHTS")
    if given:
        return single_file(given, "*.pth", "dac")
    rate = sample_rate or 44_100
    if rate not in DAC_RELEASES:
        rates = ", ".join(str(rate) for rate in DAC_RELEASES)
        raise UsageError(f"`dac` must run at one of {rates} Hz, but {rate} Hz was requested.")
    release, file = DAC_RELEASES[rate]
    model = f"{rate // 1000}khz"
    cached = Path.home() / ".cache" / "descript" / "dac" / f"weights_{model}_8kbps_{release}.pth"
    if not cached.is_file():
        url = f"https://github.com/descriptinc/descript-audio-codec/releases/download/{release}/{file}"
        with downloading("dac", "VALLE_DAC_WEIGHTS", cached, url, download), no_deprecations():
            from dac.utils import download as fetch

            fetch(model_type=model)
    return cached


def dac_sizes(path: Path) -> dict[str, Any]:
    """Reads the arguments of `dac.DAC` from a weights file without loading its tensors."""
    try:
        sizes = read_state(path, tensors=False)["metadata"]["kwargs"]
        widths = {name: sizes[name] for name in _DAC_WIDTHS if name in sizes}
        return {name: sizes[name] for name in _DAC_SIZES} | widths
    except (KeyError, TypeError) as error:
        raise WeightsError(
            f"`{path}` must be weights of `dac` with the model's sizes, but has no {error}."
            " Save them with `DAC.save(path, package=False)`."
        ) from error


def dac_model(path: Path) -> "torch.nn.Module":
    """Loads a model as `DAC.load` does, but a missing tensor is an error, and no pickled code is run."""
    with no_deprecations():
        from dac import DAC

        model: torch.nn.Module = DAC(**dac_sizes(path))
    load_state(model, read_state(path)["state_dict"], path)
    return model


DAC = CodecRow(
    "dac",
    "44.1, 24 or 16 kHz, 9 to 32 codebooks of 1024",
    DacCodec,
    files=lambda weights, sample_rate: [find_dac(weights, sample_rate, download=False)],
    packages=("descript-audio-codec", "torchaudio"),
    way="toom-1",
    half_precision=True,
    licence="MIT",
    lookahead=10,  # the convolutions of all blocks together reach less than 10 frames
    models={"44khz": 44_100, "24khz": 24_000, "16khz": 16_000},
)
