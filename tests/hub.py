"""A small Hugging Face hub on loopback: repositories, whose files come with the commits, and errors on demand."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "hf_test"


class Hub:
    """What it holds, and how it answers."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.made: list[dict[str, Any]] = []
        self.commits = 0
        self.status: dict[str, int] = {}
        """Statuses to answer with, by the end of a path: `create`, `preupload`, `commit`."""
        self.url = ""


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: Any, status: int = 200) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            name = self.path.split("?")[0]
            repo = name.removeprefix("/api/").split("/revision/")[0].split("/tree/")[0].partition("/")[2]
            if repo in hub.files:
                self._answer({"id": repo, "sha": "0" * 40, "siblings": [], "private": True})
            else:
                self._answer({"error": "Repository not found"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            step = next((name for name in ("create", "preupload", "commit") if f"/{name}" in self.path), "")
            if self.path == "/api/validate-yaml":
                self._answer({"errors": [], "warnings": []})
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer({"error": "Invalid username or password."}, 401)
            elif step in hub.status:
                self._answer({"error": "told to fail"}, hub.status[step])
            elif step == "create":
                asked = json.loads(body)
                repo = "/".join(filter(None, (asked.get("organization"), asked["name"])))
                private = asked.get("private", asked.get("visibility") == "private")
                hub.made.append({"repo": repo, "type": asked.get("type", "model"), "private": private})
                hub.files.setdefault(repo, {})
                self._answer({"url": f"{hub.url}/{repo}", "name": repo, "id": repo})
            elif step == "preupload":
                paths = [one["path"] for one in json.loads(body)["files"]]
                self._answer(
                    {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]}
                )
            elif step == "commit":
                self._commit(body)
            else:
                self._answer({"error": f"unknown {self.path}"}, 404)

        def _commit(self, body: bytes) -> None:
            repo = "/".join(self.path.split("/api/")[1].split("/commit/")[0].split("/")[1:])
            for line in body.decode().splitlines():
                one = json.loads(line)
                if one["key"] == "file":
                    hub.files[repo][one["value"]["path"]] = base64.b64decode(one["value"]["content"])
            hub.commits += 1
            self._answer({"commitUrl": f"{hub.url}/{repo}/commit/1", "commitOid": "1" * 40, "pullRequestUrl": None})

    return Handler


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Runs a hub that the hub's own package then reaches, with a token that it takes."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    reach(monkeypatch, hub.url)
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reach(monkeypatch: pytest.MonkeyPatch, url: str, token: str = TOKEN) -> None:
    """Lets the hub's package reach an address. It reads the environment when it is imported, so this is set there."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", token)
