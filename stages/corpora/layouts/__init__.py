"""Corpus layouts: a file, or a row in one, for each."""
