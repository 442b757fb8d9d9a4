"""What every request passes first: the key, the host, the number and size of requests, and time limits."""

import asyncio
import base64
import binascii
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from model.serving.errors import RefusedError, answer
from model.serving.figures import Figures
from model.serving.settings import Settings, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATH = "/health"
"""The one path that needs no key."""


class Guard:
    """Middleware (ASGI) around the application.

    Args:
        app: The application.
        settings: The limits.
        figures: Where answers are counted.
        browsers: Whether a browser may send the key as a password, of any user, which it asks for.
    """

    def __init__(self, app: "ASGIApp", *, settings: Settings, figures: Figures, browsers: bool = False) -> None:
        self._app = app
        self._browsers = browsers
        self._settings = settings
        self._figures = figures
        self._posts = 0

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers what is refused; passes on the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 499

        async def watched(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await self._sent(send, message)

        counts = scope["method"] == "POST"
        self._posts += counts
        try:
            self._check(scope)
            await self._app(scope, self._limited(receive), watched)
        except RefusedError as error:
            refusal = answer(error, {})
            if error.status == 401 and self._browsers:
                refusal.headers["WWW-Authenticate"] = 'Basic realm="valle", charset="UTF-8"'
            await refusal(scope, receive, watched)
        except ClientDisconnect:
            self._figures.left()
        finally:
            self._posts -= counts
            path = getattr(scope.get("route"), "path", "other")
            self._figures.answered(path, status, time.perf_counter() - started)

    def _check(self, scope: "Scope") -> None:
        """Refuses a request by its head, before its body is read."""
        headers, settings = Headers(scope=scope), self._settings
        if scope["path"] == OPEN_PATH:
            return
        if settings.api_key is not None:
            given = _key(headers.get("authorization", ""), basic=self._browsers)
            if given is None or not secrets.compare_digest(given, settings.api_key.encode()):
                way = " (or, in a browser, the key as the password of any user)" if self._browsers else ""
                told = f"`Authorization` must be `Bearer` and this server's key{way}."
                raise RefusedError(401, told, code="invalid_key")
        elif not _is_own(headers.get("host", "")):
            # A page of the web whose name was made to point here must not use the model.
            raise RefusedError(403, "`Host` must be localhost or a loopback address on a server without a key.")
        if scope["method"] == "POST" and _is_from_elsewhere(headers):
            raise RefusedError(403, "`Origin` must be this server: a page of the web must not use the model.")
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > settings.max_body_bytes:
            raise self._too_large()
        if self._posts > settings.queue:
            raise RefusedError(429, "The queue is full. Try again in a moment.", code="queue_full")

    def _limited(self, receive: "Receive") -> "Receive":
        """Counts the body's bytes while they come, and the time that they take."""
        deadline, read_bytes, done = time.monotonic() + self._settings.read_s, 0, False

        async def limited() -> "Message":
            nonlocal read_bytes, done
            if done:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError as error:
                told = f"The body must come within {self._settings.read_s:g} s."
                raise RefusedError(408, told) from error
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._settings.max_body_bytes:
                raise self._too_large()
            done = not message.get("more_body", False)
            return message

        return limited

    def _too_large(self) -> RefusedError:
        told = f"The body must be at most {self._settings.max_upload_mb:g} MB. Send a shorter recording."
        return RefusedError(413, told, code="too_large")

    async def _sent(self, send: "Send", message: "Message") -> None:
        try:
            await asyncio.wait_for(send(message), self._settings.write_s)
        except TimeoutError as error:
            raise ClientDisconnect from error


def _key(authorization: str, *, basic: bool) -> bytes | None:
    """Returns the key that a request gives, whatever its bytes; None if it gives none."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode("latin-1", "replace")
    if scheme.lower() != "basic" or not basic:
        return None
    try:
        return base64.b64decode(given.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None


def _is_from_elsewhere(headers: Headers) -> bool:
    """Returns whether a browser sends a request for the page of another server.

    It does so with what it knows of this one, such as its key; programs that aren't browsers send neither header.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return False
    own = {headers.get(name, "").lower() for name in ("host", "x-forwarded-host")} - {""}
    return origin.lower().partition("://")[2] not in own


def _is_own(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
