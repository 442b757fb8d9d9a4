"""Korean."""

from stages.text.spoken.languages.ko.rules import LANGUAGE

__all__ = ["LANGUAGE"]
