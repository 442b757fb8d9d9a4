"""A store on loopback: a server that speaks enough of S3 to list and read, or lists its folders as pages of links.

It answers as the API's reference says (ListObjectsV2, HeadObject, GetObject with `Range` and `If-Match`); and it fails
as it is told to.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "corpus"


@dataclass
class Served:
    """What a server holds, what it was asked, and how it fails."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    """By key."""
    asked: list[str] = field(default_factory=list)
    """`METHOD key range` of each request; of a listing `LIST prefix`."""
    fault: Callable[[str], str] = lambda _: ""
    """Takes such a line; returns `503`, `403`, `cut`, `slow` or "" for a good answer."""
    key_id: str = ""
    """The access key that is asked for; "" for none."""
    tags: str = "strong"
    """What ETags the web server gives: `strong`, `weak` or `none`."""
    ranges: bool = True

    def take(self, folder: Path, below: str = "") -> None:
        """Takes all files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.objects[f"{below}{path.relative_to(folder)}"] = path.read_bytes()

    def tag(self, key: str) -> str:
        return hashlib.md5(self.objects[key]).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = unquote(parts.path).lstrip("/")
        line = f"LIST {query.get('prefix', '')}" if "list-type" in query else f"{self.command} {self._key(path)}"
        told = self.headers.get("Range")
        self.served.asked.append(f"{line} {told}" if told else line)
        fault = self.served.fault(self.served.asked[-1])
        if self.served.key_id and f"Credential={self.served.key_id}/" not in self.headers.get("Authorization", ""):
            self._refuse(403, "AccessDenied")
        elif fault == "slow":
            time.sleep(3)
            self._refuse(503, "SlowDown")
        elif fault.isdigit():
            self._refuse(int(fault), {"503": "ServiceUnavailable", "403": "AccessDenied"}.get(fault, "InternalError"))
        elif fault and fault != "cut":
            self._refuse(403, fault)
        elif "list-type" in query:
            self._list(query)
        else:
            self._file(self._key(path), cut=fault == "cut")

    def _key(self, path: str) -> str:
        return path.partition("/")[2]

    def _list(self, query: dict[str, str]) -> None:
        after, prefix = query.get("continuation-token", ""), query.get("prefix", "")
        keys = sorted((k for k in self.served.objects if k.startswith(prefix) and k > after), key=str.encode)
        page = keys[: int(query.get("max-keys", "1000"))]
        quoted = quote if query.get("encoding-type") == "url" else escape

        def tag(key: str) -> str:
            return "" if self.served.tags == "none" else f"<ETag>&quot;{self.served.tag(key)}&quot;</ETag>"

        rows = "".join(
            f"<Contents><Key>{quoted(key)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            f"{tag(key)}<Size>{len(self.served.objects[key])}</Size></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        encoding = "<EncodingType>url</EncodingType>" if quoted is quote else ""
        self._answer(
            200,
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{encoding}{token}{rows}"
            "</ListBucketResult>",
        )

    def _file(self, key: str, *, cut: bool) -> None:
        content = self.served.objects.get(key)
        if content is None:
            self._refuse(404, "NoSuchKey")
            return
        tag = f'"{self.served.tag(key)}"'
        if self.headers.get("If-Match", tag) != tag:
            self._refuse(412, "PreconditionFailed")
            return
        start, end, status = 0, len(content), 200
        if (wanted := self.headers.get("Range")) and self.served.ranges:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
            start, end, status = int(first), min(int(last or end) + 1, end), 206
        headers = {"Last-Modified": formatdate(1_767_323_045, usegmt=True), "Accept-Ranges": "bytes"}
        if self.served.tags != "none":
            headers["ETag"] = f"W/{tag}" if self.served.tags == "weak" else tag
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        self._answer(status, content[start:end], headers, cut=cut)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>")

    def _answer(self, status: int, body: str | bytes, headers: dict[str, str] | None = None, *, cut: bool = False):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in ({"Content-Type": "application/xml"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()


class _Pages(_Handler):
    """A web server with pages of links, below `/files/`."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        below = path.removeprefix("/files/")
        if not path.endswith("/"):
            super().do_GET()
            return
        self.served.asked.append(f"PAGE {below}")
        inside = {key.removeprefix(below) for key in self.served.objects if key.startswith(below)}
        names = sorted({name.partition("/")[0] + "/" * ("/" in name) for name in inside})
        links = "".join(f'<a href="{quote(name)}">{escape(name)}</a>\n' for name in names)
        self._answer(200, f'<a href="?C=N;O=D">Name</a><a href="../">up</a>{links}', {"Content-Type": "text/html"})


@contextmanager
def serving(kind: str = "s3") -> Iterator[Served]:
    """Starts a server, `s3` or `http`."""
    served = Served()
    handler = type("Handler", (_Handler if kind == "s3" else _Pages,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
