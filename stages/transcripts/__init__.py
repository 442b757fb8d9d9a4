"""Reading the transcripts that lie beside recordings: a file a format."""
