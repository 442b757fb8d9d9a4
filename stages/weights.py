"""The codecs' weights: finding them, and reading them into their libraries' models without running code from them.

They are looked for in the same order for all: the path that is given, the environment variable, the cache of the
codec's library, and that library's own download, which `download=False` forbids.
"""

import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stages.errors import NotFetchedError, UsageError, WeightsError
from stages.manifest import file_digest

if TYPE_CHECKING:
    import torch

ENCODEC_FILE = "encodec_24khz-d7cc33bc.th"
VOCOS_REPOSITORY = "charactr/vocos-encodec-24khz"
VOCOS_FILES = ("config.yaml", "pytorch_model.bin")
DAC_RELEASES = {
    44_100: ("0.0.1", "weights.pth"),
    24_000: ("0.0.4", "weights_24khz.pth"),
    16_000: ("0.0.5", "weights_16khz.pth"),
}
"""Sample rate in Hz -> release and its file."""
_DAC_SIZES = ("encoder_rates", "n_codebooks", "codebook_size", "sample_rate")
_DAC_WIDTHS = ("encoder_dim", "latent_dim", "decoder_dim", "decoder_rates", "codebook_dim")


def find_encodec(weights: str | Path | None, *, download: bool = True) -> Path:
    """Returns EnCodec's state dict; a folder that holds one `.th` file will do.

    Raises:
        WeightsError: if it is neither at hand nor to be fetched; so do the others.
    """
    given = _given(weights, "VALLE_ENCODEC_WEIGHTS")
    if given:
        return _single_file(given, "*.th", "encodec")
    cached = torch_hub() / "checkpoints" / ENCODEC_FILE
    if not cached.is_file():
        url = f"https://dl.fbaipublicfiles.com/encodec/v0/{ENCODEC_FILE}"
        with _downloading("encodec", "VALLE_ENCODEC_WEIGHTS", cached, url, download), _no_deprecations():
            from encodec import EncodecModel

            EncodecModel.encodec_model_24khz(pretrained=True)
    return cached


def find_vocos(weights: str | Path | None, *, download: bool = True) -> tuple[Path, Path]:
    """Returns Vocos' folder, and EnCodec's state dict: the `.th` file in the folder, or else as `find_encodec`."""
    given = _given(weights, "VALLE_VOCOS_WEIGHTS")
    folder = given or _vocos_from_hub(download)
    missing = [name for name in VOCOS_FILES if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"`{folder}` must be a folder with Vocos' `config.yaml` and `pytorch_model.bin`, but has no `{missing[0]}`."
            f" Put the files of {VOCOS_REPOSITORY} (Hugging Face hub) into it."
        )
    return folder, find_encodec(folder if any(folder.glob("*.th")) else None, download=download)


def find_dac(weights: str | Path | None, sample_rate: int | None, *, download: bool = True) -> Path:
    """Returns a file that `DAC.save(path, package=False)` wrote; `sample_rate` says which one to fetch, in Hz."""
    given = _given(weights, "VALLE_DAC_WEIGHTS")
    if given:
        return _single_file(given, "*.pth", "dac")
    rate = sample_rate or 44_100
    if rate not in DAC_RELEASES:
        rates = ", ".join(str(rate) for rate in DAC_RELEASES)
        raise UsageError(f"`dac` must run at one of {rates} Hz, but {rate} Hz is asked for.")
    release, file = DAC_RELEASES[rate]
    model = f"{rate // 1000}khz"
    cached = Path.home() / ".cache" / "descript" / "dac" / f"weights_{model}_8kbps_{release}.pth"
    if not cached.is_file():
        url = f"https://github.com/descriptinc/descript-audio-codec/releases/download/{release}/{file}"
        with _downloading("dac", "VALLE_DAC_WEIGHTS", cached, url, download), _no_deprecations():
            from dac.utils import download as fetch

            fetch(model_type=model)
    return cached


def revision_of(path: Path) -> str:
    """Returns the short SHA-256 of a weights file."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


def encodec_model(path: Path) -> "torch.nn.Module":
    """Loads EnCodec's 24 kHz model, set to 6 kbps.

    Raises:
        WeightsError: if the file is something else; so do the others.
    """
    state = _read_state(path)
    with _no_deprecations():
        from encodec import EncodecModel

        model: torch.nn.Module = EncodecModel.encodec_model_24khz(pretrained=False)
    _load_state(model, state, path)
    model.set_target_bandwidth(6.0)  # type: ignore[operator]
    return model


def vocos_model(folder: Path, vectors: int) -> "torch.nn.Module":
    """Loads Vocos without the EnCodec inside it, which would be downloaded.

    Args:
        folder: Holds `config.yaml` and `pytorch_model.bin`.
        vectors: K * V of EnCodec at 6 kbps; Vocos brings its own copy of them.

    Returns:
        A module with `backbone`, `head`, the buffer `codebooks_VD`, one codebook after the other, and `bandwidths`
        in kbps, among which 6.0.
    """
    import torch
    import yaml
    from vocos import heads, models

    config_path, state_path = (folder / name for name in VOCOS_FILES)
    state = _read_state(state_path)
    model = torch.nn.Module()
    try:
        config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
        model.backbone = _build(models, config["backbone"])
        model.head = _build(heads, config["head"])
        bandwidths = config["feature_extractor"]["init_args"].get("bandwidths", [1.5, 3.0, 6.0, 12.0])
        codebooks_VD = state["feature_extractor.codebook_weights"]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"`{folder}` must hold a Vocos model over EnCodec's codes, but doesn't ({_reason(error)})."
            " Fetch its two files again."
        ) from error
    if 6.0 not in bandwidths or len(codebooks_VD) < vectors:
        raise WeightsError(
            f"`{config_path}` must be of a model for 6 kbps with {vectors} vectors, but is of one for {bandwidths} kbps"
            f" with {len(codebooks_VD)}. Give the model for EnCodec at 24 kHz."
        )
    _load_state(model, state, state_path)
    model.register_buffer("codebooks_VD", codebooks_VD)
    model.bandwidths = bandwidths
    return model.eval()


def dac_sizes(path: Path) -> dict[str, Any]:
    """Returns the arguments of `dac.DAC` that a weights file holds beside its tensors, without loading those."""
    try:
        sizes = _read_state(path, tensors=False)["metadata"]["kwargs"]
        widths = {name: sizes[name] for name in _DAC_WIDTHS if name in sizes}
        return {name: sizes[name] for name in _DAC_SIZES} | widths
    except (KeyError, TypeError) as error:
        raise WeightsError(
            f"`{path}` must be weights of `dac` with their sizes beside them, but has no {error}."
            " Save them with `DAC.save(path, package=False)`."
        ) from error


def dac_model(path: Path) -> "torch.nn.Module":
    """Loads what `DAC.load` loads, except that a missing tensor is an error and no pickled code is run."""
    with _no_deprecations():
        from dac import DAC

        model: torch.nn.Module = DAC(**dac_sizes(path))
    _load_state(model, _read_state(path)["state_dict"], path)
    return model


def _build(module: ModuleType, section: Mapping[str, Any]) -> "torch.nn.Module":
    """Builds the class that Vocos' configuration names, if it lives in `module`: no others may be called from there."""
    name = section["class_path"].removeprefix(f"{module.__name__}.")
    built: torch.nn.Module = getattr(module, name)(**section["init_args"])
    return built


def _read_state(path: Path, *, tensors: bool = True) -> dict[str, Any]:
    """Reads a dictionary that `torch.save` wrote; without `tensors` those stay on the disk."""
    import torch

    lazily = not tensors and zipfile.is_zipfile(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"`{path}` must be weights that `torch.save` wrote, but can't be read ({type(error).__name__})."
            " It is truncated or another kind of file: fetch it again."
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"`{path}` must hold a state dict, but holds a {type(state).__name__}. Give another file.")
    return state


def _load_state(model: "torch.nn.Module", state: Mapping[str, Any], path: Path) -> None:
    """Loads a state dict that holds every tensor of the model, of the right size; others are left alone."""
    try:
        missing = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip().rstrip(".")
    else:
        if not missing:
            return
        problem = f"{len(missing)} tensors are missing, such as {missing[0]}"
    raise WeightsError(f"`{path}` must fit {type(model).__name__}, but doesn't: {problem}. Give that model's weights.")


@contextmanager
def _no_deprecations() -> Iterator[None]:
    """Hides warnings of what the codecs' libraries use and torch has deprecated since: nobody here can mend it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _given(weights: str | Path | None, variable: str) -> Path | None:
    value = weights or os.environ.get(variable)
    return Path(value).expanduser() if value else None


def _single_file(path: Path, pattern: str, codec: str) -> Path:
    """Returns the file, or the only one of a folder that matches."""
    if path.is_file():
        return path
    found = sorted(path.glob(pattern))
    if len(found) != 1:
        what = f"holds {len(found)} of them" if path.is_dir() else "isn't there"
        raise WeightsError(
            f"`{path}` must be the weights of `{codec}` (a `{pattern}` file, or a folder with one), but {what}."
            " Give the path of the file."
        )
    return found[0]


def torch_hub() -> Path:
    """Returns where torch.hub keeps what it fetched, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub"


def _vocos_from_hub(download: bool) -> Path:
    from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache

    paths = [try_to_load_from_cache(VOCOS_REPOSITORY, name) for name in VOCOS_FILES]
    if not all(isinstance(path, str) for path in paths):
        url = hf_hub_url(VOCOS_REPOSITORY, VOCOS_FILES[0])
        with _downloading("vocos", "VALLE_VOCOS_WEIGHTS", Path(constants.HF_HUB_CACHE), url, download):
            if not constants.HF_HUB_OFFLINE:
                _reach(url)
            paths = [hf_hub_download(VOCOS_REPOSITORY, name) for name in VOCOS_FILES]
    return Path(str(paths[0])).parent


def _reach(url: str) -> None:
    """Raises `OSError` where the hub can't be reached; its own client would go on trying for half a minute."""
    from urllib.request import Request, urlopen

    urlopen(Request(url, method="HEAD"), timeout=10).close()


_may_fetch = ContextVar("_may_fetch", default=True)


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Forbids all downloads of codecs' weights for as long as it lasts."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


@contextmanager
def _downloading(codec: str, variable: str, cached: Path, url: str, allowed: bool) -> Iterator[None]:
    """Turns whatever a library's download raises, or that it isn't allowed, into a line with every way to weights."""
    nowhere = (
        f"`{codec}` needs its weights, but neither `encode.weights` nor `{variable}` names them, `{cached}` doesn't"
        " hold them, and"
    )
    ways_out = (
        f"Fetch it on another machine and set `encode.weights` or `{variable}` to its path, or use"
        " `encode.codec=embedded`, which needs no download."
    )
    if not (allowed and _may_fetch.get()):
        raise NotFetchedError(f"{nowhere} {url} isn't fetched yet: `valle-prep encode` does that. {ways_out}")
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{nowhere} {url} can't be fetched ({_reason(error)}). {ways_out}") from error


def _reason(error: Exception) -> str:
    """Returns the error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:100]}"


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001
    return file_digest(path)[:16]
