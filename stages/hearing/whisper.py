"""Transcribes speech by whisperX, and finds the weights for it.

There are three kinds of weights: whisper (`find_model`), voice activity detection (in the packages) and one wav2vec2
aligner per language (`wav2vec`). Whisper is required. Without an aligner words have no times; the log says so once per
language.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stages.errors import TextError, WeightsError
from stages.hearing.heard import Heard, compression_ratio, decoded
from stages.hearing.wav2vec import Aligners, quiet, reason_of, unusable_whisperx
from stages.machine import parse_device
from stages.records import Wave
from stages.text.languages import normalise_code

if TYPE_CHECKING:
    from whisperx.vads import Vad

SAMPLE_RATE = 16_000
"""Hz, whisper's input."""

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
"""The advice in messages about missing whisper weights."""


def find_model(model: str, *, download: bool, option: str = "transcribe.model", way_out: str = WAYS_OUT) -> Path:
    """Finds a whisper model in CTranslate2's format, and returns its folder.

    Args:
        model: A folder, a size (`large-v3`, `small`, …) or a repository of the Hugging Face hub.
        download: Whether to download a model that isn't in the hub's cache; `HF_HUB_OFFLINE=1` forbids it.
        option: The option that names the model, for messages.
        way_out: The advice at the end of messages.

    Raises:
        WeightsError: if there is no usable model; the message says what was tried.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return _from_hub(model, download=download, option=option, way_out=way_out)
    if missing := _missing(folder):
        raise WeightsError(
            f"`{option}` must be a folder in CTranslate2's format, but `{folder}` lacks {missing} (convert it:"
            f" `ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json`). {way_out}"
        )
    return folder


def _from_hub(model: str, *, download: bool, option: str, way_out: str) -> Path:
    absent = f"the whisper model `{model}` is neither a folder nor in the Hugging Face cache"
    if not download and not _perhaps_cached(model):
        raise WeightsError(f"{absent}. {way_out}")
    from faster_whisper.utils import available_models
    from huggingface_hub.utils import httpx

    if "/" not in model and model not in available_models():
        raise WeightsError(
            f"`{option}` must be a folder or one of {', '.join(available_models())}, but is `{model}`. {way_out}"
        )
    try:
        return _snapshot(model, local_files_only=True)
    except (OSError, ValueError) as error:
        if not download:
            raise WeightsError(f"{absent}. {way_out}") from error
    _log.warning("downloading the whisper model `%s` from the Hugging Face hub, once", model)
    try:
        return _snapshot(model, local_files_only=False)
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise WeightsError(f"{absent}, and can't be downloaded ({reason_of(error)}). {way_out}") from error


def _perhaps_cached(model: str) -> bool:
    """Returns False if the hub's cache surely lacks the model, which saves importing heavy libraries."""
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
    """Returns why a whisper model can't be used, "" if it can. Tries once to download it.

    Call it in the process that starts the work. The workers then find the model in the cache.
    """
    try:
        find_model(model, download=True)
    except WeightsError as error:
        return str(error)
    return ""


def revision(folder: Path) -> str:
    """Returns the content identity of a whisper model; see `content_of`."""
    return content_of(folder, (*_FILES, *_VOCABULARIES, _FEATURES))


def content_of(folder: Path, names: tuple[str, ...] = ()) -> str:
    """Returns a content identity of a folder: a hash of the name, the size, and the first and last MiB of each file.

    Args:
        folder: The folder; folders in it count too.
        names: The file names that count; empty for all.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and (not names or path.name in names))
    stats = [path.stat() for path in paths]
    return _content(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)))


def contents_of(models: Mapping[str, str]) -> dict[str, str]:
    """Returns the content identity of each model that is a folder, and the name of each other model."""
    folders = {key: Path(model).expanduser() for key, model in sorted(models.items())}
    return {key: content_of(folder) if folder.is_dir() else models[key] for key, folder in folders.items()}


@lru_cache(maxsize=64)
def _content(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Returns the identity of files given as path, size and modification time; cached, as workers may run for days."""
    digest = hashlib.sha256()
    for path, size, _ in files:
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_MEBIBYTE))
            file.seek(max(0, size - _MEBIBYTE))
            digest.update(file.read())
    return digest.hexdigest()[:16]


class WhisperX:
    """A whisper model with its voice activity detector and its aligners, loaded once per worker."""

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
        candidates: Sequence[str] = (),
    ) -> None:
        """Loads the model.

        Args:
            folder: A whisper model's folder, from `find_model`.
            device: `cpu`, `cuda` or `cuda:N`.
            compute_type: CTranslate2's compute type; `auto` is float16 on CUDA and float32 on the CPU.
            beam_size: Number of hypotheses kept while decoding.
            vad: The voice activity detector: pyannote's, from the whisperx package, or silero's, from faster-whisper.
            chunk_s: Longest stretch of speech given to whisper at once, in seconds; at most 30.
            batch_size: Number of stretches decoded together; they may come from different recordings.
            aligners: wav2vec2 models by language, as folders or names; other languages use whisperX's default. None
                gives words no times.
            candidates: ISO 639-1 codes of the languages to detect; none for all that whisper knows.

        Raises:
            WeightsError: if whisperX isn't installed, or can't load the model with this device and compute type.
        """
        self._chunk_s = chunk_s
        self._batch_size = batch_size
        self._candidates = tuple(candidates)
        self._aligners = None if aligners is None else Aligners(aligners, device)
        where = parse_device(device)
        try:
            with quiet():
                import whisperx

                self._pipeline = whisperx.load_model(
                    str(folder),
                    where.kind,
                    device_index=where.index or 0,
                    compute_type="default" if compute_type == "auto" else compute_type,
                    asr_options={"beam_size": beam_size},
                    vad_model=_bundled_silero(chunk_s) if vad == "silero" else None,
                    vad_options={"chunk_size": chunk_s},
                    local_files_only=True,
                    threads=0,  # use OMP_NUM_THREADS
                )
        except (ImportError, OSError) as error:
            raise unusable_whisperx(error) from error
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f"`transcribe.model` can't be loaded from `{folder}` on `{device}` with `transcribe.compute_type`"
                f" {compute_type}: {reason_of(error)}. Give an intact model, or another compute type."
            ) from error

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str | None]) -> list[dict[str, Any] | TextError]:
        """Transcribes recordings.

        Stretches of speech are decoded in batches of `batch_size`, across recordings. whisper pads each to 30 s, so the
        text of one doesn't depend on the others, except for rounding on a GPU.

        Args:
            waves: `[samples]` at 16 kHz each.
            languages: ISO 639-1 code of each; None lets whisper detect it.

        Returns:
            Per recording, whisperX's result: `{"language": …, "segments": [{"start", "end", "text", "words"}]}`, times
            in seconds, and as `heard` what whisper told before it was aligned. There are no segments if nobody speaks,
            and no `words` if the language has no aligner. A `TextError` instead, if whisper doesn't know the given
            language, or detects one that isn't in the table of languages.
        """
        if not self._pipeline.model.model.is_multilingual:
            languages = ["en"] * len(waves)
        waves = [np.array(wave) for wave in waves]  # torch takes no read-only arrays
        stretches = [(index, span) for index, wave in enumerate(waves) for span in self._speech(wave)]
        spoken = sorted({index for index, _ in stretches})
        known = self._detected(waves, {index: languages[index] for index in spoken})
        heard: dict[int, list[Heard]] = {index: [] for index in spoken}
        for language in sorted({code for code, _ in known.values()} & {*self._pipeline.model.supported_languages}):
            same = [stretch for stretch in stretches if known[stretch[0]][0] == language]
            for index, segment in self._heard(same, waves, language):
                heard[index].append(replace(segment, language_probability=known[index][1]))
        languages = [known.get(index, (None, None))[0] for index in range(len(waves))]
        return [self._result(wave, languages[index], heard.get(index, [])) for index, wave in enumerate(waves)]

    def _speech(self, wave: Wave) -> list[dict[str, Any]]:
        """Returns the stretches of speech, each at most `chunk_s` long, with `start` and `end` in seconds."""
        from whisperx.vads import Pyannote, Vad

        vad, options = self._pipeline.vad_model, self._pipeline._vad_params
        kind = vad if isinstance(vad, Vad) else Pyannote
        found = vad({"waveform": kind.preprocess_audio(wave), "sample_rate": SAMPLE_RATE})
        merged: list[dict[str, Any]] = kind.merge_chunks(
            found, self._chunk_s, onset=options["vad_onset"], offset=options["vad_offset"]
        )
        return merged

    def _detected(
        self, waves: Sequence[Wave], languages: Mapping[int, str | None]
    ) -> dict[int, tuple[str, float | None]]:
        """Returns each recording's language: the given one, or the one detected in its first 30 s and how probable."""
        known: dict[int, tuple[str, float | None]] = {
            index: (language, None) for index, language in languages.items() if language
        }
        unknown = [index for index in languages if index not in known]
        for batch in _batches(unknown, self._batch_size):
            features = self._features([waves[index][: 30 * SAMPLE_RATE] for index in batch])
            found = self._pipeline.model.model.detect_language(self._pipeline.model.encode(features))
            known |= {index: self._likeliest(ranked) for index, ranked in zip(batch, found, strict=True)}
        return known

    def _likeliest(self, ranked: Sequence[tuple[str, float]]) -> tuple[str, float | None]:
        """Returns the likeliest language and its probability; of the candidates if there are any.

        If whisper knows no candidate, it is the first one, so that `_result` says so.
        """
        codes = [(token.strip("<|>"), probability) for token, probability in ranked]
        if not self._candidates:
            return codes[0]
        return next((found for found in codes if found[0] in self._candidates), (self._candidates[0], None))

    def _heard(
        self, stretches: Sequence[tuple[int, dict[str, Any]]], waves: Sequence[Wave], language: str
    ) -> Iterator[tuple[int, Heard]]:
        """Yields what is heard in each stretch that has text, in order, with the index of its recording."""
        from faster_whisper.tokenizer import Tokenizer

        model = self._pipeline.model
        tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)
        for batch in _batches(stretches, self._batch_size):
            sounds = [
                waves[index][int(span["start"] * SAMPLE_RATE) : int(span["end"] * SAMPLE_RATE)] for index, span in batch
            ]
            found = decoded(model, self._features(sounds), tokenizer, self._pipeline.options)
            for (index, span), (text, score, silent) in zip(batch, found, strict=True):
                if text.strip():
                    times = round(span["start"], 3), round(span["end"], 3)
                    yield index, Heard(text, *times, score, silent, compression_ratio(text), language, None)

    def _features(self, sounds: Sequence[Wave]) -> Any:
        """Returns whisper's input features of sounds, each padded to 30 s."""
        import torch

        return torch.stack([self._pipeline.preprocess({"inputs": sound})["inputs"] for sound in sounds]).numpy()

    def _result(self, wave: Wave, language: str | None, heard: list[Heard]) -> dict[str, Any] | TextError:
        if language is not None and language not in self._pipeline.model.supported_languages:
            return TextError(f"whisper doesn't know `{language}`: give its recordings transcripts.")
        segments = [{"text": one.text, "start": one.start, "end": one.end} for one in heard]
        if not segments or language is None:
            return {"language": language, "segments": []}
        try:
            language = normalise_code(language)
        except TextError as error:
            return TextError(
                f"whisper detected an unsupported language: {error} Set the language: `--set transcribe.language=CODE`."
            )
        aligned = self._aligners.align_heard(segments, language, wave) if self._aligners else segments
        return {"language": language, "segments": aligned, "heard": heard}


def _batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _bundled_silero(chunk_s: float) -> "Vad":
    """Returns silero's detector from the faster-whisper package, because whisperX's downloads it from GitHub."""
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
