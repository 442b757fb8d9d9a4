"""EnCodec at 24 kHz: 8 codebooks of 1024 at 75 frames a second."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stages.codecs.codec import CodecRow, Floats
from stages.codecs.network import Batch, NetworkCodec, causal_batches
from stages.codecs.weights import (
    downloading,
    load_state,
    named_weights,
    no_deprecations,
    read_state,
    revision_of,
    single_file,
    torch_hub,
)
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class EncodecCodec(NetworkCodec):
    """EnCodec, the causal 24 kHz model at 6 kbps: 8 codebooks of 1024 at 75 Hz.

    On the CPU the codes are exactly the library's, or nearly, and found twice as fast, if `quick`. The model is causal,
    so on CUDA waves of similar lengths share a batch. They are padded with zeros, which may change a wave's last frame;
    the other waves of a batch change nothing.

    Source: High Fidelity Neural Audio Compression, section 3, https://arxiv.org/abs/2210.13438.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity. All of it but the revision is fixed."""
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

    @cached_property
    def _quick_encoder(self) -> "Callable[[Sequence[Tensor]], list[Floats]]":
        from stages.kernels.seanet import EncodecEncoder

        return EncodecEncoder(self._model.encoder)

    @cached_property
    def _quick_codebooks(self) -> "Callable[[Floats], Tensor]":
        from stages.kernels.seanet import Codebooks

        return Codebooks(self.embeddings())

    @cached_property
    def _quick_decoder(self) -> "Callable[[Floats], Tensor]":
        from stages.kernels.seanet import EncodecDecoder

        return EncodecDecoder(self._model.decoder)

    def _quick_codes(self, waves: "Sequence[Tensor]") -> "list[Tensor]":
        return [self._quick_codebooks(latent_TD) for latent_TD in self._quick_encoder(waves)]

    def _quick_wave(self, codes_KT: "Tensor") -> "Tensor":
        latent_1DT = self._model.quantizer.decode(codes_KT[:, None])
        return self._quick_decoder(latent_1DT[0].T.contiguous().numpy())

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return causal_batches(frames)

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        model = self._model
        codes_KBT = model.quantizer.encode(self._latent(wave_B1L), model.frame_rate, model.bandwidth)
        return codes_KBT.transpose(0, 1)  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode([(codes_KT[None], None)])  # type: ignore[no-any-return]


ENCODEC_FILE = "encodec_24khz-d7cc33bc.th"


def find_encodec(weights: str | Path | None, *, download: bool = True) -> Path:
    """Returns the path of EnCodec's state dict.

    Args:
        weights: As in `load_codec`; also a folder with one `.th` file.
        download: Whether to download the file if it isn't on this machine.

    Raises:
        WeightsError: if there is no such file and it can't be downloaded.
    """
    given = named_weights(weights, "VALLE_ENCODEC_WEIGHTS")
    if given:
        return single_file(given, "*.th", "encodec")
    cached = torch_hub() / "checkpoints" / ENCODEC_FILE
    if not cached.is_file():
        url = f"https://dl.fbaipublicfiles.com/encodec/v0/{ENCODEC_FILE}"
        with downloading("encodec", "VALLE_ENCODEC_WEIGHTS", cached, url, download), no_deprecations():
            from encodec import EncodecModel

            EncodecModel.encodec_model_24khz(pretrained=True)
    return cached


def encodec_model(path: Path) -> "torch.nn.Module":
    """Loads EnCodec's 24 kHz model, set to 6 kbps.

    Raises:
        WeightsError: if the file holds anything else.
    """
    state = read_state(path)
    with no_deprecations():
        from encodec import EncodecModel

        model: torch.nn.Module = EncodecModel.encodec_model_24khz(pretrained=False)
    load_state(model, state, path)
    model.set_target_bandwidth(6.0)  # type: ignore[operator]
    return model


ENCODEC = CodecRow(
    "encodec",
    "24 kHz, 8 codebooks of 1024 at 75 Hz",
    EncodecCodec,
    files=lambda weights, _: [find_encodec(weights, download=False)],
    packages=("encodec", "torchaudio"),
    way="toom-1",
    half_precision=True,
    licence="CC BY-NC 4.0",
    digest="d7cc33bc",
    lookahead=0,  # causal
)
