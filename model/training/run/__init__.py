"""A run as its user sees it: progress, signals, lock, failures."""
