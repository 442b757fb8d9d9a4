"""Speaks, transforms and transcribes: text and audio in, audio out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.inference.requests import Request
    from model.inference.synthesizer import Speech, Synthesizer

__all__ = ["Request", "Speech", "Synthesizer"]


def __getattr__(name: str) -> object:
    """Imports a name on first use, so that importing a module of this room loads no other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from model.inference import requests, synthesizer

    found: object = getattr(requests if name == "Request" else synthesizer, name)
    return found
