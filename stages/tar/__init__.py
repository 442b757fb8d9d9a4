"""Files inside tar files, read where they lie."""
