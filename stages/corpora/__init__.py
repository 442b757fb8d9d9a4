"""Finding recordings, and reading the tables of their corpora."""
