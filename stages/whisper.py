"""Speech to text by whisperX: finding the weights, hearing, and placing the words. The only importer of whisperx.

Three kinds of weights are involved: whisper (`find_model`), voice activity detection (inside the packages) and one
wav2vec2 aligner a language. Without whisper nothing can be heard; without an aligner the words have no times, which
the log says once a language.
"""

import hashlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stages.errors import TextError, WeightsError
from stages.languages import normalise_code
from stages.records import Wave

if TYPE_CHECKING:
    from whisperx.vads import Vad

SAMPLE_RATE = 16_000
"""Hz, of what whisper hears."""

ComputeType = Literal["auto", "float32", "float16", "bfloat16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"]
VadName = Literal["pyannote", "silero"]

_log = logging.getLogger(__name__)

_FILES = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_FEATURES = "preprocessor_config.json"
_MEBIBYTE = 1 << 20
WAYS_OUT = (
    "Put a transcript (.txt, .json, .srt, …) beside the recording, or give whisper's weights:"
    " `--set transcribe.model=FOLDER`."
)
"""What to do where there is nothing to hear with."""


def find_model(model: str, *, download: bool) -> Path:
    """Returns the folder of a whisper model in CTranslate2's format: the one named, else the hub's cache.

    Args:
        model: A folder, a size (`large-v3`, `small`, …) or a repository of the Hugging Face hub.
        download: Whether to fetch a model that isn't cached; `HF_HUB_OFFLINE=1` forbids it all the same.

    Raises:
        WeightsError: naming what was tried, ending with `WAYS_OUT`.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return _from_hub(model, download=download)
    if missing := _missing(folder):
        raise WeightsError(
            f"`transcribe.model` must be a folder in CTranslate2's format, but `{folder}` lacks {missing} (convert it:"
            f" `ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json`). {WAYS_OUT}"
        )
    return folder


def _from_hub(model: str, *, download: bool) -> Path:
    if not download and not _perhaps_cached(model):
        raise WeightsError(f"the whisper model `{model}` is neither a folder nor in the Hugging Face cache. {WAYS_OUT}")
    from faster_whisper.utils import available_models
    from huggingface_hub.utils import httpx

    if "/" not in model and model not in available_models():
        raise WeightsError(
            f"`transcribe.model` must be a folder or one of {', '.join(available_models())}, but is `{model}`."
            f" {WAYS_OUT}"
        )
    try:
        return _snapshot(model, local_files_only=True)
    except (OSError, ValueError) as error:
        if not download:
            raise WeightsError(
                f"the whisper model `{model}` is neither a folder nor in the Hugging Face cache. {WAYS_OUT}"
            ) from error
    _log.warning("fetching the whisper model `%s` from the Hugging Face hub, once", model)
    try:
        return _snapshot(model, local_files_only=False)
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise WeightsError(
            f"the whisper model `{model}` is neither a folder nor in the Hugging Face cache, and can't be downloaded"
            f" ({_reason(error)}). {WAYS_OUT}"
        ) from error


def _perhaps_cached(model: str) -> bool:
    """Whether the hub's cache has something of that name; a no is sure, and spares the import of heavy libraries."""
    from huggingface_hub.constants import HF_HUB_CACHE

    name = model.rpartition("/")[2].lower()
    folder = Path(HF_HUB_CACHE)
    return folder.is_dir() and any(name in entry.name.lower() for entry in folder.iterdir())


def _snapshot(model: str, *, local_files_only: bool) -> Path:
    from faster_whisper.utils import download_model

    folder = Path(download_model(model, local_files_only=local_files_only))
    if missing := _missing(folder):
        raise FileNotFoundError(f"`{folder}` lacks {missing}")
    return folder


def _missing(folder: Path) -> str:
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        missing.append(_VOCABULARIES[0])
    return ", ".join(missing)


@cache
def weights_problem(model: str) -> str:
    """Returns why a whisper model can't be used ("" if it can), after one attempt to download it.

    Meant for the one process that starts the work: afterwards the workers find the model in the cache.
    """
    try:
        find_model(model, download=True)
    except WeightsError as error:
        return str(error)
    return ""


@cache
def revision(folder: Path) -> str:
    """Returns an identity of a model's content, from the size and the first and last MiB of each of its files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.name in {*_FILES, *_VOCABULARIES, _FEATURES}):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_MEBIBYTE))
            file.seek(max(0, size - _MEBIBYTE))
            digest.update(file.read())
    return digest.hexdigest()[:16]


class WhisperX:
    """A whisper model with its voice activity detection and its aligners, held for the life of a worker."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: ComputeType = "auto",
        beam_size: int = 5,
        vad: VadName = "pyannote",
        chunk_s: float = 30.0,
        batch_size: int = 8,
        aligners: Mapping[str, str] | None = None,
    ) -> None:
        """Loads the model.

        Args:
            folder: A whisper model as `find_model` returns it.
            device: `cpu`, `cuda` or `cuda:N`.
            compute_type: What CTranslate2 computes in; `auto` is float16 on CUDA and float32 on the CPU.
            beam_size: Hypotheses kept while decoding.
            vad: What finds the speech: pyannote's model from the whisperx package, or silero's from faster-whisper.
            chunk_s: The longest stretch of speech heard at once, in seconds, 30 at most.
            batch_size: Stretches of one recording decoded together.
            aligners: wav2vec2 models by language, as folders or names; other languages take whisperX's own choice.
                None leaves all words without times.

        Raises:
            WeightsError: if the model can't be loaded, or not with this device and compute type.
        """
        self._device = device
        self._chunk_s = chunk_s
        self._batch_size = batch_size
        self._choices = aligners
        self._aligners: dict[str, tuple[Any, Any] | None] = {}
        self._sentences = tempfile.TemporaryDirectory(prefix="punkt-")
        kind, _, index = device.partition(":")
        try:
            with _quiet():
                import whisperx

                self._pipeline = whisperx.load_model(
                    str(folder),
                    kind,
                    device_index=int(index or 0),
                    compute_type="default" if compute_type == "auto" else compute_type,
                    asr_options={"beam_size": beam_size},
                    vad_model=_bundled_silero(chunk_s) if vad == "silero" else None,
                    vad_options={"chunk_size": chunk_s},
                    local_files_only=True,
                    threads=0,  # as OMP_NUM_THREADS says
                )
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f"`transcribe.model` can't be loaded from `{folder}` on `{device}` with `transcribe.compute_type`"
                f" {compute_type}: {_reason(error)}. Give a sound model, or another compute type."
            ) from error

    def transcribe(self, wave: Wave, language: str | None = None) -> dict[str, Any]:
        """Writes down what is said.

        Args:
            wave: `[samples]` at 16 kHz.
            language: ISO 639-1; None to let whisper detect it.

        Returns:
            whisperX's result, `{"language": …, "segments": [{"start", "end", "text", "words"}]}`, times in seconds;
            without segments where nobody speaks. No `words` where the language's aligner isn't to be had.

        Raises:
            TextError: if whisper detects a language that the table doesn't hold.
        """
        if not self._pipeline.model.model.is_multilingual:
            language = "en"
        wave = np.array(wave)  # torch takes no read-only arrays
        result = self._pipeline.transcribe(
            wave, batch_size=self._batch_size, language=language, chunk_size=self._chunk_s
        )
        segments = [segment for segment in result["segments"] if segment["text"].strip()]
        if not segments:
            return {"language": result["language"], "segments": []}
        try:
            language = normalise_code(result["language"])
        except TextError as error:
            raise TextError(f"whisper detects {error} Name the language: `--set transcribe.language=CODE`.") from error
        return {"language": language, "segments": self._align(segments, language, wave)}

    def _align(self, segments: list[dict[str, Any]], language: str, wave: Wave) -> list[dict[str, Any]]:
        aligner = self._aligner(language)
        if aligner is None:
            return segments
        import whisperx

        aligned: list[dict[str, Any]] = whisperx.align(segments, *aligner, wave, self._device)["segments"]
        if _letters(aligned) != _letters(segments):  # it drops a sentence for which it finds no time at all
            _log.warning("a recording's words in `%s` have no times: the aligner lost some of them", language)
            return segments
        if unplaced := sum(not segment["words"] for segment in aligned):
            _log.info("the words of %d segments in `%s` have no times: too short for their text", unplaced, language)
        return aligned

    def _aligner(self, language: str) -> tuple[Any, Any] | None:
        if self._choices is None:
            return None
        if language not in self._aligners:
            try:
                self._aligners[language] = self._load_aligner(language, self._choices.get(language))
            except (OSError, ValueError) as error:
                self._aligners[language] = None
                _log.warning(
                    "words in `%s` have no times, no aligner: %s. Give one: `--set transcribe.align_models.%s=FOLDER`.",
                    language,
                    _reason(error),
                    language,
                )
        return self._aligners[language]

    def _load_aligner(self, language: str, name: str | None) -> tuple[Any, Any]:
        import whisperx

        if name is None:
            _refuse_download(language)
        _provide_sentences(language, Path(self._sentences.name))
        with _quiet():
            model, metadata = whisperx.load_align_model(language, self._device, model_name=name)
        return model.eval(), metadata


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _letters(segments: list[dict[str, Any]]) -> str:
    return "".join("".join(segment["text"].split()) for segment in segments)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps whisperX and what it loads from writing to the terminal, and pyannote from phoning home."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    for name in ("whisperx", "lightning.pytorch.utilities.migration"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())  # whisperX gives itself one on the standard output if it has none
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
    """Raises `OSError` where whisperX would fetch torchaudio's aligner although `HF_HUB_OFFLINE` is set."""
    import torch
    import torchaudio
    from whisperx.alignment import DEFAULT_ALIGN_MODELS_TORCH

    if not _offline() or language not in DEFAULT_ALIGN_MODELS_TORCH:
        return
    weights = getattr(torchaudio.pipelines, DEFAULT_ALIGN_MODELS_TORCH[language])._path
    if not (Path(torch.hub.get_dir()) / "checkpoints" / weights).is_file():
        raise OSError(f"`{weights}` is not in torch's cache and HF_HUB_OFFLINE is set")


def _provide_sentences(language: str, folder: Path) -> None:
    """Makes sure that NLTK can split sentences in a language: by its own data, else by punctuation alone."""
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


def _bundled_silero(chunk_s: float) -> "Vad":
    """Returns silero's detector as faster-whisper carries it; whisperX's own fetches it from GitHub."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps
    from whisperx.diarize import Segment
    from whisperx.vads import Vad

    class BundledSilero(Vad):  # type: ignore[misc]
        def __call__(self, audio: dict[str, Any]) -> list[Segment]:
            options = VadOptions(max_speech_duration_s=chunk_s, min_silence_duration_ms=500, speech_pad_ms=200)
            spans = get_speech_timestamps(audio["waveform"], options, sampling_rate=SAMPLE_RATE)
            return [Segment(span["start"] / SAMPLE_RATE, span["end"] / SAMPLE_RATE, "") for span in spans]

        @staticmethod
        def preprocess_audio(audio: Wave) -> Wave:
            return audio

        @staticmethod
        def merge_chunks(
            segments: list[Segment], chunk_size: float, onset: float, offset: float | None
        ) -> list[dict[str, Any]]:
            merged: list[dict[str, Any]] = Vad.merge_chunks(segments, chunk_size, onset, offset) if segments else []
            return merged

    return BundledSilero(vad_onset=0.5)
