"""Tables of recordings and texts that trainers use: which column is which, a family of layouts a file."""
