"""Transcript formats: how the text files beside recordings are read."""
