"""What benchmarks share: calls per second of several sides, random models and data."""
