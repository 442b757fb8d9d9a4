"""Speech that can be heard while it is made: a WAV file whose bytes a browser's player gets as they come.

Gradio's own streams need an ffmpeg program, and join separately encoded pieces.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from stages.audio.encoding import StreamEncoder
from stages.records import Wave

PATH = "/live/{token}.wav"
_KEPT_S = 600.0
"""How long a file can be asked for after its end, in seconds."""


@dataclass(eq=False)
class Live:
    """A file that grows. All of its methods are for the thread of the event loop."""

    sample_rate: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    pieces: list[bytes] = field(default_factory=list)
    ended_at: float | None = None

    def __post_init__(self) -> None:
        self._encoder = StreamEncoder(self.sample_rate, "wav")
        self._grown = asyncio.Event()

    def add(self, chunk: Wave) -> None:
        """Appends the next `[samples]`."""
        self._append(self._encoder.encode(chunk))

    def end(self) -> None:
        """Ends the file, also where the speech broke off."""
        if self.ended_at is None:
            self.ended_at = time.monotonic()
            self._append(self._encoder.finish())

    def _append(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(piece)
        self._grown.set()
        self._grown = asyncio.Event()

    async def read(self) -> AsyncGenerator[bytes, None]:
        """Yields the file's bytes from the beginning, as they come, to its end; several may read."""
        place = 0
        while True:
            while place < len(self.pieces):
                yield self.pieces[place]
                place += 1
            if self.ended_at is not None:
                return
            await self._grown.wait()


class Lives:
    """The files that are being made, or were a short while ago, by their secret names."""

    def __init__(self) -> None:
        self._found: dict[str, Live] = {}

    def begin(self, sample_rate: int) -> Live:
        """Begins a file; forgets those that ended long ago."""
        now = time.monotonic()
        old = [one for one in self._found.values() if one.ended_at is not None and now - one.ended_at > _KEPT_S]
        for one in old:
            del self._found[one.token]
        live = Live(sample_rate)
        self._found[live.token] = live
        return live

    def find(self, token: str) -> Live | None:
        """Returns a file by its name; None if there is none."""
        return self._found.get(token)
