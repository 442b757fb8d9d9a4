"""The stages of the pipeline, one module each, and rooms with what they use."""
