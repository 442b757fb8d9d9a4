"""Speech recognition, alignment of known text, and speaker diarisation."""
