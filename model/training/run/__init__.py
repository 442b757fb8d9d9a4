"""A run from the user's side: progress, signals, lock, failures."""
