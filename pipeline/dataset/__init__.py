"""The dataset's folder: its recordings, configuration, checksums and lock."""
