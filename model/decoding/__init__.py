"""Generates the codes of a response: ids in, ids out."""
