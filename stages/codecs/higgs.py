"""Higgs Audio v2's tokenizer: 8 codebooks of 1024 at 25 frames a second, at 24 kHz. Through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stages.codecs.codec import CodecRow
from stages.codecs.network import Batch, NetworkCodec, equal_batches, windows
from stages.codecs.pretrained import FILES, Pretrained
from stages.codecs.weights import revision_of
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor

_BATCH_S = 240
"""Most seconds of audio in a batch."""
_CORE_S, _CONTEXT_S = 50, 5
"""Waves longer than both together, with the context on either side, are encoded in windows."""


class HiggsCodec(NetworkCodec):
    """Higgs Audio v2's tokenizer: what HuBERT hears and how it sounds, in the same codes.

    Waves are padded with zeros to whole frames, as transformers' feature extractor pads them. On the CPU the codes are
    exactly those of transformers. The model looks ahead, so on CUDA only waves with equally many frames share a batch;
    the batch's size may flip a few codes. Waves longer than a minute are encoded in windows of 50 s with 5 s of context
    on either side, which flips some codes.

    Source: https://github.com/boson-ai/higgs-audio, `tech_blogs/TOKENIZER_BLOG.md`.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity; its sizes are read from `config.json`."""
        folder = PRETRAINED.find(weights)
        config = PRETRAINED.config(folder)
        sizes = config.sample_rate, config.sample_rate / config.hop_length, config.num_quantizers, config.codebook_size
        return CodecIdentity("higgs", *sizes, revision_of(folder / FILES[1]))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model; see `Pretrained.load`."""
        folder = PRETRAINED.find(weights)
        return cls(PRETRAINED.load(folder), cls.identify(folder, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the width of both encoders together (1024 in the published model)."""
        import torch

        with torch.no_grad():
            layers = self._model.quantizer.quantizers[: self.num_codebooks]
            tables = [layer.project_out(layer.codebook.embed) for layer in layers]
        return torch.stack(tables).float().cpu()

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return equal_batches(frames, most=round(_BATCH_S * self.frame_rate))

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        import torch

        whole_B1L = torch.nn.functional.pad(wave_B1L, (0, -wave_B1L.shape[2] % self._hop))
        frames = whole_B1L.shape[2] // self._hop
        found = []
        size = {"core": round(_CORE_S * self.frame_rate), "context": round(_CONTEXT_S * self.frame_rate)}
        for window in windows(frames, **size):
            part_B1L = whole_B1L[..., window.first * self._hop : window.last * self._hop]
            codes_BKT = self._model.encode(part_B1L).audio_codes
            found.append(codes_BKT[..., window.start - window.first : window.end - window.first])
        return torch.cat(found, dim=2)

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode(codes_KT[None]).audio_values  # type: ignore[no-any-return]


def _check(config: Any) -> str:
    rate, heard = config.sample_rate, config.semantic_sample_rate
    if rate % config.hop_length:
        return f"{config.hop_length} samples a frame don't divide {rate} Hz"
    if config.hop_length * heard != rate * config.downsample_factor * config.semantic_downsample_factor:
        return f"its {rate // config.hop_length} frames a second aren't whole frames of its semantic encoder"
    return "" if config.num_quantizers else f"{config.target_bandwidths[-1]:g} kbps aren't enough for a codebook"


PRETRAINED = Pretrained(
    "higgs",
    "Higgs Audio v2's tokenizer",
    "bosonai/higgs-audio-v2-tokenizer",
    "higgs_audio_v2_tokenizer",
    ("HiggsAudioV2TokenizerConfig", "HiggsAudioV2TokenizerModel"),
    "a tokenizer of Higgs Audio v2",
    _check,
)

HIGGS = CodecRow(
    "higgs",
    "24 kHz, 8 codebooks of 1024 at 25 Hz, which hold the words as well: a third of EnCodec's frames",
    HiggsCodec,
    files=PRETRAINED.files,
    packages=("transformers", "torchaudio"),
    licence="Boson Higgs Audio 2 Community License",  # the title of the `LICENSE` beside the weights
    repository=PRETRAINED.repository,
    lookahead=12,  # the convolutions of all blocks together reach less than 12 frames
)
