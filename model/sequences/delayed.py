"""Lays out all codebooks of a response for the mode ar in the delay pattern: `data.levels: delay`.

Codebook k is k steps late, so that a step predicts a code of each codebook, and knows of a frame's codes those of the
codebooks below. With four codebooks and the frames 0, 1, 2, by step (`.`: no code, S: the stop code):

    codebook 0    0  1  2  S  .  .
    codebook 1    .  0  1  2  .  .
    codebook 2    .  .  0  1  2  .
    codebook 3    .  .  .  0  1  2

The marker <level 0> predicts the first step, and each step the next one; so the last one isn't read. A step shows the
codes known there, summed. Codebook k is predicted by its head, head 0 the stop code too. So no other mode is needed for
the codebooks above the first, and T frames take T + K - 1 steps.

Source: MusicGen, section 2.1, https://arxiv.org/abs/2306.05284. There, too, the first codebook isn't the last to end.

Axes: K codebooks, T response frames, S steps, L positions of a document.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from model.sequences.documents import ABSENT, Condition, Document, Int64s, conditions
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes

Levels = Literal["sums", "delay", "masks"]


def steps_read(num_codebooks: int, frames: int) -> int:
    """Returns how many steps of a response are read, after its marker."""
    return frames + max(num_codebooks - 2, 0)


def delayed(codes_KT: Codes) -> Int64s:
    """Returns the codes by steps, `[K, T + K - 1]`; `ABSENT` where a codebook has none."""
    num_codebooks, frames = codes_KT.shape
    late_KS = np.full((num_codebooks, frames + num_codebooks - 1), ABSENT, np.int64)
    for codebook, codes_T in enumerate(codes_KT):
        late_KS[codebook, codebook : codebook + frames] = codes_T
    return late_KS


def delayed_document(tokenizer: Tokenizer, condition: Condition, response_KT: Codes, stop: int) -> Document:
    """Lays out a document of the mode ar that predicts all codebooks.

    Args:
        tokenizer: The vocabulary.
        condition: Text, prompt and input.
        response_KT: The frames to learn, at least 1.
        stop: The stop code: `codebook_size`.
    """
    num_codebooks, frames = response_KT.shape
    draft = conditions(tokenizer, condition, condition.task)
    late_KS = delayed(response_KT)
    at = draft.drawn(tokenizer, late_KS[:, : steps_read(num_codebooks, frames)])
    first_M = np.append(response_KT[0], stop)
    item = draft.document(at[: frames + 1], first_M, 0, causal=True, along=at[:frames])
    more = tuple(
        (codebook, at[codebook : codebook + frames], response_KT[codebook].astype(np.int64))
        for codebook in range(1, num_codebooks)
    )
    return replace(item, more=more, before=int(at[0]) + 1)


def begun_document(tokenizer: Tokenizer, condition: Condition) -> Document:
    """Lays out what is known before decoding: the condition, and the first steps of what the response begins with."""
    begun_KT = condition.begun()
    draft = conditions(tokenizer, condition, condition.task)
    at = draft.drawn(tokenizer, delayed(begun_KT)[:, : begun_KT.shape[1]])
    item = draft.document(at[-1:], np.zeros(1, np.int64), 0, causal=True)
    return replace(item, before=int(at[0]) + 1)
