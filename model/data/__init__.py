"""What the trainer reads: utterances drawn, read and packed."""
