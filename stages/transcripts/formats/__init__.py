"""Formats of transcript files, a file each; those of recognisers stand in `recognisers`."""
