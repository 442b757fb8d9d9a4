"""Networks that judge audio: speaker vectors and predicted opinion scores."""
