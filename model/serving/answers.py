"""Answers with audio: whole, as a stream of bytes, or as events."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from model.serving.bodies import SpeechBody
from model.serving.errors import failure
from model.serving.figures import Figures
from stages.audio.encoding import FORMATS, StreamEncoder, encode
from stages.codecs.table import output_rate
from stages.errors import ValleError
from stages.records import Wave

if TYPE_CHECKING:
    from model.inference.requests import Request as Asked
    from model.inference.service import Service, SpeechStream

T = TypeVar("T")
_LOG = logging.getLogger("uvicorn.error")


async def waited(request: Request, service: "Service", future: "Future[T]") -> T:
    """Waits for what the model makes; takes it out of the queue if the client goes away first.

    Raises:
        ClientDisconnect: if the client went away.
    """
    return await _unless_gone(request, asyncio.wrap_future(future), lambda: service.cancel(future))


async def _unless_gone(request: Request, made: Awaitable[T], give_up: Callable[[], None]) -> T:
    work, gone = asyncio.ensure_future(made), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        gone.cancel()
        if not work.done():
            give_up()
            work.cancel()


async def _disconnected(request: Request) -> None:
    """Returns when the client is gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def whole(request: Request, service: "Service", asked: "Asked", body: "SpeechBody", figures: Figures) -> Response:
    """Answers with a file, when all of it is there."""
    speech = await waited(request, service, service.submit(asked))
    figures.spoke(speech.duration_s)
    file = await anyio.to_thread.run_sync(encode, speech.samples, speech.sample_rate, body.response_format)
    about = {
        "X-Speech-Seconds": f"{speech.duration_s:.3f}",
        "X-Speech-Language": speech.language,
        "X-Speech-Cut": str(speech.cut).lower(),
        "X-Speech-Takes": str(speech.takes),
        "X-Speech-Faults": ",".join(speech.faults) or "none",
    }
    return Response(file, headers=about, media_type=FORMATS[body.response_format].media_type)


async def streamed(
    request: Request, service: "Service", asked: "Asked", body: "SpeechBody", figures: Figures
) -> Response:
    """Answers with the file piece by piece, or with events; waits for the first piece, so that errors have a status."""
    codec = service.synthesizer.codec
    rate = output_rate(codec)
    chunks = _Chunks(request, service.stream(asked), rate, figures)
    first = await chunks.next()
    pieces = _pieces(chunks, first, StreamEncoder(rate, body.response_format))
    if body.stream_format == "audio":
        return _Stream(pieces, chunks, media_type=FORMATS[body.response_format].media_type)

    def usage() -> dict[str, int]:
        letters, frames = len(asked.text), round(chunks.samples / rate * codec.frame_rate)
        return {"input_tokens": letters, "output_tokens": frames, "total_tokens": letters + frames}

    return _Stream(_events(pieces, usage), chunks, media_type="text/event-stream")


class _Stream(StreamingResponse):
    """An answer piece by piece, that gives the rest up however it ends: also where a client stops reading."""

    def __init__(self, pieces: AsyncIterator[bytes], chunks: "_Chunks", *, media_type: str) -> None:
        super().__init__(pieces, media_type=media_type)
        self._chunks = chunks

    async def stream_response(self, send: Send) -> None:
        """Sends the pieces."""
        try:
            await super().stream_response(send)
        finally:
            self._chunks.close()


class _Chunks:
    """The chunks of a stream, awaited one by one; given up when the client goes away."""

    def __init__(self, request: Request, stream: "SpeechStream", sample_rate: int, figures: Figures) -> None:
        self._request = request
        self._stream = stream
        self._rate = sample_rate
        self._figures = figures
        self._thread = anyio.CapacityLimiter(1)  # its own, so that streams that wait keep no thread from the others
        self.samples = 0

    async def next(self) -> Wave | None:
        """Returns the next chunk; None at the end."""
        taken = anyio.to_thread.run_sync(next, self._stream, None, abandon_on_cancel=True, limiter=self._thread)
        chunk: Wave | None = await _unless_gone(self._request, taken, self._stream.close)
        if chunk is not None:
            self.samples += len(chunk)
            self._figures.spoke(len(chunk) / self._rate)
        return chunk

    def close(self) -> None:
        """Gives the rest up."""
        self._stream.close()


async def _pieces(chunks: _Chunks, first: Wave | None, encoder: StreamEncoder) -> AsyncIterator[bytes]:
    chunk = first
    while chunk is not None:
        if piece := await anyio.to_thread.run_sync(encoder.encode, chunk):
            yield piece
        chunk = await chunks.next()
    if piece := await anyio.to_thread.run_sync(encoder.finish):
        yield piece


async def _events(pieces: AsyncIterator[bytes], usage: Callable[[], Mapping[str, int]]) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    except ValleError as error:  # the status is sent already
        _LOG.error("a stream broke off: %s", error)
        yield _event({"type": "error", **failure()})
        return
    yield _event({"type": "speech.audio.done", "usage": usage()})


def _event(values: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(values)}\n\n".encode()
