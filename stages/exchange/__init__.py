"""Other tools' formats: exports, and codes that another VALL-E made."""
