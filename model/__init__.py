"""The network, and everything that trains, samples or scores it: `valle`."""
