"""Recordings in object storage: listed once, read in ranges, kept in a bounded cache on the worker's disk."""
