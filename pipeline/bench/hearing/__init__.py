"""Benchmarks of hearing: how well and how fast, how certainly, against the sound, and of aligning."""
