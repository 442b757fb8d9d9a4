"""Plans, makes, counts and commits the shards of a stage."""
