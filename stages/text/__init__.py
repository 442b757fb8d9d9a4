"""Languages, and turning text into phonemes."""
