"""How long a test waits for what must come."""

HANG_S = 600.0
"""Only what hangs takes so many seconds, however busy the machine is; a test that is about a deadline has its own."""
