"""Keeps the page to itself: it loads nothing from elsewhere, and takes no file but those that were sent to it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders

from model.serving.errors import RefusedError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # the plots compile their drawings
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
"""Of every answer: the page loads nothing from elsewhere, and no other page may frame it."""
_UPLOAD = "multipart/form-data"


class Sealed:
    """Middleware (ASGI) around the application.

    Every answer gets headers. A request that names a file which doesn't lie in the page's own folder is refused, an
    address of the web too: Gradio would copy the file there, or fetch it.

    Args:
        app: The application.
        folder: The folder of uploads and results.
    """

    def __init__(self, app: "ASGIApp", *, folder: Path) -> None:
        self._app = app
        self._folder = folder.resolve()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Passes on a request.

        Raises:
            RefusedError: if it names a file that isn't the page's.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = ended = False

        async def sealed(message: "Message") -> None:
            nonlocal begun, ended
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(_HEADERS)
            elif message["type"] == "http.response.body":
                ended = not message.get("more_body", False)
            await send(message)

        named = scope["method"] != "GET" and scope["path"].startswith("/gradio_api/")
        if named and _UPLOAD not in Headers(scope=scope).get("content-type", "").lower():
            receive = await self._checked(receive)
        try:
            await self._app(scope, receive, sealed)
        except asyncio.CancelledError:
            # Only the end of the server cancels: a page that is open still listens for news.
            if begun and not ended:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _checked(self, receive: "Receive") -> "Receive":
        """Reads a body, and returns what reads it again."""
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        try:
            values = json.loads(body) if body else None
        except ValueError:
            values = None  # for Gradio to refuse
        except RecursionError as error:
            raise RefusedError(422, "The body is nested too deep.") from error
        for path in _paths(values):
            if not self._is_own(path):
                raise RefusedError(403, "A file must be uploaded before it is used.", code="foreign_file")
        rest = iter(messages)

        async def again() -> "Message":
            return next(rest, None) or await receive()

        return again

    def _is_own(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self._folder)
        except (OSError, ValueError):
            return False


def _paths(values: Any) -> Iterator[str]:
    """Yields the paths of all files that a request names, however deep."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(path := value.get("path"), str):
                yield path
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
