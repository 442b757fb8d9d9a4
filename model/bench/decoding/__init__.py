"""Benchmarks of decoding: steps, heads ahead, guidance, samplers, modes, many responses at once."""
