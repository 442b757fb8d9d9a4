"""Chinese."""

from stages.text.spoken.languages.zh.rules import LANGUAGE

__all__ = ["LANGUAGE"]
