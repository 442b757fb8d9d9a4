"""Files of a dataset: shards with receipts, Parquet, and files that appear whole or not at all."""
