"""How a model speaks several texts: the decodings of each mode, and the ways of asking, on which nothing may depend."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import Sampling
from stages.errors import UsageError
from stages.records import Wave

if TYPE_CHECKING:
    from model.config import DataConfig
    from model.inference.requests import Request
    from model.inference.synthesizer import Synthesizer

DECODINGS = {
    "AR+NAR": Decoding("ar", ar=Sampling(temperature=0.9, top_p=0.9)),
    "NAR-len": Decoding("nar-len", unmasking=Unmasking(sampling=Sampling(top_p=0.9)), guidance=2.0),
    "all": Decoding("all", unmasking=Unmasking(sampling=Sampling(top_p=0.9)), guidance=2.0),
}
"""How the model speaks, in the modes that it learnt; the first two chosen on earlier checkpoints, with the prompts and
draws of other seeds."""

Way = Literal["alone", "together", "streamed", "served", "posted"]
"""One by one, in a batch, as streams, all at once from a service, or from a server by HTTP."""

_CLIENTS = 8
"""How many ask a server at the same time."""
_LONGEST_S = 3600.0
"""Most seconds of an answer."""


def decodings_of(trained: "DataConfig", num_codebooks: int) -> dict[str, Decoding]:
    """Returns those of `DECODINGS` that a model can speak by; all if there is none, so that it says what it lacks.

    Args:
        trained: The section `data` of its training.
        num_codebooks: Of its codec.
    """
    needed = {name: one.modes(num_codebooks, levels=trained.levels) for name, one in DECODINGS.items()}
    able = {name: DECODINGS[name] for name, modes in needed.items() if all(trained.modes.get(mode) for mode in modes)}
    return able or DECODINGS


def spoken(synthesizer: "Synthesizer", requests: "Sequence[Request]", way: Way) -> Iterator[Wave]:
    """Yields the waves of texts, in order, each `[samples]` float32; those of a server have 16 bits.

    Raises:
        ValleError: as `Synthesizer.speak` does; a server's refusal as `UsageError`.
    """
    from model.inference.service import Service

    if way == "together":
        yield from (speech.samples for speech in synthesizer.batch(requests))
    elif way == "streamed":
        for request in requests:
            yield np.concatenate([*synthesizer.stream(request)])
    elif way == "served":
        with Service(synthesizer, capacity=len(requests)) as service:
            futures = [service.submit(request) for request in requests]
            yield from (future.result().samples for future in futures)
    elif way == "posted":
        yield from _posted(synthesizer, requests)
    else:
        for request in requests:
            yield synthesizer.batch([request])[0].samples


def _posted(synthesizer: "Synthesizer", requests: "Sequence[Request]") -> Iterator[Wave]:
    """Asks a server on loopback, which keeps each request's prompt as a voice; all must decode alike."""
    from model.inference.service import Service
    from model.inference.voices import Voice
    from model.serving.server import check_packages, in_thread
    from model.serving.settings import Settings

    check_packages()
    first = requests[0]
    with TemporaryDirectory() as name:
        for number, request in enumerate(requests):
            given = request.prompt if request.voice is None else request.voice
            assert given is not None
            voice = given if isinstance(given, Voice) else synthesizer.voice(given, request.prompt_text)
            voice.save(Path(name) / f"{number}.safetensors")
        settings = Settings("posted", voices=Path(name), port=0, decoding=first.decoding, guard=first.guard)
        with (
            Service(synthesizer, capacity=settings.queue) as service,
            in_thread(service, settings) as url,
            ThreadPoolExecutor(_CLIENTS) as clients,
        ):
            yield from clients.map(lambda one: _answer(url, *one), enumerate(requests))


def _answer(url: str, number: int, request: "Request") -> Wave:
    """Asks for a text in the voice of its number."""
    from model.serving.client import ask_speech
    from stages.audio.uploads import decode

    fields = {"input": request.text, "language": request.language, "seed": request.seed, "max_s": request.max_s}
    status, found = ask_speech(url, {"model": "posted", "voice": str(number), "response_format": "wav", **fields})
    if status != 200:
        raise UsageError(f"The server refused “{request.text}”: {found.decode()}")
    return decode(found, name=request.text, max_s=_LONGEST_S)[0]
