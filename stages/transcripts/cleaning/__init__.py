"""What isn't speech in a text: sounds, songs, markup, labels of speakers."""
