"""The decoding engine: many responses in one batch, which rows enter and leave between steps."""
