"""Mimi: up to 32 codebooks of 2048 at 12.5 frames a second, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stages.codecs.codec import CodecRow
from stages.codecs.network import Batch, NetworkCodec, causal_batches
from stages.codecs.pretrained import FILES, Pretrained
from stages.codecs.weights import revision_of
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor

_BATCH_S = 240
"""Most seconds of audio in a batch, padding included."""


class MimiCodec(NetworkCodec):
    """Mimi at 24 kHz: codebook 0 is trained to tell words apart, the others hold the rest of the sound.

    On the CPU the codes are exactly those of transformers. The model is causal, so on CUDA waves of similar lengths
    share a batch. They are padded with zeros, which may change a wave's last frame; the other waves of a batch change
    nothing.

    Source: Moshi, section 3.3, https://arxiv.org/abs/2410.00037.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity with all codebooks of the weights; its sizes are read from `config.json`."""
        folder = PRETRAINED.find(weights)
        config = PRETRAINED.config(folder)
        sizes = config.sampling_rate, float(config.frame_rate), config.num_quantizers, config.codebook_size
        return CodecIdentity("mimi", *sizes, revision_of(folder / FILES[1]))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model with all its codebooks; see `Pretrained.load`."""
        folder = PRETRAINED.find(weights)
        return cls(PRETRAINED.load(folder), cls.identify(folder, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the width of the decoder's input (512 in the published model)."""
        import torch

        quantizer = self._model.quantizer
        found = []
        for part in (quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer):
            for layer in part.layers:
                vectors_1DV = layer.codebook.embed.T[None]
                whole_1DV = vectors_1DV if part.output_proj is None else part.output_proj(vectors_1DV)
                found.append(whole_1DV[0].T)
        return torch.stack(found[: self.num_codebooks]).detach().float().cpu()

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return causal_batches(frames, most=round(_BATCH_S * self.frame_rate))

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        # The library refuses fewer codebooks than the semantic ones, of which the published model has one.
        count = max(self.num_codebooks, self._model.config.num_semantic_quantizers)
        codes_BKT: Tensor = self._model.encode(wave_B1L, num_quantizers=count).audio_codes
        return codes_BKT[:, : self.num_codebooks]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode(codes_KT[None]).audio_values  # type: ignore[no-any-return]


def _check(config: Any) -> str:
    if config.audio_channels != 1 or not config.use_causal_conv:
        return "it isn't mono and causal"
    if config.sampling_rate % config.frame_rate:
        return f"{config.frame_rate:g} frames a second don't divide {config.sampling_rate} Hz"
    return ""


PRETRAINED = Pretrained(
    "mimi",
    "Mimi",
    "kyutai/mimi",
    "mimi",
    ("MimiConfig", "MimiModel"),
    "a mono, causal Mimi",
    _check,
)


MIMI = CodecRow(
    "mimi",
    "24 kHz, 8 of 32 codebooks of 2048 at 12.5 Hz: a sixth of EnCodec's frames",
    MimiCodec,
    files=PRETRAINED.files,
    repository=PRETRAINED.repository,
    packages=("transformers",),
    codebooks=8,  # as Moshi uses it: 1.1 kbps
    licence="CC BY 4.0",
    lookahead=0,  # causal
)
