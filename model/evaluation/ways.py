"""The ways in which a model can be asked for several texts: what comes out must not depend on it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from stages.records import Wave

if TYPE_CHECKING:
    from model.inference.requests import Request
    from model.inference.synthesizer import Synthesizer

Way = Literal["alone", "together", "streamed", "served"]
"""One by one, in a batch, as streams, or all at once from a service."""


def spoken(synthesizer: "Synthesizer", requests: "Sequence[Request]", way: Way) -> Iterator[Wave]:
    """Yields the waves of texts, in order, each `[samples]` float32; raises as `Synthesizer.speak` does."""
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
    else:
        for request in requests:
            yield synthesizer.batch([request])[0].samples
