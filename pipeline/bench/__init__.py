"""Benchmarks of the stages and of the runner."""
