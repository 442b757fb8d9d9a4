"""Speaks, transforms and transcribes: text and audio in, audio out."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.inference.requests import Request
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import Voice, mix

_HOMES = {
    "Request": "requests",
    "Speech": "speech",
    "Synthesizer": "synthesizer",
    "Voice": "voices",
    "mix": "voices",
}
__all__ = ["Request", "Speech", "Synthesizer", "Voice", "mix"]


def __getattr__(name: str) -> object:
    """Imports a name on first use, so that importing a module of this room loads no other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"model.inference.{_HOMES[name]}"), name)
    return found
