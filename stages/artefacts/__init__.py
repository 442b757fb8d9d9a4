"""A dataset's files: sealed shards, Parquet tables, locks and atomic writes."""
