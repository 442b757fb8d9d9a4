"""Scoring a model by published protocols."""
