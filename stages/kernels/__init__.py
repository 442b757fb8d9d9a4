"""The codecs' networks on the CPU, computed faster than their libraries do; see `conv.py` for how."""
