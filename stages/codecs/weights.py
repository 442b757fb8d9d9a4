"""Finds the codecs' weights, and loads them into the libraries' models without running code from the files.

The order of places is the same for all codecs: the given path, the environment variable, the cache of the codec's
library, and the library's own download, unless `download=False`.
"""

import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.artefacts.manifest import NOT_KNOWN, file_digest
from stages.errors import NotFetchedError, WeightsError
from stages.machine import may_fetch, user_cache

if TYPE_CHECKING:
    import torch

    from stages.codecs.codec import CodecRow


_CARD = "README.md"
"""The model card in a folder of the hub."""


def revision_of(path: Path) -> str:
    """Returns the short SHA-256 of a weights file."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


def read_state(path: Path, *, tensors: bool = True) -> dict[str, Any]:
    """Reads a dictionary that `torch.save` wrote.

    Args:
        path: The file.
        tensors: Whether to load the tensors; otherwise they are memory-mapped if the file is a zip archive.

    Raises:
        WeightsError: if the file can't be read or holds something else.
    """
    import torch

    lazily = not tensors and zipfile.is_zipfile(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"`{path}` must be weights that `torch.save` wrote, but can't be read ({type(error).__name__})."
            " It is truncated or another kind of file: download it again."
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"`{path}` must hold a state dict, but holds a {type(state).__name__}. Give another file.")
    return state


def load_state(model: "torch.nn.Module", state: Mapping[str, Any], path: Path) -> None:
    """Loads a state dict into a model. Tensors that the model doesn't have are ignored.

    Raises:
        WeightsError: if a tensor of the model is missing or has another size.
    """
    try:
        missing = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip().rstrip(".")
    else:
        if not missing:
            return
        problem = f"{len(missing)} tensors are missing, such as {missing[0]}"
    raise WeightsError(f"`{path}` must fit {type(model).__name__}, but doesn't: {problem}. Use that model's weights.")


@contextmanager
def no_deprecations() -> Iterator[None]:
    """Hides torch's deprecation warnings that are caused by the codecs' libraries, not by this code."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def variable_of(codec: str) -> str:
    """Returns the name of the environment variable of a codec's weights."""
    return f"VALLE_{codec.upper()}_WEIGHTS"


def named_weights(weights: str | Path | None, variable: str) -> Path | None:
    """Returns the given path, else the environment variable's, else None; `~` is expanded."""
    value = weights or os.environ.get(variable)
    return Path(value).expanduser() if value else None


def single_file(path: Path, pattern: str, codec: str) -> Path:
    """Returns the path of a file, or of the only match in a folder.

    Raises:
        WeightsError: if there is none, or several.
    """
    if path.is_file():
        return path
    found = sorted(path.glob(pattern))
    if len(found) != 1:
        what = f"holds {len(found)} of them" if path.is_dir() else "isn't there"
        raise WeightsError(
            f"`{path}` must be the weights of `{codec}` (a `{pattern}` file, or a folder with one), but {what}."
            " Give the path of the file itself."
        )
    return found[0]


def torch_hub() -> Path:
    """Returns the cache folder of torch.hub without importing torch."""
    return Path(os.environ.get("TORCH_HOME") or user_cache() / "torch").expanduser() / "hub"


@contextmanager
def downloading(codec: str, variable: str, cached: Path, url: str, allowed: bool) -> Iterator[None]:
    """Wraps a library's download, and raises one line that names every way to get the weights.

    Args:
        codec: Its name.
        variable: The environment variable that names its weights.
        cached: Where the library caches them.
        url: Where it downloads them from.
        allowed: Whether it may download.

    Raises:
        NotFetchedError: if downloads aren't allowed, by `allowed` or by `nothing_fetched`.
        WeightsError: if the download fails.
    """
    nowhere = (
        f"`{codec}` needs its weights, but neither `encode.weights` nor `{variable}` names them, they aren't in"
        f" `{cached}`, and"
    )
    ways_out = (
        f"Download it on another machine and set `encode.weights` or `{variable}` to its path, or use"
        " `encode.codec=embedded`, which needs no download."
    )
    if not (allowed and may_fetch()):
        raise NotFetchedError(f"{nowhere} {url} isn't downloaded yet: `valle-prep encode` does that. {ways_out}")
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{nowhere} {url} can't be downloaded ({reason_of(error)}). {ways_out}") from error


def hub_folder(
    codec: str, title: str, weights: str | Path | None, repository: str, files: Sequence[str], *, download: bool
) -> Path:
    """Returns the folder of a codec's files: the given one, the environment variable's, or the hub's cache.

    Args:
        codec: The name of its row.
        title: Its name as people write it.
        weights: As in `load_codec`.
        repository: The files' repository on the Hugging Face hub.
        files: Their names.
        download: Whether to download files that aren't on this machine.

    Raises:
        WeightsError: if a file is missing and can't be downloaded.
    """
    variable = variable_of(codec)
    folder = named_weights(weights, variable) or _from_hub(codec, repository, files, variable, download)
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        needed = " and ".join(f"`{file}`" for file in files)
        raise WeightsError(
            f"`{folder}` must be a folder with {needed} of {title}, but has no `{missing[0]}`. Put the files of"
            f" {repository} (Hugging Face hub) into it."
        )
    return folder


def _from_hub(codec: str, repository: str, files: Sequence[str], variable: str, allowed: bool) -> Path:
    """Returns the folder of a repository's files in the cache of the Hugging Face hub; downloads those that lack.

    Args:
        codec: Its name.
        repository: Such as `charactr/vocos-encodec-24khz`.
        files: What is needed of it.
        variable: The environment variable that names the codec's weights.
        allowed: Whether it may download.

    Raises:
        WeightsError: as `downloading`.
    """
    from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache

    paths = [try_to_load_from_cache(repository, name) for name in files]
    if not all(isinstance(path, str) for path in paths):
        url = hf_hub_url(repository, files[0])
        with downloading(codec, variable, Path(constants.HF_HUB_CACHE), url, allowed):
            if not constants.HF_HUB_OFFLINE:
                _reach(url)
            paths = [hf_hub_download(repository, name) for name in files]
    return Path(str(paths[0])).parent


def _reach(url: str) -> None:
    """Raises `OSError` if the hub can't be reached. Its own client would retry for half a minute."""
    from urllib.request import Request, urlopen

    urlopen(Request(url, method="HEAD"), timeout=10).close()


def licence_of(row: "CodecRow", weights: str | Path | None, revision: str) -> str:
    """Returns the licence of a codec's weights.

    That is the row's for the published weights: downloaded ones, those in the hub's cache and those whose content is
    known. Of a folder that was given, the model card says it (`README.md` with `license:`, as on the hub).

    Args:
        row: The codec's.
        weights: As in `load_codec`.
        revision: Of the weights in use.

    Returns:
        The licence, or `NOT_KNOWN`.
    """
    given = named_weights(weights, variable_of(row.name))
    if given is None or (row.digest and revision.startswith(row.digest)):
        return row.licence or NOT_KNOWN
    cached = "models--" + row.repository.replace("/", "--")
    if row.repository and cached in given.resolve().parts:
        return row.licence or NOT_KNOWN
    said = _card_licence(given / _CARD)
    return f"{said} (by its {_CARD})" if said else NOT_KNOWN


def _card_licence(path: Path) -> str:
    """Returns what the head of a model card calls its licence; "" if it doesn't."""
    import yaml

    try:
        head = path.read_text(encoding="utf-8").split("---\n", 2)
        about = yaml.safe_load(head[1]) if len(head) == 3 and not head[0].strip() else None
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    if not isinstance(about, dict):
        return ""
    names = [about.get("license_name"), about.get("license")]
    return " ".join(next((name for name in names if isinstance(name, str) and name != "other"), "").split())


def reason_of(error: Exception) -> str:
    """Returns an error's type and the first line of its message, at most 100 characters."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:100]}"


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001
    return file_digest(path)[:16]
