"""Parts of recognition by whisper: weights, voice activity, windows, and words placed by attention."""
