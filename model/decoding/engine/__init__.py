"""Decoding step by step, as fast as the machine lets it."""
