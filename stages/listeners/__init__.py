"""What judges audio as listeners do: networks and measures of speakers, opinions, voice and reverberation."""
