"""Sliding-window attention (`model.window`): of the response, only the last positions are seen.

A position of the response attends to all that comes before the response (text, prompt, input, the marker) and to the
last positions of the response, itself included. Positions before the response attend causally to all before them. What
a voice says and how it sounds is in the condition, so no window may hide it; how a sound goes on is in the last frames.

`model.network.attention.Packed` computes this for whole documents, chunk by chunk. `model.network.cache` does it step
by step, with a cache that holds what comes before the response, and the window.

Sources: the window, Longformer, section 3.1, https://arxiv.org/abs/2004.05150, and Mistral 7B, section 2,
https://arxiv.org/abs/2310.06825; positions that all others see, Longformer's global attention.

Axes: L positions of a document, C positions of a chunk, U keys of a chunk.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

LEAST_CHUNK = 128
"""Fewest positions of a chunk: smaller ones are many calls with little work."""


def chunks(length: int, before: int, window: int) -> Iterator[tuple[int, int]]:
    """Yields the chunks of a document whose positions don't see all that comes before them, as `(start, end)`.

    A chunk is no shorter than the window and than what comes before the response, so that its keys are at most three
    times as many as its queries, and the cost grows linearly with the length.

    Args:
        length: L.
        before: Positions before the response.
        window: Positions of the response that one attends to, itself included.
    """
    size = max(window, before, LEAST_CHUNK)
    for start in range(before + window, length, size):
        yield start, min(start + size, length)


def near(queries: int, before: int, window: int, device: torch.device) -> Tensor:
    """Returns which keys of a chunk its queries see, `[C, U]`: all before the response, then a band.

    Args:
        queries: C.
        before: As in `chunks`; these keys come first, then those from `window` - 1 before the chunk to its end.
        window: As in `chunks`.
        device: Where the mask is needed.
    """
    query_C1 = torch.arange(queries, device=device)[:, None]
    key_U = torch.arange(queries + window - 1, device=device)
    band_CU = (key_U >= query_C1) & (key_U < query_C1 + window)
    return torch.cat((band_CU.new_ones(queries, before), band_CU), 1)
