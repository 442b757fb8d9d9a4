"""Finding recordings, and what a corpus tells of them."""
