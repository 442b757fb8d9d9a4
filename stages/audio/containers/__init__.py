"""What a file's bytes say of the sound in it, without decoding: its container, its length, and whether it is whole."""
