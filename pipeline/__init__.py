"""Which stage, on which shard, when, and what came of it: `valle-prep`."""
