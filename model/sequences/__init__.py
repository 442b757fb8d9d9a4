"""Turns utterances and tasks into sequences of ids."""
