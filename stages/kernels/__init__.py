"""What the codecs compute on the CPU, faster than their libraries do.

The networks (see `conv.py`), and PyTorch's own operations without its modules (`aten.py`).
"""
