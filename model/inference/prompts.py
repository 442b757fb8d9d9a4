"""Prepares text and audio for the network, exactly as the dataset was prepared.

Axes: K codebooks, P prompt frames.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from model.checkpoints.checkpoint import Checkpoint
from model.inference.languages import language_of
from stages.errors import CodecError
from stages.records import Codes

if TYPE_CHECKING:
    from stages.codecs.table import Codec

Prompt = str | Path | npt.NDArray[Any] | torch.Tensor
"""A recording's path; a mono wave, `[samples]` float at the codec's rate; or codes, `[K, P]` integers."""

_STRESS = frozenset("ˈˌ")
_PUNCTUATION = frozenset(",.;:!?…—¿¡")


class Preparation:
    """Turns text into phonemes and recordings into codes, for one model.

    Args:
        checkpoint: The model.
        codec: Encodes waves.
    """

    def __init__(self, checkpoint: Checkpoint, codec: "Codec") -> None:
        self._codec = codec
        self._checkpoint = checkpoint
        self._meta = checkpoint.meta
        self._tokenizer = checkpoint.tokenizer
        self._prompt_frames = max(1, round(checkpoint.config.data.prompt_s * checkpoint.meta.codec.frame_rate))

    def codes(self, prompt: Prompt, name: str = "prompt") -> Codes:
        """Returns the `[K, P]` codes of a prompt.

        Waves are brought to the loudness of the training set; codes are returned as they are.

        Args:
            prompt: Path, wave or codes.
            name: What messages call it.

        Raises:
            AudioError: if the recording can't be read.
            CodecError: if the codes don't fit the model.
        """
        if isinstance(prompt, str | Path):
            from stages.audio.files import read_at

            prompt = read_at(Path(prompt), self._codec.sample_rate)
        tensor = torch.as_tensor(prompt)
        if tensor.is_floating_point():
            tensor = self._codec.encode([self._levelled(tensor)])[0]
        codes_KP: Codes = tensor.cpu().numpy()
        self._check(codes_KP, name)
        return codes_KP

    def shortened(self, codes_KP: Codes) -> Codes:
        """Returns the beginning of a prompt, as long as prompts were in training."""
        return codes_KP[:, : self._prompt_frames]

    def phonemes(self, text: str, language: str | None) -> tuple[str, str]:
        """Returns the phonemes of a text and its language code, detected if not given; raises as `language_of`."""
        from stages.text.phonemes import phonemize

        code = language_of(text, language, self._checkpoint)
        # Without stress or punctuation if the training set had none: the model would guess at the marks.
        known = set(self._meta.symbols)
        (phonemes,) = phonemize([text], code, stress=bool(known & _STRESS), punctuation=bool(known & _PUNCTUATION))
        return phonemes, code

    def tone(self, tone: str | None) -> str:
        """Returns the tone, "" for none; raises `UsageError` if the model doesn't know it."""
        if tone is not None:
            self._tokenizer.tone(tone)
        return tone or ""

    def _levelled(self, wave: torch.Tensor) -> torch.Tensor:
        loudness = self._meta.loudness_lufs
        if loudness is None:
            return wave
        from stages.audio.loudness import levelled

        return torch.from_numpy(levelled(wave.cpu().numpy(), self._codec.sample_rate, loudness))

    def _check(self, codes_KP: Codes, name: str) -> None:
        identity = self._meta.codec
        fits = codes_KP.ndim == 2 and codes_KP.shape[0] == identity.num_codebooks
        if not fits or codes_KP.min(initial=0) < 0 or codes_KP.max(initial=0) >= identity.codebook_size:
            raise CodecError(
                f"`{name}` must be [{identity.num_codebooks}, P] codes from 0 to {identity.codebook_size - 1}, but is"
                f" {list(codes_KP.shape)} up to {codes_KP.max(initial=0)}. Encode it with the codec of the model."
            )
