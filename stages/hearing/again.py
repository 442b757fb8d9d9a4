"""Hears cuts again with a second whisper model (`transcribe.verify`), to compare them with their texts.

The model isn't told the text. It decodes by beam search without sampling, so that it hears the same in every run.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from stages.audio.silence import quietest
from stages.errors import WeightsError
from stages.hearing.wav2vec import quiet, reason_of
from stages.hearing.whisper import SAMPLE_RATE, find_model, revision
from stages.machine import on_gpu, parse_device
from stages.records import Wave

OPTION = "transcribe.verify"
_WAY_OUT = f"Give a folder or another model: `--set {OPTION}=FOLDER`, or leave it out."
_WINDOW_S = 30.0
"""Seconds of whisper's input."""
_SEARCH_S = 5.0
"""Longer cuts are heard in windows that end at the quietest point within so many seconds."""
_TOKENS_PER_S, _LEAST_TOKENS = 12, 24
"""The most tokens that anybody says: a loop ends there."""
_BATCH = 16
"""Cuts heard together on a GPU. On the CPU each is heard alone, which gives the same bytes in every run."""


@cache
def problem(model: str) -> str:
    """Returns why a model can't be used, "" if it can. Tries once to download it."""
    try:
        find_model(model, download=True, option=OPTION, way_out=_WAY_OUT)
    except WeightsError as error:
        return str(error)
    return ""


def identity(model: str) -> str:
    """Returns the content identity of a model; "missing" if it isn't on this machine."""
    try:
        return revision(find_model(model, download=False, option=OPTION, way_out=_WAY_OUT))
    except WeightsError:
        return "missing"


class SecondHearing:
    """A whisper model that hears single cuts, loaded once per worker.

    Args:
        model: A folder in CTranslate2's format, or a name from the Hugging Face cache.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        WeightsError: if it isn't there, or can't be loaded; nothing is downloaded.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        folder: Path = find_model(model, download=False, option=OPTION, way_out=_WAY_OUT)
        with quiet():
            from faster_whisper import WhisperModel

        where = parse_device(device)
        try:
            self._model = WhisperModel(
                str(folder),
                where.kind,
                device_index=where.index or 0,
                compute_type="float16" if where.kind == "cuda" else "int8",
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f"`{OPTION}` can't be loaded from `{folder}` on `{device}`: {reason_of(error)}. {_WAY_OUT}"
            ) from error
        self.at_once = _BATCH if on_gpu(device) else 1
        """Cuts per call of `hear`."""

    def knows(self, language: str) -> bool:
        """Returns whether the model hears a language, by its ISO 639-1 code."""
        return language in self._model.supported_languages

    def hear(self, waves: Sequence[Wave], language: str) -> list[str]:
        """Returns what is said in cuts.

        Args:
            waves: `[samples]` at 16 kHz each, not empty.
            language: ISO 639-1 code of all of them, which the model knows.
        """
        pieces = [(place, piece) for place, wave in enumerate(waves) for piece in _windows(wave)]
        said = [""] * len(waves)
        for at in range(0, len(pieces), self.at_once):
            batch = pieces[at : at + self.at_once]
            for (place, _), text in zip(batch, self._heard([piece for _, piece in batch], language), strict=True):
                said[place] = f"{said[place]} {text}".strip()
        return said

    def _heard(self, waves: Sequence[Wave], language: str) -> list[str]:
        from faster_whisper.audio import pad_or_trim
        from faster_whisper.tokenizer import Tokenizer

        model = self._model
        tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)
        prompt = model.get_prompt(tokenizer, [], without_timestamps=True)
        features = np.stack([pad_or_trim(model.feature_extractor(np.ascontiguousarray(wave))) for wave in waves])
        longest = round(_TOKENS_PER_S * max(map(len, waves)) / SAMPLE_RATE) + _LEAST_TOKENS
        found = model.model.generate(
            model.encode(features),
            [prompt] * len(waves),
            beam_size=5,
            max_length=min(model.max_length, len(prompt) + longest),
            suppress_blank=True,
            suppress_tokens=[-1],  # those of the model's own configuration: signs and notes that nobody says
        )
        return [tokenizer.decode(one.sequences_ids[0]).strip() for one in found]


def _windows(wave: Wave) -> Iterator[Wave]:
    """Yields a wave in windows of at most 30 s that end at quiet points."""
    most, search = round(_WINDOW_S * SAMPLE_RATE), round(_SEARCH_S * SAMPLE_RATE)
    while len(wave) > most:
        border = most - search + quietest(wave[most - search : most], SAMPLE_RATE)
        yield wave[:border]
        wave = wave[border:]
    yield wave


class Hearings:
    """Collects cuts until there are enough of them for one call of the model.

    Args:
        model: Hears them.
    """

    def __init__(self, model: SecondHearing) -> None:
        self._model = model
        self._waiting: dict[str, list[tuple[str, Wave]]] = {}
        self.results: dict[str, str] = {}
        """What was heard so far, by key; nothing for a language that the model doesn't know."""

    def add(self, key: str, wave: Wave, language: str) -> None:
        """Adds a cut, `[samples]` at 16 kHz; hears its language's cuts when there are enough of them."""
        if not self._model.knows(language):
            return
        waiting = self._waiting.setdefault(language, [])
        waiting.append((key, wave))
        if len(waiting) >= self._model.at_once:
            self._flush(language)

    def flush(self) -> None:
        """Hears the cuts that are waiting."""
        for language in sorted(self._waiting):
            self._flush(language)

    def _flush(self, language: str) -> None:
        waiting = self._waiting.pop(language)
        said = self._model.hear([wave for _, wave in waiting], language)
        self.results |= {key: text for (key, _), text in zip(waiting, said, strict=True)}
