"""Speech to text: recognises language and phonemes, or characters (`data.text`), from codes.

Axes: K codebooks, T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.decoding.crew import until
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.spelling import spell
from model.network.decoder import Decoder
from model.sequences.documents import text_document
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
