"""Decoding step by step, as fast as the machine lets it."""

from typing import Literal

Quantization = Literal["none", "int8"]
"""How weights are held while codebook 0 is decoded; `int8` is for CPUs."""
