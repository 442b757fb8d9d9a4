"""The JSON of speech recognisers, a file each."""
