"""Commands that are not stages: `decode`, `import`, `inspect` and `validate`."""
