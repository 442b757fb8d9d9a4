"""Similar utterances: feature vectors, and the search for the nearest."""
