"""Waves of a text's parts: decoded while they are made, and joined."""
