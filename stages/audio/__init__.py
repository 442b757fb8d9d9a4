"""Reading, measuring, mixing and writing audio."""
