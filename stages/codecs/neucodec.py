"""NeuCodec: one codebook of 65,536 at 50 frames a second; takes 16 kHz, gives 24 kHz. Through transformers."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from stages.codecs.codec import CodecRow
from stages.codecs.network import Batch, NetworkCodec, equal_batches, windows
from stages.codecs.pretrained import FILES, Pretrained
from stages.codecs.weights import revision_of
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from torch import Tensor

FEATURES_HZ = 16_000
"""Sample rate of the waves whose mel spectra its semantic encoder reads: w2v-BERT 2.0's."""
FEATURES_HOP = 320
"""Samples a frame: two spectra, 10 ms apart, are one of its frames."""
FEATURES_WIDTH = 160
"""Two spectra of 80 bands."""
MOST_CODES = 1 << 16
"""Models and exports hold codes in 16 bits."""
_CORE_S, _CONTEXT_S = 30, 5
"""Waves longer than both together, with the context on either side, are encoded in windows: the semantic encoder's
memory grows with the square of a wave's length."""


class NeuCodec(NetworkCodec):
    """NeuCodec, and the base of X-Codec 2: what is said and how it sounds, in one code of 16 bits a frame.

    The codes are exactly those of transformers, from its own features, wave by wave on every device: neither encoder
    can tell a wave from the padding of a batch. The library drops a wave's last part of a frame; here that part's code
    is made of its sound and of the meaning of the frame before, so that no sound is lost. A wave shorter than a frame
    is padded with zeros. Waves longer than 40 s are encoded in windows of 30 s with 5 s of context on either side,
    whose spectra are normalised over the whole wave; that flips some codes.

    Source: Finite Scalar Quantization Enables Redundant and Transmission-Robust Neural Audio Compression at Low
    Bit-rates, https://arxiv.org/abs/2509.09550.
    """

    pretrained: ClassVar[Pretrained]
    extractor: ClassVar[str] = "NeuCodecFeatureExtractor"
    """The class of transformers that makes its features."""

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity; its sizes are read from `config.json`."""
        folder = cls.pretrained.find(weights)
        config = cls.pretrained.config(folder)
        size = math.prod(config.quantization_levels)
        decoded = getattr(config, "output_sampling_rate", FEATURES_HZ)
        revision = revision_of(folder / FILES[1])
        rates = FEATURES_HZ, FEATURES_HZ / FEATURES_HOP
        return CodecIdentity(
            cls.pretrained.codec, *rates, 1, size, revision, decoded if decoded != FEATURES_HZ else None
        )

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model; see `Pretrained.load`."""
        folder = cls.pretrained.find(weights)
        codec = cls(cls.pretrained.load(folder), cls.identify(folder, sample_rate), device)
        codec._batched = False
        return codec

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the number of scalars of a code (8), before the projection to the decoder."""
        codebook_VD: Tensor = self._model.quantizer.quantizer.codebook
        return codebook_VD[None].detach().float().cpu()

    @cached_property
    def _extract(self) -> Any:
        import transformers

        return getattr(transformers, self.extractor)()

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return equal_batches(frames, most=1)

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        import torch

        wave_L = wave_B1L[0, 0]
        frames = self._frames(wave_L)
        wave_L = torch.nn.functional.pad(wave_L, (0, max(0, self._hop - len(wave_L))))
        given = self._extract(audio=wave_L, sampling_rate=FEATURES_HZ, return_tensors="pt").to(self._device)
        found = []
        size = {"core": round(_CORE_S * self.frame_rate), "context": round(_CONTEXT_S * self.frame_rate)}
        for window in windows(frames, **size):
            last = window.last if window.last < frames else None
            span, samples = slice(window.first, last), slice(window.first * self._hop, last and last * self._hop)
            codes_11T = self._part(
                given["input_features"][:, span],
                given["input_features_mask"][:, span],
                given["input_values"][..., samples],
                window.last - window.first,
            )
            found.append(codes_11T[..., window.start - window.first : window.end - window.first])
        return torch.cat(found, dim=2).long().cpu()

    def _part(self, features: "Tensor", mask: "Tensor", values: "Tensor", frames: int) -> "Tensor":
        """Encodes as the library's `encode`, and the part of a frame after its last one."""
        import torch

        hidden = self._model.semantic_encoder(features, attention_mask=mask).last_hidden_state
        semantic_1DT = self._model.semantic_adapter(hidden.transpose(1, 2))
        acoustic_1DT = self._model.acoustic_encoder(values)
        shared = min(semantic_1DT.shape[2], acoustic_1DT.shape[2])
        codes_11T = self._quantised(semantic_1DT[..., :shared], acoustic_1DT[..., :shared])
        if frames == shared + 1:
            rest_111 = self._quantised(semantic_1DT[..., -1:], acoustic_1DT[..., shared:frames])
            codes_11T = torch.cat([codes_11T, rest_111], dim=2)
        return codes_11T[..., :frames]

    def _quantised(self, semantic_1DT: "Tensor", acoustic_1DT: "Tensor") -> "Tensor":
        import torch

        both_1DT = torch.cat([semantic_1DT, acoustic_1DT], dim=1)
        _, codes_1T1 = self._model.quantizer(self._model.fc_encoder(both_1DT.transpose(1, 2)))
        return codes_1T1.transpose(1, 2)  # type: ignore[no-any-return]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode(audio_codes=codes_KT[None]).audio_values  # type: ignore[no-any-return]


def check_features(config: Any, sample_rate: int, hop: int) -> str:
    """Returns what keeps a configuration from encoding with w2v-BERT's features; "" if nothing does."""
    if (sample_rate, hop) != (FEATURES_HZ, FEATURES_HOP):
        found, wanted = (sample_rate, hop), (FEATURES_HZ, FEATURES_HOP)
        return "it takes {} Hz and {} samples a frame, but its features need {} and {}".format(*found, *wanted)
    semantic = config.semantic_model_config
    if semantic.model_type != "wav2vec2-bert" or semantic.feature_projection_input_dim != FEATURES_WIDTH:
        return f"its semantic encoder doesn't read {FEATURES_WIDTH} features of w2v-BERT"
    codes = math.prod(config.quantization_levels)
    return "" if codes <= MOST_CODES else f"its {codes} codes don't fit into 16 bits"


def _check(config: Any) -> str:
    hop, rate = config.encoder_hop_length, config.output_sampling_rate
    if problem := check_features(config, config.input_sampling_rate, hop):
        return problem
    return "" if hop * rate % FEATURES_HZ == 0 else f"{rate} Hz aren't a whole number of samples a frame"


NeuCodec.pretrained = Pretrained(
    "neucodec",
    "NeuCodec",
    "neuphonic/neucodec",
    "neucodec",
    ("NeuCodecConfig", "NeuCodecModel"),
    "a NeuCodec of 16 kHz and 50 frames a second",
    _check,
)

NEUCODEC = CodecRow(
    "neucodec",
    "1 codebook of 65,536 at 50 Hz, for models without levels; takes 16 kHz, gives 24 kHz",
    NeuCodec,
    files=NeuCodec.pretrained.files,
    packages=("transformers", "torchaudio"),
    licence="Apache 2.0",
    repository=NeuCodec.pretrained.repository,
    lookahead=None,  # its decoder's attention and norms reach over all frames
)
