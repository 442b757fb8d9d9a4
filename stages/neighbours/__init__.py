"""Which utterances are alike: their features, and the search."""
