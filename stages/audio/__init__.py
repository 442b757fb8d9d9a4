"""Reading, measuring and writing audio."""
