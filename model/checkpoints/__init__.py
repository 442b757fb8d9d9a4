"""Everything needed to speak or to train on, on disk."""
