"""Benchmarks: training, decoding, loading."""
