"""Layouts of public corpora, a corpus or a family of them a file."""
