"""Leaves text, prompt, input and tone out of packed documents, as classifier-free guidance reads them a second time."""

from dataclasses import replace

import numpy as np
import torch

from model.network.packing import Batch
from model.sequences.documents import ABSENT, Int64s
from model.sequences.tokenizer import Tokenizer


def unconditional(batch: Batch, tokenizer: Tokenizer) -> Batch | None:
    """Returns the documents of a batch that can be guided, laid out as `Condition.dropped` lays them out.

    They are those of the modes ar, nar-len and all. The rows of each head that predicts there are in the same order as
    those of the batch; heads of other modes have none. There are no targets.

    Args:
        batch: Packed documents, on the CPU.
        tokenizer: Their vocabulary.

    Returns:
        The batch; None if no document can be guided.
    """
    tokens_L, positions_L = batch.tokens_L.numpy().copy(), batch.positions_L.numpy().copy()
    kept_L = np.zeros(len(tokens_L), bool)
    ends = np.cumsum(batch.lengths).tolist()
    guided = [
        number
        for number, (length, end) in enumerate(zip(batch.lengths, ends, strict=True))
        if _drop(tokens_L[end - length : end], positions_L[end - length : end], kept_L[end - length : end], tokenizer)
    ]
    if not guided:
        return None
    lengths = [int(kept_L[ends[number] - batch.lengths[number] : ends[number]].sum()) for number in guided]
    # All that is left out comes before the last segment, whose marker follows what is given and ends what is before.
    left = [batch.lengths[number] - length for number, length in zip(guided, lengths, strict=True)]
    given, before = (
        tuple(all_[number] and all_[number] - less for number, less in zip(guided, left, strict=True)) if all_ else ()
        for all_ in (batch.given, batch.before)
    )
    place_L = torch.from_numpy(np.cumsum(kept_L) - 1)
    kept = torch.from_numpy(kept_L)
    codes_LK = batch.codes_LK[kept]
    if tokenizer.names_said:
        codes_LK[:, tokenizer.num_codebooks :] = ABSENT
    return replace(
        batch,
        tokens_L=torch.from_numpy(tokens_L[kept_L]),
        codes_LK=codes_LK,
        positions_L=torch.from_numpy(positions_L[kept_L]),
        lengths=tuple(lengths),
        causal=sum(number < batch.causal for number in guided),
        rows=tuple(place_L[rows[kept[rows]]] for rows in batch.rows),
        targets=(),
        tasks=(),
        given=given,
        before=before,
    )


def _drop(tokens_L: Int64s, positions_L: Int64s, kept_L: np.ndarray, tokenizer: Tokenizer) -> bool:
    """Marks what is kept of one document, and changes its tokens and positions; returns whether it can be guided."""
    starts = np.flatnonzero(positions_L == 0)
    last = starts[-1]
    if tokens_L[last] not in (tokenizer.level(0), tokenizer.canvas):
        return False
    end = int(np.flatnonzero(tokens_L == tokenizer.end)[0])  # of the text: <task> <language> [tone] phonemes <end>
    starts = starts[starts > end]  # a spaced text has any positions
    positions_L[[0, 1, end]] = 0, 1, 2
    kept_L[[0, 1, end]] = True
    kept_L[starts] = True
    kept_L[last:] = True
    if tokenizer.input in tokens_L[starts[:-1]]:  # without a text, an input's language is unknown
        tokens_L[1] = tokenizer.unknown
    return True
