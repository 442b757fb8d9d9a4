"""Where the espeak-ng of the `espeakng-loader` wheel lies; the only place that knows.

phonemizer finds it through two environment variables, which child processes inherit; set any other way, a child would
silently use the system's espeak, whose phonemes differ.
"""

import os
from pathlib import Path

from stages.errors import WeightsError

_LONGEST_DATA_PATH = 159
"""espeak-ng keeps paths in buffers of fixed size and ends the whole process where its data can't be opened."""


def locate() -> tuple[Path, Path]:
    """Returns the shared library of espeak-ng and its folder of language data.

    Raises:
        WeightsError: if the wheel is missing or incomplete, or lies where espeak-ng can't open its data.
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
    """Points phonemizer, in this process and its children, to the wheel's espeak-ng; raises as `locate` does."""
    library, data = locate()
    os.environ["PHONEMIZER_ESPEAK_LIBRARY"] = str(library)
    os.environ["PHONEMIZER_ESPEAK_DATA_PATH"] = str(data)
