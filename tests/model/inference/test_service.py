"""One model for many callers: the queue and its bound, who is spoken when, giving up, streams, errors."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.inference.requests import Request
from model.inference.service import GivenUpError, QueueFullError, Service
from model.inference.synthesizer import Synthesizer
from stages.errors import TextError
from stages.records import Wave
from tests.limits import HANG_S
from tests.model.inference.conftest import talk


class Fake:
    """Stands for a synthesizer and its ensemble: a text takes as many pieces of work as it has letters."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.joined: list[str] = []
        self.left: list[str] = []
        self.threads: set[int] = set()
        self.together: list[int] = []
        self.breaks = False
        self._spoken: list[SimpleNamespace] = []

    def ensemble(self) -> "Fake":
        self._spoken = []
        return self

    def __len__(self) -> int:
        return len(self._spoken)

    def join(self, request: Request, *, streams: bool) -> Any:
        self.threads.add(threading.get_ident())
        self.joined.append(request.text)
        if not request.text:
            raise TextError("`text` must hold something to say, but is empty.")
        one = Spoken(request, streams)
        self._spoken.append(one)
        return one

    def leave(self, one: Any) -> None:
        self.left.append(one.request.text)
        self._spoken.remove(one)

    def advance(self) -> list[Any]:
        self.threads.add(threading.get_ident())
        assert self.go.wait(HANG_S)
        self.together.append(len(self._spoken))
        if self.breaks:
            self.breaks = False
            raise RuntimeError("the device is gone")
        for one in self._spoken:
            one.advance()
        news = [one for one in self._spoken if one.is_over or one.chunks]
        self._spoken = [one for one in self._spoken if not one.is_over]
        return news

    def hear(self, audio: Any, *, language: str | None) -> tuple[Any, str | None]:
        self.threads.add(threading.get_ident())
        return audio, language


class Spoken(SimpleNamespace):
    def __init__(self, request: Request, streams: bool) -> None:
        super().__init__(request=request, streams=streams, done=0, chunks=[], speech=None, error=None, is_over=False)

    __hash__ = object.__hash__

    def advance(self) -> None:
        letter = self.request.text[self.done]
        self.done += 1
        if letter == "!":
            self.error, self.is_over = TextError("`text` broke off"), True
            return
        if self.streams:
            self.chunks.append(np.full(10, self.done, np.float32))
        if self.done == len(self.request.text):
            self.speech, self.is_over = SimpleNamespace(text=self.request.text), True

    def taken(self) -> Wave:
        chunks, self.chunks = self.chunks, []
        return np.concatenate([np.zeros(0, np.float32), *chunks])


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def service(fake: Fake) -> Iterator[Service]:
    with Service(fake, capacity=4, at_once=2) as found:  # type: ignore[arg-type]
        yield found
        fake.go.set()


def request(text: str, **given: Any) -> Request:
    return Request(text, Path("voice.wav"), **given)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_queue_is_bounded_and_texts_are_spoken_together(service: Service, fake: Fake) -> None:
    futures = [service.submit(request(text)) for text in ("aaaa", "bb", "cc", "d")]
    assert service.open_requests == 4
    for ask in (service.submit, service.stream, lambda _: service.hear(Path("x.wav"))):
        with pytest.raises(QueueFullError, match="All 4 places of the queue are taken"):
            ask(request("e"))
    fake.go.set()
    assert [future.result().text for future in futures] == fake.joined == ["aaaa", "bb", "cc", "d"]
    assert max(fake.together) == 2
    assert service.submit(request("e")).result().text == "e"
    until(lambda: service.open_requests == 0)


def test_what_waits_is_cancelled_and_never_spoken(service: Service, fake: Fake) -> None:
    first, second = service.submit(request("aa")), service.submit(request("bb"))
    until(lambda: len(fake.joined) > 0)
    third, stream = service.submit(request("cc")), service.stream(request("dd"))
    service.cancel(third)
    stream.close()
    with pytest.raises(CancelledError):
        next(stream)
    assert service.open_requests == 2
    last = service.submit(request("e"))
    fake.go.set()
    assert [one.result().text for one in (first, second, last)] == ["aa", "bb", "e"]
    assert fake.joined == ["aa", "bb", "e"]


def test_what_is_being_spoken_leaves_when_it_is_given_up(service: Service, fake: Fake) -> None:
    long, stream = service.submit(request("a" * 10_000)), service.stream(request("b" * 10_000))
    until(lambda: len(fake.joined) > 0)
    fake.go.set()
    assert len(next(stream)) >= 10
    stream.close()
    service.cancel(long)
    with pytest.raises(GivenUpError):
        long.result(HANG_S)
    with pytest.raises(GivenUpError):
        list(stream)
    assert sorted(one[0] for one in fake.left) == ["a", "b"]
    assert service.submit(request("c")).result(HANG_S).text == "c"


def test_chunks_come_while_it_is_spoken(service: Service, fake: Fake) -> None:
    fake.go.set()
    stream = service.stream(request("abc"))
    assert [chunk.tolist() for chunk in stream] == [[float(number)] * 10 for number in (1, 2, 3)]
    assert list(stream) == []
    assert stream.speech().text == "abc"


def test_errors_come_to_who_asked_and_to_no_other(service: Service, fake: Fake) -> None:
    fake.go.set()
    bad, good, late, stream = (
        service.submit(request("")),
        service.submit(request("Hi.")),
        service.submit(request("a!")),
        service.stream(request("a!")),
    )
    assert good.result().text == "Hi."
    for one in (bad, late):
        with pytest.raises(TextError):
            one.result()
    assert len(next(stream)) == 10
    with pytest.raises(TextError, match="broke off"):
        next(stream)
    assert service.hear("x.wav", language="de").result() == ("x.wav", "de")
    with pytest.raises(ZeroDivisionError):
        service.call(lambda: 1 / 0).result()
    assert service.submit(request("b")).result().text == "b"


def test_a_device_that_fails_stops_those_that_shared_it_and_nobody_later(service: Service, fake: Fake) -> None:
    fake.breaks = True
    futures = [service.submit(request("aa")), service.submit(request("bb"))]
    until(lambda: len(fake.joined) > 0)
    fake.go.set()
    failed = [one for one in futures if isinstance(one.exception(HANG_S), RuntimeError)]
    assert failed
    assert service.submit(request("c")).result(HANG_S).text == "c"


def test_one_thread_owns_the_model(fake: Fake) -> None:
    fake.go.set()
    with Service(fake, capacity=100) as service, ThreadPoolExecutor(8) as callers:  # type: ignore[arg-type]
        done = [callers.submit(lambda n=n: service.submit(request(f"{n}")).result()) for n in range(50)]
        assert [one.result().text for one in done] == [f"{n}" for n in range(50)]
        service.hear("x.wav").result()
    assert len(fake.threads) == 1
    assert threading.get_ident() not in fake.threads


def test_closing_cancels_what_waits_and_finishes_what_is_spoken(fake: Fake) -> None:
    service = Service(fake, at_once=1)  # type: ignore[arg-type]
    first, second = service.submit(request("aa")), service.submit(request("b"))
    until(lambda: len(fake.joined) > 0)
    threading.Timer(0.1, fake.go.set).start()
    service.close()
    assert first.result().text == "aa"
    assert second.cancelled()
    with pytest.raises(QueueFullError, match="closed"):
        service.submit(request("c"))


def test_each_answer_is_what_it_is_alone(able: Synthesizer) -> None:
    voice = able.voice(talk(1.0))
    asked = [Request(text, voice, seed=seed, max_s=0.5) for seed, text in enumerate(("One. Two.", "Three.", "Four!"))]
    with Service(able) as service:
        futures = [service.submit(one) for one in asked]
        streams = [service.stream(one) for one in asked]
        together = [future.result() for future in futures]
        streamed = [np.concatenate([*stream]) for stream in streams]
        whole = [stream.speech() for stream in streams]
    for speech, wave in zip(whole, streamed, strict=True):
        np.testing.assert_array_equal(speech.samples, wave)
    for one, speech, wave in zip(asked, together, streamed, strict=True):
        np.testing.assert_array_equal(speech.codes, able.batch([one])[0].codes)
        np.testing.assert_array_equal(wave, np.concatenate([*able.stream(one)]))
