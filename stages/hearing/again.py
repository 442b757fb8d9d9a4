"""Hears cuts again with a second whisper model (`transcribe.verify`), to compare them with their texts.

The model isn't told the text. It decodes by beam search without sampling, so that it hears the same in every run.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from stages.audio.silence import quietest
from stages.errors import WeightsError
from stages.hearing.asr.decoding import Decoder
from stages.hearing.asr.weights import find_model, revision
from stages.hearing.asr.windows import SAMPLE_RATE, WINDOW_S
from stages.machine import on_gpu
from stages.records import Wave

OPTION = "transcribe.verify"
_WAY_OUT = f"Give a folder or another model: `--set {OPTION}=FOLDER`, or leave it out."
_SEARCH_S = 5.0
"""Longer cuts are heard in windows that end at the quietest point within so many seconds."""
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
        folder = find_model(model, download=False, option=OPTION, way_out=_WAY_OUT)
        self.at_once = _BATCH if on_gpu(device) else 1
        """Cuts per call of `hear`."""
        self._decoder = Decoder(
            folder,
            device=device,
            compute_type="auto",
            beam_size=5,
            batch_size=self.at_once,
            windows="auto",
            option=OPTION,
        )

    def knows(self, language: str) -> bool:
        """Returns whether the model hears a language, by its ISO 639-1 code."""
        return language in self._decoder.languages

    def hear(self, waves: Sequence[Wave], language: str) -> list[str]:
        """Returns what is said in cuts.

        Args:
            waves: `[samples]` at 16 kHz each, not empty.
            language: ISO 639-1 code of all of them, which the model knows.
        """
        pieces = [(place, piece) for place, wave in enumerate(waves) for piece in _windows(wave)]
        heard = self._decoder.hear([piece for _, piece in pieces], language)
        said = [""] * len(waves)
        for (place, _), found in zip(pieces, heard, strict=True):
            said[place] = f"{said[place]} {found.text.strip()}".strip()
        return said


def _windows(wave: Wave) -> Iterator[Wave]:
    """Yields a wave in windows of at most 30 s that end at quiet points."""
    most, search = WINDOW_S * SAMPLE_RATE, round(_SEARCH_S * SAMPLE_RATE)
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
