"""Texts of any length, divided into what can be spoken in one go; their languages."""
