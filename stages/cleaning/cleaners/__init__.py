"""The cleaners: one file each, found by `stages.cleaning.table`."""
