"""Networks that judge sound: speaker vectors and opinion scores."""
