"""Asks a server of one's own, for the benchmark and the proof; others have OpenAI's clients."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


def ask_speech(url: str, fields: Mapping[str, Any]) -> tuple[int, bytes]:
    """Asks a server for speech; returns the status and the body of its answer.

    Args:
        url: Of the server.
        fields: The body of `POST /v1/audio/speech`; those that are None are left out.
    """
    connection = HTTPConnection(str(urlsplit(url).netloc))
    try:
        body = json.dumps({name: value for name, value in fields.items() if value is not None})
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
