"""Aligns words by whisperX's wav2vec2 models, in every language that has one.

whisperX itself aligns what whisper heard. Known texts of any length are aligned here, by the same models, one window at
a time.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.errors import WeightsError
from stages.hearing.asr.weights import is_path, reason_of
from stages.records import Wave

_log = logging.getLogger(__name__)

Scores = npt.NDArray[np.float32]
"""Log probabilities, `[T, V]`: T frames, V symbols."""


class Aligners:
    """wav2vec2 models by language, each loaded on first use and kept by the worker.

    Args:
        choices: Folders or names of models by language; other languages use whisperX's default.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    def __init__(self, choices: Mapping[str, str], device: str = "cpu") -> None:
        self._choices = choices
        self._device = device
        self._loaded: dict[str, tuple[Any, Any] | None] = {}
        self._sentences = tempfile.TemporaryDirectory(prefix="punkt-")
        self._split: set[str] = set()
        """Languages for which NLTK's sentence data was provided."""

    def align_heard(self, segments: list[dict[str, Any]], language: str, wave: Wave) -> list[dict[str, Any]]:
        """Aligns the words that whisper heard.

        Args:
            segments: whisperX's segments, with `start`, `end` and `text`.
            language: ISO 639-1.
            wave: The recording, `[samples]` at 16 kHz.

        Returns:
            whisperX's aligned segments, one per sentence, with `words`; the given segments if the language has no
            aligner or whisperX lost words.
        """
        loaded = self._get(language)
        if loaded is None:
            return segments
        import whisperx

        if language not in self._split:
            _provide_sentences(language, Path(self._sentences.name))
            self._split.add(language)
        aligned: list[dict[str, Any]] = whisperx.align(segments, *loaded, wave, self._device)["segments"]
        if _letters(aligned) != _letters(segments):  # whisperX drops sentences that it can't place
            _log.warning("a recording's words in `%s` have no times: the aligner lost some of them", language)
            return segments
        if unplaced := sum(not segment["words"] for segment in aligned):
            _log.info("the words of %d segments in `%s` have no times: too short for their text", unplaced, language)
        return aligned

    def known(self, language: str) -> "Wav2Vec2Aligner | None":
        """Returns the aligner of known texts in a language; None if its model can't be loaded."""
        loaded = self._get(language)
        return None if loaded is None else Wav2Vec2Aligner(*loaded, self._device)

    def _get(self, language: str) -> tuple[Any, Any] | None:
        if language not in self._loaded:
            try:
                self._loaded[language] = self._load(language, self._choices.get(language))
            except ImportError as error:
                raise unusable_whisperx(error) from error
            except (OSError, ValueError) as error:
                self._loaded[language] = None
                _log.warning(
                    "words in `%s` have no times, because no aligner can be loaded: %s."
                    " Give one: `--set transcribe.align_models.%s=FOLDER`.",
                    language,
                    reason_of(error),
                    language,
                )
        return self._loaded[language]

    def _load(self, language: str, name: str | None) -> tuple[Any, Any]:
        with quiet():
            import whisperx

            if name is None:
                _refuse_download(language)
            model, metadata = whisperx.load_align_model(language, self._device, model_name=name)
        return model.eval(), metadata


class Wav2Vec2Aligner:
    """Aligns known words: the best path of connectionist temporal classification through a wav2vec2 model's output.

    Source: Graves et al. 2006, https://doi.org/10.1145/1143844.1143891, section 4; Kürzinger et al. 2020,
    https://arxiv.org/abs/2007.09127, for long recordings in windows.
    """

    name = "wav2vec2"

    def __init__(self, model: Any, metadata: Mapping[str, Any], device: str) -> None:
        self._model = model
        self._symbols: Mapping[str, int] = metadata["dictionary"]
        self._torchaudio = metadata["type"] == "torchaudio"
        self._device = device
        self._blank = next((self._symbols[name] for name in ("<pad>", "[pad]") if name in self._symbols), 0)

    def prefix(self, wave: Wave, words: Sequence[str], *, whole: bool) -> list[tuple[float, float] | None] | None:
        """Places the first words; see `alignment.Aligner`. A word without letters that the model knows gets None."""
        letters = [
            (index, self._symbols[letter])
            for index, word in enumerate(words)
            for letter in (*("|" if index and "|" in self._symbols else ""), *word.lower())
            if letter in self._symbols
        ]
        scores_TV = self._scores(wave)
        if not letters:
            return [None] * len(words)
        path = best_path(scores_TV, [symbol for _, symbol in letters], self._blank, whole=whole)
        if path is None:
            return None
        frame_s = len(wave) / len(scores_TV) / 16_000
        bar = self._symbols.get("|")
        spans: list[tuple[float, float] | None] = [None] * len(words)
        for (index, symbol), (start, end) in zip(letters, path, strict=False):
            if symbol != bar:
                first = spans[index]
                spans[index] = (first[0] if first else start * frame_s, end * frame_s)
        if whole or len(path) == len(letters):
            return spans
        if not path:
            return []
        last, following = letters[len(path) - 1][0], letters[len(path)]
        return spans[: last if following[0] == last and following[1] != bar else last + 1]

    def _scores(self, wave: Wave) -> Scores:
        """Returns the log probabilities of the symbols, `[T, V]`."""
        import torch

        samples_BL = torch.from_numpy(np.pad(wave, (0, max(0, 400 - len(wave)))))[None].to(self._device)
        with torch.inference_mode():
            found = self._model(samples_BL)
            logits_BTV = found[0] if self._torchaudio else found.logits
            scores_TV: Scores = torch.log_softmax(logits_BTV[0].float(), dim=-1).cpu().numpy()
        return scores_TV


def best_path(scores_TV: Scores, symbols: Sequence[int], blank: int, *, whole: bool) -> list[tuple[int, int]] | None:
    """Finds the best path through the symbols (Viterbi search).

    Args:
        scores_TV: Log probabilities, `[T, V]`.
        symbols: The symbols, in order.
        blank: The blank symbol.
        whole: Whether the path must pass all symbols; otherwise it may end after any.

    Returns:
        First and one-past-last frame of each symbol passed; None if there are fewer frames than the symbols need.
    """
    if len(symbols) > len(scores_TV):  # a path passes at most one symbol per frame
        if whole:
            return None
        symbols = symbols[: len(scores_TV)]
    states = np.full(2 * len(symbols) + 1, blank)
    states[1::2] = symbols
    skips = np.zeros(len(states), bool)  # a symbol may follow another without a blank, but not itself
    skips[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states) + 2, -np.inf, np.float32)  # two unreachable states stand before the first
    best[2:4] = scores_TV[0, states[:2]]
    steps = np.zeros((len(scores_TV), len(states)), np.uint8)
    for frame in range(1, len(scores_TV)):
        ways = np.stack([best[2:], best[1:-1], np.where(skips, best[:-2], -np.inf)])
        steps[frame] = ways.argmax(0)
        best[2:] = ways.max(0) + scores_TV[frame, states]
    reached = best[2:]
    state = int(len(states) - 2 + reached[-2:].argmax() if whole else reached.argmax())
    if not np.isfinite(reached[state]):
        return None
    frames: dict[int, tuple[int, int]] = {}
    for frame in range(len(scores_TV) - 1, -1, -1):
        if state % 2:
            frames[state // 2] = frame, frames.get(state // 2, (0, frame + 1))[1]
        state -= int(steps[frame, state])
    return [frames[index] for index in range(len(frames))]


def unusable_whisperx(error: Exception | None = None) -> WeightsError:
    """Returns the error for a missing whisperX or, with `error`, for one that can't be imported."""
    why = f"can't be loaded ({reason_of(error)})" if error else "isn't installed"
    return WeightsError(
        f"`whisperx` is needed to transcribe and to align, but {why}. `make setup` installs it; after a plain"
        " `pip install .` run `pip install --no-deps -r .setup/nodeps.txt`."
    )


def model_problem(language: str, name: str, *, fetch: bool) -> str:
    """Returns why a named wav2vec2 model can't be used, "" if it can.

    Args:
        language: Its key in `transcribe.align_models`.
        name: A folder, a repository of the Hugging Face hub, or a name of torchaudio's.
        fetch: Whether to look for a repository in the cache and on the hub; a folder is looked for in any case.
    """
    key = f"`transcribe.align_models.{language}`"
    folder = Path(name).expanduser()
    if folder.is_dir():
        lacks = not (folder / "config.json").is_file()
        return f"{key} must be a folder of a wav2vec2 model, but `{name}` lacks config.json." if lacks else ""
    if is_path(name):
        return f"{key} must be a folder of a wav2vec2 model, but `{name}` isn't there. Correct it or leave it out."
    if not fetch or (name.isupper() and "/" not in name):
        return ""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import httpx

    try:
        hf_hub_download(name, "config.json")
    except (OSError, ValueError, HFValidationError, httpx.HTTPError) as error:
        return (
            f"{key} must be a folder or a repository of the Hugging Face hub, but `{name}` is neither here nor there to"
            f" fetch ({reason_of(error)}). Give a folder, or leave it out."
        )
    return ""


def default_at_hand(language: str) -> bool:
    """Returns whether whisperX's default aligner of a language is in a cache.

    Its table is imported only where a cache holds any wav2vec2 at all: that import takes seconds.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    kept = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"
    hubs = Path(HF_HUB_CACHE)
    if not any(
        "wav2vec2" in path.name or "xls" in path.name
        for folder in (kept, hubs)
        if folder.is_dir()
        for path in folder.iterdir()
    ):
        return False
    import torchaudio
    from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH

    if name := DEFAULT_ALIGN_MODELS_TORCH.get(language):
        return (kept / str(getattr(torchaudio.pipelines, name)._path)).is_file()
    repository = DEFAULT_ALIGN_MODELS_HF.get(language, "")
    return bool(repository) and (hubs / f"models--{repository.replace('/', '--')}").is_dir()


def _letters(segments: list[dict[str, Any]]) -> str:
    return "".join("".join(segment["text"].split()) for segment in segments)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences whisperX and the libraries it loads, and switches off pyannote's telemetry."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    for name in ("whisperx", "lightning.pytorch.utilities.migration", "huggingface_hub.utils._http"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())  # without a handler whisperX adds one that writes to standard output
        logger.setLevel(logging.ERROR)
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        yield


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _refuse_download(language: str) -> None:
    """Raises `OSError` if whisperX would download torchaudio's aligner although `HF_HUB_OFFLINE` is set."""
    import torch
    import torchaudio
    from whisperx.alignment import DEFAULT_ALIGN_MODELS_TORCH

    if not _offline() or language not in DEFAULT_ALIGN_MODELS_TORCH:
        return
    weights = getattr(torchaudio.pipelines, DEFAULT_ALIGN_MODELS_TORCH[language])._path
    if not (Path(torch.hub.get_dir()) / "checkpoints" / weights).is_file():
        raise OSError(f"`{weights}` is not in torch's cache and HF_HUB_OFFLINE is set")


def _provide_sentences(language: str, folder: Path) -> None:
    """Makes sure that NLTK can split sentences in a language: by its data or, without it, at every full stop."""
    import nltk
    from whisperx.utils import PUNKT_LANGUAGES

    name = f"tokenizers/punkt_tab/{PUNKT_LANGUAGES.get(language, 'english')}"
    if _has_nltk_data(name):
        return
    if not _offline():
        nltk.download("punkt_tab", quiet=True, print_error_to=StringIO())
    if _has_nltk_data(name):
        return
    _log.warning(
        "sentences in `%s` are split at every full stop, abbreviations included: NLTK's data is missing."
        " Get it with `python -m nltk.downloader punkt_tab`.",
        language,
    )
    (folder / name).mkdir(parents=True, exist_ok=True)
    for table in ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt"):
        (folder / name / table).touch()
    if str(folder) not in nltk.data.path:
        nltk.data.path.append(str(folder))


def _has_nltk_data(name: str) -> bool:
    import nltk

    try:
        nltk.data.find(f"{name}/")
    except LookupError:
        return False
    return True
