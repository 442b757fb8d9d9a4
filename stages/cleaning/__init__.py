"""Cleans recordings: the table of cleaners, long recordings piece by piece, and where the cleaned ones lie."""
