"""Ids in, ids out: how the codes of a response are made."""
