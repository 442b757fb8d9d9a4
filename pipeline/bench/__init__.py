"""Benchmarks of the stages and the runner, run by `make bench`."""
