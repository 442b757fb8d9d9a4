"""Benchmarks of training, decoding and data loading: `valle bench`."""
