"""`valle-prep`: plans the stages, runs them on shards and accounts for every item."""
