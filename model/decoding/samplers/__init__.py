"""Samplers: pure functions on logits, one file each."""
