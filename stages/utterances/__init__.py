"""Cutting utterances out of recordings, measuring them, and leaving some out."""
