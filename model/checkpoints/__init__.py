"""Reads, writes and exports checkpoints."""
