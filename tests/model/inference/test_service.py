"""One model for many callers: the queue and its bound, order, cancelling, streams, errors."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.inference.service import QueueFullError, Service, SpeechRequest, TransformRequest
from stages.errors import TextError
from tests.limits import HANG_S


class Speaker:
    """Stands for a synthesizer: notes who calls it, waits until it is let go, and says what it was asked."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []
        self.threads: set[int] = set()

    def speak(self, text: str, **given: Any) -> SimpleNamespace:
        self.threads.add(threading.get_ident())
        self.asked.append(text)
        assert self.go.wait(HANG_S)
        if not text:
            raise TextError("`text` must hold something to say, but is empty.")
        samples = np.arange(given["seed"], dtype=np.float32)
        return SimpleNamespace(samples=samples, sample_rate=100, given=given, text=text)

    def transform(self, task: str, audio: Any, **given: Any) -> SimpleNamespace:
        self.threads.add(threading.get_ident())
        return SimpleNamespace(given={"task": task, "audio": audio, **given})

    def hear(self, audio: Any, *, language: str | None) -> tuple[Any, str | None]:
        self.threads.add(threading.get_ident())
        return audio, language


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def service(speaker: Speaker) -> Iterator[Service]:
    with Service(speaker, capacity=3) as found:  # type: ignore[arg-type]
        yield found
        speaker.go.set()


def request(text: str, **given: Any) -> SpeechRequest:
    return SpeechRequest(text, Path("voice.wav"), **given)


def test_all_arguments_reach_the_model(service: Service, speaker: Speaker) -> None:
    speaker.go.set()
    asked = request("Hi.", prompt_text="a", language="en", tone="calm", seed=3, max_s=2.0, speed=1.5)
    found = service.submit(asked).result()
    assert found.given == {name: getattr(asked, name) for name in SpeechRequest.__slots__ if name != "text"}


def test_all_arguments_of_a_task_reach_the_model(service: Service) -> None:
    asked = TransformRequest("cse", "x.wav", text="a", replace_s=(0.1, 0.2), language="en", seed=3, max_s=2.0)
    found = service.transform(asked).result()
    assert found.given == {name: getattr(asked, name) for name in TransformRequest.__slots__}


def test_the_queue_is_bounded_and_kept_in_order(service: Service, speaker: Speaker) -> None:
    futures = [service.submit(request(text)) for text in ("a", "b", "c")]
    assert service.open_requests == 3
    transform = TransformRequest("ns", "x.wav")
    others = (lambda _: service.hear(Path("x.wav"))), (lambda _: service.transform(transform))
    for ask in (service.submit, service.stream, *others):
        with pytest.raises(QueueFullError, match="All 3 places of the queue are taken"):
            ask(request("d"))
    speaker.go.set()
    assert [future.result().text for future in futures] == speaker.asked == ["a", "b", "c"]
    assert service.submit(request("e")).result().text == "e"


def test_what_is_cancelled_frees_its_place_and_is_never_spoken(service: Service, speaker: Speaker) -> None:
    first, second = service.submit(request("a")), service.submit(request("b"))
    stream = service.stream(request("c"))
    service.cancel(second)
    stream.close()
    with pytest.raises(CancelledError):
        next(stream)
    assert service.open_requests == 1
    third = service.submit(request("d"))
    speaker.go.set()
    assert (first.result().text, third.result().text) == ("a", "d")
    assert speaker.asked == ["a", "d"]


def test_a_stream_is_the_whole_in_chunks(service: Service, speaker: Speaker) -> None:
    speaker.go.set()
    stream = service.stream(request("Hi.", seed=125))
    chunks = list(stream)
    assert stream.speech().text == "Hi."
    assert np.array_equal(stream.speech().samples, np.concatenate(chunks))
    assert [len(chunk) for chunk in chunks] == [50, 50, 25]
    assert np.array_equal(np.concatenate(chunks), np.arange(125))
    assert list(service.stream(request("Hi.", seed=0))) == []


def test_errors_come_to_who_asked(service: Service, speaker: Speaker) -> None:
    speaker.go.set()
    bad, good, stream = service.submit(request("")), service.submit(request("Hi.")), service.stream(request(""))
    assert good.result().text == "Hi."
    with pytest.raises(TextError):
        bad.result()
    with pytest.raises(TextError):
        next(stream)
    assert service.hear("x.wav", language="de").result() == ("x.wav", "de")


def test_one_thread_owns_the_model(speaker: Speaker) -> None:
    speaker.go.set()
    with Service(speaker, capacity=100) as service, ThreadPoolExecutor(8) as callers:  # type: ignore[arg-type]
        done = [callers.submit(lambda n=n: service.submit(request(f"{n}", seed=n)).result()) for n in range(50)]
        assert [one.result().text for one in done] == [f"{n}" for n in range(50)]
        service.hear("x.wav").result()
    assert len(speaker.threads) == 1
    assert threading.get_ident() not in speaker.threads


def test_closing_cancels_what_waits(speaker: Speaker) -> None:
    service = Service(speaker)  # type: ignore[arg-type]
    first, second = service.submit(request("a")), service.submit(request("b"))
    threading.Timer(0.1, speaker.go.set).start()
    service.close()
    assert first.result().text == "a"
    assert second.cancelled()
