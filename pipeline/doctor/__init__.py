"""`valle-prep doctor`: checks whether this machine can run the pipeline."""
