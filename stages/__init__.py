"""What can be done to speech: one module per stage, and the leaf modules below them."""
