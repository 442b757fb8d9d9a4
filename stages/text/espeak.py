"""Finds espeak-ng in the `espeakng-loader` wheel; no other module does.

phonemizer is pointed to it by two environment variables, because child processes inherit them. Otherwise a child would
silently use the system's espeak, which gives other phonemes.
"""

import os
from pathlib import Path

from stages.errors import WeightsError

_LONGEST_DATA_PATH = 159
"""Bytes. espeak-ng keeps paths in fixed buffers and exits the whole process if it can't open its data."""


def locate() -> tuple[Path, Path]:
    """Returns the paths of espeak-ng's shared library and of its language data.

    Raises:
        WeightsError: if the wheel is missing or incomplete, or its path is too long for espeak-ng.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise WeightsError("espeak-ng must be installed, but is missing. Run `pip install espeakng-loader`.") from error

    library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.__file__).parent / "espeak-ng-data"
    if not library.is_file() or not (data / "phontab").is_file():
        raise WeightsError(
            f"`{library.parent}` must hold espeak-ng and its data, but doesn't."
            " Run `pip install --force-reinstall espeakng-loader`."
        )
    if len(os.fsencode(data)) > _LONGEST_DATA_PATH:
        raise WeightsError(
            f"`{data}` must be at most {_LONGEST_DATA_PATH} bytes long for espeak-ng to open it, but has"
            f" {len(os.fsencode(data))}. Make the virtual environment in a folder with a shorter path."
        )
    return library, data


def configure() -> None:
    """Makes phonemizer use the wheel's espeak-ng, in this process and its children; raises as `locate`."""
    library, data = locate()
    os.environ["PHONEMIZER_ESPEAK_LIBRARY"] = str(library)
    os.environ["PHONEMIZER_ESPEAK_DATA_PATH"] = str(data)
