"""Corpus layouts: how the tables of public corpora are read."""
