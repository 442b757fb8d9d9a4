"""`valle-prep report`: shows a dataset as one HTML page."""
