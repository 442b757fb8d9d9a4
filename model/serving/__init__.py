"""The server: OpenAI's speech interface over HTTP."""
