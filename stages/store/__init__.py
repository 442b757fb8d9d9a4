"""The HDF5 store: shards, an index, and a memory-mapping reader."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.store.reader import open_store

__all__ = ["open_store"]


def __getattr__(name: str) -> object:
    """Imports an entry point on first use: importing one module of this room loads no other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stages.store import reader

    found: object = getattr(reader, name)
    return found
