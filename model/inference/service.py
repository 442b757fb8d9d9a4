"""One model for many callers: requests wait in a bounded queue, and one thread owns the model.

Callers in other threads submit requests and get futures. How the requests are worked off (now one after the other) is
this module's own affair.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from model.decoding.options import Decoding
from stages.errors import ValleError
from stages.records import Wave

if TYPE_CHECKING:
    from model.decoding.hearing import Heard
    from model.inference.prompts import Prompt
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import Voice
    from model.sequences.tasks import Transform

R = TypeVar("R")

CHUNK_S = 0.5
"""Length of the chunks of a stream, in seconds."""


class QueueFullError(ValleError):
    """As many requests are waiting as may wait: try again later."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What is to be spoken, and how: the arguments of `Synthesizer.speak`."""

    text: str
    prompt: "Prompt | Voice"
    """The voice: a recording's path, a wave at the codec's rate, codes, or a kept voice."""
    prompt_text: str | None = None
    language: str | None = None
    tone: str | None = None
    seed: int = 0
    max_s: float | None = None
    speed: float = 1.0
    """How much faster than the model would speak; only `nar-len` can do other than 1."""
    decoding: Decoding = Decoding()  # noqa: RUF009 (frozen)


@dataclass(frozen=True, slots=True)
class TransformRequest:
    """What speech is to be turned into: the arguments of `Synthesizer.transform`."""

    task: "Transform"
    audio: "Prompt"
    text: str | None = None
    prompt: "Prompt | Voice | None" = None
    replace_s: tuple[float, float] | None = None
    language: str | None = None
    tone: str | None = None
    seed: int = 0
    max_s: float | None = None
    decoding: Decoding = Decoding()  # noqa: RUF009 (frozen)


class Service:
    """Works off requests to one model.

    Args:
        synthesizer: The model; nobody else may use it from now on.
        capacity: Most requests that wait or are worked on at the same time.

    Example:
        >>> with Service(Synthesizer.load("runs/base")) as service:
        ...     speech = service.submit(SpeechRequest("Hello there.", "reference.wav")).result()
    """

    def __init__(self, synthesizer: "Synthesizer", *, capacity: int = 64) -> None:
        self.synthesizer = synthesizer
        self.capacity = capacity
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._lock = threading.Lock()
        self._open = 0

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def open_requests(self) -> int:
        """How many requests wait or are worked on."""
        return self._open

    def submit(self, request: SpeechRequest) -> "Future[Speech]":
        """Puts a request in the queue.

        Returns:
            The speech, or what `Synthesizer.speak` raises.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        return self._enqueue(lambda: self._speak(request))

    def stream(self, request: SpeechRequest) -> "SpeechStream":
        """Puts a request in the queue; returns its wave in chunks, `[samples]` each, as they are made.

        The first `next()` raises what `Synthesizer.speak` raises. Whoever doesn't want the rest calls `close()`.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        return SpeechStream(self, self.submit(request))

    def hear(self, audio: "Prompt", *, language: str | None = None) -> "Future[Heard]":
        """Puts a recording in the queue, to have its phonemes recognised: see `Synthesizer.hear`.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        return self._enqueue(lambda: self.synthesizer.hear(audio, language=language))

    def transform(self, request: TransformRequest) -> "Future[Speech]":
        """Puts a recording in the queue, to have it turned into other speech.

        Returns:
            The speech, or what `Synthesizer.transform` raises.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        asked = {field.name: getattr(request, field.name) for field in fields(request)}
        return self._enqueue(lambda: self.synthesizer.transform(**asked))

    def cancel(self, future: "Future[R]") -> None:
        """Takes a request that nobody waits for any more out of the queue; one that is being spoken is finished."""
        future.cancel()

    def close(self) -> None:
        """Cancels what waits, and returns when the request that is being worked on is done."""
        self._owner.shutdown(cancel_futures=True)

    def _speak(self, request: SpeechRequest) -> "Speech":
        from model.inference.voices import Voice

        named = "voice" if isinstance(request.prompt, Voice) else "prompt"
        return self.synthesizer.speak(
            request.text,
            **{named: request.prompt},  # type: ignore[arg-type]
            prompt_text=request.prompt_text,
            language=request.language,
            tone=request.tone,
            seed=request.seed,
            max_s=request.max_s,
            speed=request.speed,
            decoding=request.decoding,
        )

    def _enqueue(self, work: Callable[[], R]) -> "Future[R]":
        with self._lock:
            if self._open >= self.capacity:
                raise QueueFullError(f"All {self.capacity} places of the queue are taken. Try again in a moment.")
            self._open += 1
        future = self._owner.submit(work)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: object) -> None:
        with self._lock:
            self._open -= 1


class SpeechStream(Iterator[Wave]):
    """The chunks of a speech, `[samples]` float32 each.

    Args:
        service: To cancel the request at.
        future: The speech.
    """

    def __init__(self, service: Service, future: "Future[Speech]") -> None:
        self._service = service
        self._future = future
        self._taken_samples = 0

    def __next__(self) -> Wave:
        speech = self._future.result()
        start = self._taken_samples
        if start >= len(speech.samples):
            raise StopIteration
        self._taken_samples += round(CHUNK_S * speech.sample_rate)
        return speech.samples[start : self._taken_samples]

    def speech(self) -> "Speech":
        """Returns all of the speech; waits until it is made, and raises what `Synthesizer.speak` raises."""
        return self._future.result()

    def close(self) -> None:
        """Gives the rest up."""
        self._service.cancel(self._future)
