"""Languages, and text to phonemes."""
