"""The dataset's folder: what it was made from and with, and who works on it."""
