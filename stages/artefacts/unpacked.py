"""Keeps what a package has packed unpacked in the user's cache, so that processes map it and needn't unpack it.

$XDG_CACHE_HOME/valle-prep/unpacked/<name>-<checksum of the packed file>/
"""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from stages.artefacts.disk import sync
from stages.artefacts.manifest import file_digest
from stages.machine import user_cache

_SHOWN = 16
"""Hexadecimal digits kept of a checksum."""


def unpacked(packed: Path, name: str, unpack: Callable[[Path], None]) -> Path | None:
    """Returns the folder that holds what was packed; unpacks it if it isn't there.

    Processes may do so at the same time: the first one's folder stays.

    Args:
        packed: The packed file. With another content it gets another folder.
        name: The folder's name, before the checksum.
        unpack: Writes files into a new folder.

    Returns:
        The folder; None if nothing can be kept there.
    """
    try:
        kept = user_cache() / "valle-prep" / "unpacked" / f"{name}-{file_digest(packed)[:_SHOWN]}"
        if kept.is_dir():
            return kept
        temporary = kept.with_name(f".{uuid.uuid4().hex}.tmp")
        temporary.mkdir(parents=True)
    except (OSError, RuntimeError):  # the latter: nobody's home
        return None
    try:
        unpack(temporary)
        for path in temporary.iterdir():
            sync(path)
        temporary.rename(kept)
    except OSError:  # the disk is full, or another process was faster
        return kept if kept.is_dir() else None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return kept
