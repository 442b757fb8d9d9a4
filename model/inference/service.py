"""One model for many callers: requests wait in a bounded queue, and one thread owns the model.

Callers in other threads submit requests and get futures. Texts that are being spoken share the steps of the network
(`model.inference.ensemble`): one that arrives joins those in progress, and one that is given up leaves them.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from model.decoding.continuous import ROWS
from model.inference.requests import Request
from stages.errors import ValleError
from stages.records import Wave

if TYPE_CHECKING:
    from model.decoding.hearing import Heard
    from model.inference.ensemble import Ensemble, Performance
    from model.inference.prompts import Prompt
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer

R = TypeVar("R")


class QueueFullError(ValleError):
    """As many requests are waiting as may wait: try again later."""


@dataclass(slots=True, eq=False)
class _Order:
    """A text to speak, and who waits for it."""

    request: Request
    future: "Future[Speech]"
    chunks: "queue.SimpleQueue[Wave | None] | None"
    """Where the chunks of a stream go; None ends it. Not a stream: None."""


@dataclass(slots=True, eq=False)
class _Work:
    """Anything else that the model is to do."""

    call: Callable[[], Any]
    future: "Future[Any]"


@dataclass(slots=True)
class _Desk:
    """What the model's thread has to do; the lock guards all of it."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    waiting: list[_Order | _Work] = field(default_factory=list)
    given_up: "list[Future[Any]]" = field(default_factory=list)
    open: int = 0
    closed: bool = False


class Service:
    """Works off requests to one model.

    Args:
        synthesizer: The model; nobody else may use it from now on.
        capacity: Most requests that wait or are worked on at the same time.
        at_once: Most texts that are spoken at the same time.

    Example:
        >>> with Service(Synthesizer.load("runs/base")) as service:
        ...     speech = service.submit(Request("Hello there.", "reference.wav")).result()
    """

    def __init__(self, synthesizer: "Synthesizer", *, capacity: int = 64, at_once: int = ROWS) -> None:
        self.synthesizer = synthesizer
        self.capacity = capacity
        self._at_once = at_once
        self._desk = _Desk()
        self._spoken: dict[Performance, _Order] = {}
        self._owner: ThreadPoolExecutor
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def open_requests(self) -> int:
        """How many requests wait or are worked on."""
        return self._desk.open

    def submit(self, request: Request) -> "Future[Speech]":
        """Puts a request in the queue.

        Returns:
            The speech, or what `Synthesizer.speak` raises.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        order = _Order(request, Future(), None)
        self._enqueue(order)
        return order.future

    def stream(self, request: Request) -> "SpeechStream":
        """Puts a request in the queue; returns its wave in chunks, `[samples]` each, as they are made.

        See `Synthesizer.stream`. The first `next()` raises what `Synthesizer.speak` raises. Whoever doesn't want the
        rest calls `close()`.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        chunks: queue.SimpleQueue[Wave | None] = queue.SimpleQueue()
        order = _Order(request, Future(), chunks)
        order.future.add_done_callback(lambda _: chunks.put(None))
        self._enqueue(order)
        return SpeechStream(self, order.future, chunks)

    def hear(self, audio: "Prompt", *, language: str | None = None) -> "Future[Heard]":
        """Puts a recording in the queue, to have its phonemes recognised: see `Synthesizer.hear`.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        return self.call(lambda: self.synthesizer.hear(audio, language=language))

    def call(self, work: Callable[[], R]) -> "Future[R]":
        """Puts anything else that needs the model in the queue; it is done between two steps of the texts.

        Raises:
            QueueFullError: if `capacity` requests are open.
        """
        future: Future[R] = Future()
        self._enqueue(_Work(work, future))
        return future

    def cancel(self, future: "Future[Any]") -> None:
        """Gives a request up that nobody waits for any more, also one that is being spoken: its place is free then."""
        with self._desk.lock:
            if not future.cancel() and not future.done():
                self._desk.given_up.append(future)
                self._desk.lock.notify()

    def close(self) -> None:
        """Cancels what waits, and returns when what is being worked on is done."""
        with self._desk.lock:
            self._desk.closed = True
            waiting = [*self._desk.waiting]
            self._desk.lock.notify()
        for one in waiting:
            one.future.cancel()
        self._thread.join()

    def _enqueue(self, one: _Order | _Work) -> None:
        desk = self._desk
        with desk.lock:
            if desk.open >= self.capacity:
                raise QueueFullError(f"All {self.capacity} places of the queue are taken. Try again in a moment.")
            if desk.closed:
                raise QueueFullError("The service is closed.")
            desk.open += 1
            desk.waiting.append(one)
            desk.lock.notify()
        one.future.add_done_callback(self._leave)

    def _leave(self, _: object) -> None:
        with self._desk.lock:
            self._desk.open -= 1

    def _run(self) -> None:
        """Works until the service is closed and nothing is left to do.

        What the model does is called by its own thread, through a future: so whatever goes wrong comes to those who
        asked for it, and the others go on.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="model") as owner:
            self._owner, ensemble = owner, self.synthesizer.ensemble()
            while (work := self._next(ensemble)) is not None:
                for one in work:
                    if not one.future.set_running_or_notify_cancel():
                        continue
                    if isinstance(one, _Work):
                        _settle(one.future, owner.submit(one.call))
                    else:
                        self._join(ensemble, one)
                if not len(ensemble):
                    continue
                advanced = owner.submit(ensemble.advance)
                if error := advanced.exception():  # not of one text, but of the device or the machine
                    for order in self._spoken.values():
                        order.future.set_exception(error)
                    self._spoken.clear()
                    ensemble = self.synthesizer.ensemble()
                    continue
                for performance in advanced.result():
                    self._tell(performance)

    def _next(self, ensemble: "Ensemble") -> list[_Order | _Work] | None:
        """Waits for something to do; returns what can be begun now, and None at the end."""
        desk = self._desk
        with desk.lock:
            while not (desk.waiting or desk.given_up or len(ensemble) or desk.closed):
                desk.lock.wait()
            given_up, desk.given_up = desk.given_up, []
        for performance, order in [*self._spoken.items()]:
            if order.future in given_up:
                ensemble.leave(performance)
                del self._spoken[performance]
                order.future.set_exception(GivenUpError("Nobody waited for the request any more."))
        with desk.lock:
            room = self._at_once - len(ensemble)
            begun: list[_Order | _Work] = []
            for one in [*desk.waiting]:
                is_text = isinstance(one, _Order) and not one.future.cancelled()
                if not is_text or room > 0:
                    room -= is_text
                    desk.waiting.remove(one)
                    begun.append(one)
            return None if desk.closed and not begun and not len(ensemble) else begun

    def _join(self, ensemble: "Ensemble", one: _Order) -> None:
        joined = self._owner.submit(ensemble.join, one.request, streams=one.chunks is not None)
        if error := joined.exception():
            one.future.set_exception(error)
        else:
            self._spoken[joined.result()] = one

    def _tell(self, performance: "Performance") -> None:
        order = self._spoken[performance]
        if order.chunks is not None and len(chunk := performance.taken()):
            order.chunks.put(chunk)
        if performance.is_over:
            del self._spoken[performance]
            if performance.speech is not None:
                order.future.set_result(performance.speech)
            else:
                order.future.set_exception(performance.error)


class GivenUpError(ValleError):
    """A request that was being worked on was given up."""


def _settle(future: "Future[Any]", done: "Future[Any]") -> None:
    """Gives a future the outcome of another one, once it has one."""
    if error := done.exception():
        future.set_exception(error)
    else:
        future.set_result(done.result())


class SpeechStream(Iterator[Wave]):
    """The chunks of a speech, `[samples]` float32 each.

    Args:
        service: To give the request up at.
        future: The speech.
        chunks: Where its chunks come from; None ends it.
    """

    def __init__(self, service: Service, future: "Future[Speech]", chunks: "queue.SimpleQueue[Wave | None]") -> None:
        self._service, self._future, self._chunks = service, future, chunks
        self._over = False

    def __next__(self) -> Wave:
        chunk = None if self._over else self._chunks.get()
        if chunk is None:
            self._over = True
            self._future.result()
            raise StopIteration
        return chunk

    def speech(self) -> "Speech":
        """Returns all of the speech; waits until it is made, and raises what `Synthesizer.speak` raises."""
        return self._future.result()

    def close(self) -> None:
        """Gives the rest up."""
        self._service.cancel(self._future)
