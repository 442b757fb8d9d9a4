"""Other tools' formats: exports of a dataset, and the import of another VALL-E's codes."""
