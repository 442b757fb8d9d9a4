"""Neural audio codecs, one file each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.codecs.table import codec_embeddings, codec_identity, identity_of, load_codec

__all__ = ["codec_embeddings", "codec_identity", "identity_of", "load_codec"]


def __getattr__(name: str) -> object:
    """Imports an entry point on first use: importing one module of this room loads no other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stages.codecs import table

    found: object = getattr(table, name)
    return found
