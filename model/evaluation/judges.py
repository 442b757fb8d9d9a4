"""What scores speech: a recogniser, a speaker verifier, and a predictor of listeners' opinions.

All of them hear mono waves at 16 kHz and read their weights from a path or a cache; none of them downloads anything.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from stages.errors import WeightsError
from stages.hearing.whisper import find_model
from stages.listeners.dnsmos import Dnsmos
from stages.listeners.resemblyzer import Resemblyzer
from stages.machine import parse_device
from stages.records import Wave

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16_000
"""Hz, of what every judge hears."""

Vector = npt.NDArray[np.float32]


class Recogniser(Protocol):
    """Writes down what it hears."""

    name: str
    """What a table says of it."""

    def hear(self, wave: Wave, language: str) -> str:
        """Returns the text of a wave, "" where it hears nothing."""


class Speaker(Protocol):
    """Turns a voice into a vector."""

    name: str

    def embed(self, wave: Wave) -> Vector:
        """Returns a vector of length 1: the product of two is their similarity, from -1 to 1."""


class Quality(Protocol):
    """Predicts what listeners would say."""

    name: str

    def score(self, wave: Wave) -> dict[str, float]:
        """Returns mean opinion scores, 1 to 5, by name."""


@dataclass(frozen=True, slots=True)
class Judges:
    """Who scores; None leaves the scores out."""

    recogniser: Recogniser | None = None
    speaker: Speaker | None = None
    quality: Quality | None = None

    def named(self) -> "dict[str, Recogniser | Speaker | Quality | None]":
        """Returns them by their roles."""
        return {"recogniser": self.recogniser, "speaker": self.speaker, "quality": self.quality}


def load_judges(*, asr: str, speaker: str, dnsmos: Path | None, device: str = "cpu") -> Judges:
    """Loads the judges.

    Args:
        asr: A whisper in CTranslate2's format, as a folder or as a name in the Hugging Face cache; `none`.
        speaker: UniSpeech's `wavlm_large_finetune.pth`, a folder with a `WavLMForXVector`, `resemblyzer`, or `none`.
        dnsmos: DNSMOS P.835's `sig_bak_ovr.onnx`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`; DNSMOS always computes on the CPU.

    Raises:
        WeightsError: if weights are missing or aren't what they should be.
        UsageError: if there is no such device.
    """
    from model.device import resolve_device

    where = str(resolve_device(device))
    path = Path(speaker).expanduser()
    voices = {"none": lambda: None, "resemblyzer": lambda: Resemblyzer(where)}
    return Judges(
        None if asr == "none" else Whisper(asr, where),
        voices.get(speaker, lambda: (WavLMLarge if path.is_file() else WavLMXVector)(path, where))(),
        Dnsmos(dnsmos.expanduser()) if dnsmos else None,
    )


class Whisper:
    """Whisper by faster-whisper, with a beam of 5 and the language given, as F5-TTS has it.

    The published numbers are made with `large-v3` (Chinese ones with Paraformer, which isn't here).
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        """Loads a folder in CTranslate2's format, or a name such as `large-v3` that is in the Hugging Face cache.

        Raises:
            WeightsError: if it isn't there, or can't be loaded.
        """
        repository = model if "/" in model else f"Systran/faster-whisper-{model}"
        way_out = (
            f"Fetch it where there is a network (`hf download {repository}`) and give its folder, or leave error rates"
            " out: `--asr none`."
        )
        folder = find_model(model, download=False, option="--asr", way_out=way_out)
        from faster_whisper import WhisperModel

        where = parse_device(device)
        try:
            self._model = WhisperModel(str(folder), where.kind, device_index=where.index or 0, local_files_only=True)
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"`--asr` can't be loaded from `{folder}` on `{device}`: {error}") from error
        self.name = f"faster-whisper {model}"

    def hear(self, wave: Wave, language: str) -> str:
        """Returns what is said."""
        segments, _ = self._model.transcribe(np.ascontiguousarray(wave), language=language, beam_size=5)
        return " ".join(segment.text.strip() for segment in segments)


class WavLMLarge:
    """The speaker verifier of the published numbers: UniSpeech's fine-tuned WavLM-large with an ECAPA-TDNN head."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Loads `wavlm_large_finetune.pth`.

        Raises:
            WeightsError: if the file holds anything else.
        """
        from model.evaluation.wavlm_sv import WavLMEcapa

        self._model = WavLMEcapa.load(path, device)
        self._device = device
        self.name = f"WavLM ECAPA-TDNN {path.name}"

    def embed(self, wave: Wave) -> Vector:
        """Returns the speaker vector, `[E]`, of length 1."""
        import torch

        with torch.inference_mode():
            return _unit(self._model(torch.from_numpy(_lengthened(wave))[None].to(self._device))[0])


class WavLMXVector:
    """A WavLM for speaker verification in transformers' format (`WavLMForXVector`), such as `wavlm-base-plus-sv`."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Loads the folder.

        Raises:
            WeightsError: if it isn't there, or doesn't hold such a model.
        """
        if not (folder / "config.json").is_file() or not (folder / "preprocessor_config.json").is_file():
            raise WeightsError(
                "`--speaker` must be UniSpeech's `wavlm_large_finetune.pth`, a folder with a `WavLMForXVector` of"
                " transformers (config.json, preprocessor_config.json, weights), `resemblyzer` or `none`, but is"
                f" `{folder}`. Check the path."
            )
        import torch
        from transformers import AutoConfig, AutoFeatureExtractor, WavLMForXVector
        from transformers.utils import logging

        logging.disable_progress_bar()
        named = AutoConfig.from_pretrained(folder, local_files_only=True).architectures or []
        if "WavLMForXVector" not in named:
            raise WeightsError(
                f"`--speaker` must hold a `WavLMForXVector`, but `{folder}` holds {' '.join(named) or 'none'}: its"
                " speaker vectors would be noise. Give a checkpoint for speaker verification."
            )
        try:
            self._extract: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._model: Any = WavLMForXVector.from_pretrained(folder, local_files_only=True).to(device).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsError(f"`--speaker` can't be loaded from `{folder}`: {error}") from error
        self._device = torch.device(device)
        self.name = f"WavLM x-vector {folder.name} (not the published verifier: another scale)"

    def embed(self, wave: Wave) -> Vector:
        """Returns the x-vector, `[D]`, of length 1."""
        import torch

        inputs = self._extract(_lengthened(wave), sampling_rate=SAMPLE_RATE, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            return _unit(self._model(**inputs).embeddings[0])


def similarity(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float:
    """Returns the cosine of two vectors of length 1."""
    return float(np.dot(one, other))


def _lengthened(wave: Wave) -> Wave:
    """Returns the wave, followed by silence up to half a second: the last layers look at 15 frames at once."""
    return np.pad(wave, (0, max(0, SAMPLE_RATE // 2 - len(wave)))).astype(np.float32)


def _unit(vector: "torch.Tensor") -> Vector:
    array: Vector = vector.float().cpu().numpy()
    norm = float(np.linalg.norm(array))
    return array / norm if norm > 0 else array
