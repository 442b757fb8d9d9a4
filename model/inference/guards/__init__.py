"""Guards speech against the known failures of codec language models, and chooses the best of several takes."""
