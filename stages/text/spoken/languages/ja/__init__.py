"""Japanese."""

from stages.text.spoken.languages.ja.rules import LANGUAGE

__all__ = ["LANGUAGE"]
