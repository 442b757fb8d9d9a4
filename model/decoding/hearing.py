"""Writes text: recognises language and phonemes, or characters (`data.text`), from codes, and does the text tasks.

Axes: B batch, D width, K codebooks, T frames, V tokens, L tokens written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from model.decoding.autoregressive import all_ended
from model.decoding.crew import until
from model.decoding.prefill import prefill
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.noise import first_place, keys_of, seeds_of
from model.network.cache import Cached
from model.network.decoder import Decoder
from model.sequences.documents import ABSENT, Document
from model.sequences.spelled import rewritten_document, text_document
from model.sequences.tasks import TextTask
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@dataclass(frozen=True, slots=True)
class Heard:
    """The language and phonemes recognised in a recording."""

    language: str
    """ISO 639-1 code."""
    phonemes: str
    """Phonemes or, with `data.text: characters`, the text."""
    ended: bool
    """Whether the model ended by itself, before `max_tokens`."""


def hear(
    network: Decoder,
    tokenizer: Tokenizer,
    speech: Sequence[Codes],
    *,
    max_tokens: int,
    language: str | None = None,
    sampling: Sampling = GREEDY,
    seeds: Sequence[int] | None = None,
) -> list[Heard]:
    """Recognises the phonemes of several recordings.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        speech: The recordings' codes, `[K, T]` each.
        max_tokens: Most phonemes of a recording.
        language: ISO 639-1 code of all of them. None: recognised too.
        sampling: How phonemes are drawn.
        seeds: Of each recording's draws; 0 by default.

    Returns:
        One result per recording.
    """
    given = [] if language is None else [tokenizer.language(language)]
    documents = [text_document(tokenizer, codes_KT, given, ended=True) for codes_KT in speech]
    rows = spell(
        network,
        tokenizer,
        documents,
        begun=len(given),
        max_tokens=max_tokens + (language is None),
        language_first=language is None,
        sampling=sampling,
        seeds=seeds,
    )
    return [_heard(tokenizer, row, language) for row in rows]


def _heard(tokenizer: Tokenizer, ids: np.ndarray, language: str | None) -> Heard:
    phonemes = ids if language else ids[1:]
    ended = bool((phonemes == tokenizer.end).any())
    code = language or tokenizer.languages[int(ids[0])]
    return Heard(code, tokenizer.decode(until(phonemes, tokenizer.end).tolist()), ended)


@torch.inference_mode()
def spell(
    network: Decoder,
    tokenizer: Tokenizer,
    documents: Sequence[Document],
    *,
    begun: int,
    max_tokens: int,
    language_first: bool = False,
    sampling: Sampling = GREEDY,
    seeds: Sequence[int] | None = None,
) -> npt.NDArray[np.int64]:
    """Writes tokens after several documents, whose last segment is begun.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        documents: What is known, `text_document` or `rewritten_document`.
        begun: Tokens that the last segment has after its marker.
        max_tokens: Most tokens.
        language_first: Whether the first token is a language, the likeliest.
        sampling: How the others are drawn.
        seeds: Of each document's draws; 0 by default.

    Returns:
        Ids `[B, L]`; what follows `<end>` means nothing.
    """
    device = network.token_embedding.weight.device
    cache, last_BD = prefill(network, tokenizer, documents, room=max_tokens)
    batch = len(documents)
    languages = torch.tensor(list(tokenizer.languages), device=device)
    nothing_B1K = torch.full((batch, 1, network.num_codebooks), ABSENT, device=device)
    seeds_B = seeds_of(seeds or [0] * batch, device)
    places_B = torch.full((batch,), first_place("stt"), device=device)
    ended_B = torch.zeros(batch, dtype=torch.bool, device=device)
    drawn = []
    for place in range(max_tokens):
        logits_BV = network.logits(last_BD, network.num_codebooks)
        if place == 0 and language_first:
            token_B = languages[logits_BV[:, languages].argmax(-1)]
        else:
            keys_B = keys_of(seeds_B, places_B + place) if sampling.random else None
            token_B = sample(logits_BV, sampling, keys_B)
        drawn.append(token_B)
        ended_B |= token_B == tokenizer.end
        if all_ended(ended_B, place):
            break
        position_B1 = torch.full((batch, 1), 1 + begun + place, device=device)
        last_BD = network.hidden(token_B[:, None], nothing_B1K, position_B1, Cached(cache, 1))[:, 0]
        cache.advance(1, 1)
    written_BL: npt.NDArray[np.int64] = torch.stack(drawn, dim=1).cpu().numpy()
    return written_BL


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a text task made of a text."""

    text: str
    """Phonemes or characters."""
    ended: bool
    """Whether the model ended by itself, before `max_tokens`."""


def rewrite(
    network: Decoder, tokenizer: Tokenizer, task: TextTask, texts: Sequence[tuple[str, str]], *, max_tokens: int
) -> list[Rewritten]:
    """Turns characters into phonemes, or back, always taking the likeliest.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        task: What is made of what.
        texts: Characters or phonemes, each with the code of its language.
        max_tokens: Most characters or phonemes of one.

    Returns:
        One result per text.

    Raises:
        UsageError: if the vocabulary has no marker for the task.
    """
    documents = [
        rewritten_document(tokenizer, task, text, code, [], num_codebooks=network.num_codebooks, ended=True)
        for text, code in texts
    ]
    rows = spell(network, tokenizer, documents, begun=0, max_tokens=max_tokens)
    return [
        Rewritten(tokenizer.decode(until(row, tokenizer.end).tolist()), bool((row == tokenizer.end).any()))
        for row in rows
    ]
