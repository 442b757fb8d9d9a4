"""Samplers: pure functions on logits."""
