"""What the tabs of the page share: the model, its limits, waiting for it, and telling errors."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import gradio as gr

from model.decoding.options import FIRST_MODES, Decoding, FirstMode
from model.inference.service import Service
from model.serving.errors import RefusedError, refused
from model.serving.page.live import Lives
from model.serving.page.runs import Runs
from model.serving.settings import Settings
from model.serving.voices import Voices
from stages.audio.files import resample
from stages.audio.uploads import decode
from stages.codecs.table import output_rate
from stages.errors import UsageError, ValleError

if TYPE_CHECKING:
    from model.inference.prompts import Prompt
    from model.inference.service import SpeechStream
    from model.inference.voices import Voice
    from stages.records import Wave

T = TypeVar("T")
OWN_RECORDING = "My own recording"
"""The choice in place of a kept voice."""
_TICK_S = 0.5
"""How often a wait tells how it goes, and notices that nobody waits any more, in seconds."""
_WORDS = {
    r"`prompt_text`, (?=`--ref-text`)": "",
    r"`?--max-s`?": "“Longest speech”",
    r"`?--seed`?": "seed",
    r"`--mode ([a-z-]+)`": r"the mode \1",
    r"`--ref-text`": "“What the recording says”",
    r"`--language`": "“Language”",
    r"`?--(?=[a-z])([a-z-]+)`?": r"“\1”",
    r"`([^`]*)`": r"“\1”",
}
"""What messages of the command line say, and what the page calls it."""


@dataclass(eq=False)
class Studio:
    """What the tabs share."""

    service: Service
    settings: Settings
    voices: Voices
    runs: Runs
    folder: Path
    """For the files that the page shows; removed at the end."""
    lives: Lives = field(default_factory=Lives)

    def __post_init__(self) -> None:
        checkpoint = self.service.synthesizer.checkpoint
        self.trained = checkpoint.config.data
        self.tokenizer = checkpoint.tokenizer
        self.meta = checkpoint.meta
        self.codec = checkpoint.meta.codec
        self.rate = output_rate(self.service.synthesizer.codec)
        self.languages = list(checkpoint.languages or checkpoint.tokenizer.languages.values())
        self.hidden = {str(checkpoint.folder): self.settings.name}
        if (folder := self.settings.voices) is not None:
            self.hidden |= {f"{folder}/": "", f"{folder.resolve()}/": ""}

    def modes(self, *, length_known: bool = False) -> list[FirstMode]:
        """Returns the ways of choosing codebook 0 that the model was trained in."""
        return [mode for mode in FIRST_MODES if not self.why_not(Decoding(mode), length_known=length_known)]

    def why_not(self, decoding: Decoding, *, length_known: bool = False) -> str:
        """Returns why the model can't decode so; "" if it can."""
        levels = self.service.synthesizer.checkpoint.config.data.levels
        needed = decoding.modes(self.codec.num_codebooks, length_known=length_known, levels=levels)
        return self.untrained(*needed)

    def untrained(self, *modes: Any) -> str:
        """Returns why the model can't work in some modes, in a line; "" if it can."""
        try:
            self.service.synthesizer.check_trained(*modes)
        except UsageError as error:
            return self.words(error)
        return ""

    def voice_names(self) -> list[str]:
        """Returns the kept voices by name."""
        return [one.name for one in self.voices.all()]

    def prompt(
        self, voice: str | None, recording: str | None, said: str | None
    ) -> "tuple[Prompt | Voice | None, str | None]":
        """Returns a voice as the model takes it, and what its recording says.

        Args:
            voice: A kept voice's name, or `OWN_RECORDING`.
            recording: The file that the browser sent.
            said: What it says.

        Raises:
            RefusedError: if there is no voice, or none of that name.
            AudioError: if the recording isn't audio, or too long.
        """
        if voice and voice != OWN_RECORDING:
            return self.voices.find(voice).given(self.trained)
        if recording is None:
            raise RefusedError(422, "A voice must be given: choose one, or upload or record one, 3 s or longer.")
        return self.wave(recording, "the recording of the voice"), (said or "").strip() or None

    def wave(self, recording: str, name: str) -> "Wave":
        """Reads a file that the browser sent, called `name` in messages; returns its wave at the codec's rate."""
        wave, rate = decode(Path(recording).read_bytes(), name=name, max_s=self.settings.max_reference_s)
        return resample(wave, rate, self.codec.sample_rate)

    def text(self, text: str | None) -> str:
        """Returns a text that isn't too long; raises `RefusedError` for one that is."""
        found, most = (text or "").strip(), self.settings.max_characters
        if len(found) > most:
            raise RefusedError(413, f"The text must be at most {most:,} characters, but has {len(found):,}. Cut it.")
        return found

    def place(self, name: str) -> Path:
        """Returns the path of a new file; nobody can guess its folder."""
        folder = self.folder / secrets.token_urlsafe(18)
        folder.mkdir()
        return folder / name

    def words(self, error: ValleError) -> str:
        """Returns an error in a line without paths of this machine, as the page tells it."""
        status, body = refused(error, self.hidden, ())
        if status >= 500:
            logging.getLogger("uvicorn.error").error("%s: %s", type(error).__name__, error)
        return in_words(str(body["error"]["message"]))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Shows an error of the user as a line on the page."""
        try:
            yield
        except ValleError as error:
            raise gr.Error(self.words(error), print_exception=False, duration=15) from error

    async def waited(self, future: "Future[T]") -> "AsyncGenerator[T | None, None]":
        """Waits for what the model makes: yields None now and then, and at the end what was made.

        Whoever stops taking, because the user stopped it or closed the page, frees its place in the queue.
        """
        wrapped = asyncio.wrap_future(future)
        try:
            while not wrapped.done():
                yield None
                await asyncio.wait({wrapped}, timeout=_TICK_S)
            yield wrapped.result()
        finally:
            if not wrapped.done():
                self.service.cancel(future)

    async def chunks(self, stream: "SpeechStream") -> "AsyncGenerator[Wave | None, None]":
        """Yields the chunks of a stream as they come, and None now and then while there is none."""
        thread = anyio.CapacityLimiter(1)  # its own, so that streams that wait keep no thread from the others
        waiting: asyncio.Future[Wave | None] | None = None
        try:
            while True:
                taken = anyio.to_thread.run_sync(next, stream, None, abandon_on_cancel=True, limiter=thread)
                waiting = asyncio.ensure_future(taken)
                while not waiting.done():
                    await asyncio.wait({waiting}, timeout=_TICK_S)
                    if not waiting.done():
                        yield None
                chunk = waiting.result()
                if chunk is None:
                    return
                yield chunk
        finally:
            stream.close()
            if waiting is not None:
                waiting.cancel()


def in_words(message: str) -> str:
    """Returns a message of the command line as the page tells it."""
    for said, own in _WORDS.items():
        message = re.sub(said, own, message)
    return message


async def in_thread(work: Any, *given: Any) -> Any:
    """Does what takes a while without holding up the page."""
    return await anyio.to_thread.run_sync(lambda: work(*given))
