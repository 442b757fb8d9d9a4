"""Decoding step by step, as fast as the machine lets it."""

from typing import Literal

Quantization = Literal["none", "int8"]
"""How the weights of the linear layers are held; `int8` is for CPUs."""
