"""Reads the codes of a draw and lays them out as a document.

Axes: K codebooks, T frames.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.data.draw import Draw
from model.data.examples import Examples
from model.sequences.delayed import delayed_document
from model.sequences.documents import Condition, Document, canvas, document, whole_canvas
from model.sequences.spans import Bools, read_spans, replaced
from model.sequences.spelled import length_document, rewritten_document, text_document
from model.sequences.tasks import TextTask, is_text_task
from stages.records import Codes

_WHOLE = 0.5
"""How often all of a codebook above the first is masked in the mode all, where it is the first masked one."""


def read_response(examples: Examples, draw: Draw) -> Codes:
    """Reads the codes of the response, `[K, T]`."""
    return read_spans(examples.store, draw.response)


def read_condition(examples: Examples, draw: Draw) -> Condition:
    """Reads the prompt and the input, and returns them with the text; not for the mode stt."""
    store = examples.store
    prompt_KP, language = read_spans(store, draw.prompt), store.languages[draw.row]
    rows = [span.row for span in draw.response]
    times = examples.alignments.of(rows) if examples.alignments and draw.phonemes else None
    condition = Condition(draw.phonemes, language, prompt_KP, draw.task, tone=draw.tone, times=times)
    if draw.input is None:
        return condition
    return replace(condition, input_KS=read_spans(store, draw.input), replaced_S=replaced(draw.input))


def read_documents(examples: Examples, draws: Sequence[Draw]) -> list[Document]:
    """Reads the documents of several draws; their texts are aligned at once, which is several times as fast."""
    if examples.alignments:
        examples.alignments.find([span.row for draw in draws for span in draw.response])
    return [read_document(examples, draw) for draw in draws]


def read_document(examples: Examples, draw: Draw) -> Document:
    """Reads all codes of a draw and lays them out, with the frames masked or corrupted as drawn."""
    tokenizer, stop = examples.tokenizer, examples.store.codec.codebook_size
    if is_text_task(draw.mode):
        return _read_text(examples, draw, draw.mode)
    response_KT = read_response(examples, draw)
    if draw.mode == "stt":
        spoken = [tokenizer.language(examples.store.languages[draw.row]), *tokenizer.encode(draw.phonemes)]
        return text_document(tokenizer, response_KT, spoken, ended=True)
    condition, levels = read_condition(examples, draw), examples.config.levels
    match draw.mode:
        case "len":
            return length_document(tokenizer, condition, tokenizer.encode(str(draw.frames)), ended=True)
        case "all":
            shown_KT = _corrupted(response_KT, draw, share=examples.corrupt, codebook_size=stop)
            masked_KT, asked_KT = _masked_below(examples, draw, response_KT.shape[0])
            return whole_canvas(tokenizer, condition, shown_KT, masked_KT, asked_KT)
        case "nar" if levels != "masks":
            response_KT = _corrupted(response_KT, draw, share=examples.corrupt, codebook_size=stop)
        case "nar" | "nar-len":
            masked_T = _masked(examples, draw.frames, np.random.default_rng(draw.noise))
            return canvas(tokenizer, condition, response_KT[draw.level], masked_T, draw.level)
    is_late = draw.mode == "ar" and levels == "delay"
    return (
        delayed_document(tokenizer, condition, response_KT, stop)
        if is_late
        else document(tokenizer, condition, response_KT, draw.level, stop, group=draw.group)
    )


def _read_text(examples: Examples, draw: Draw, task: TextTask) -> Document:
    """Lays out a draw of a text task, which has no codes."""
    tokenizer, num_codebooks = examples.tokenizer, examples.store.codec.num_codebooks
    given = draw.phonemes, examples.store.languages[draw.row], tokenizer.encode(draw.written)
    return rewritten_document(tokenizer, task, *given, num_codebooks=num_codebooks, ended=True)


def _masked_below(examples: Examples, draw: Draw, num_codebooks: int) -> tuple[Bools, Bools]:
    """Draws which codes are masked in the mode all, and which of these to predict, both `[K, T]`.

    Of the codebooks above the drawn one, which are wholly masked, each code is predicted with a probability of 1 / K:
    they count less in the loss, as decoding needs such predictions only where its steps are fewer than codebooks, and
    cost less.
    """
    rng = np.random.default_rng(draw.noise)
    masked_KT = np.zeros((num_codebooks, draw.frames), bool)
    masked_KT[draw.level + 1 :] = True
    # Decoding mostly fills in a codebook above the first in one step.
    whole = draw.level > 0 and rng.random() < _WHOLE
    masked_KT[draw.level] = True if whole else _masked(examples, draw.frames, rng)
    asked_KT = masked_KT & (rng.random(masked_KT.shape) < 1 / num_codebooks)
    asked_KT[draw.level] = masked_KT[draw.level]
    return masked_KT, asked_KT


def _masked(examples: Examples, frames: int, rng: np.random.Generator) -> Bools:
    """Draws which frames are masked, at least one, `[T]`."""
    config = examples.config
    share = np.cos(rng.random() * np.pi / 2) if config.mask_schedule == "cosine" else config.mask_ratio
    masked_T = np.zeros(frames, bool)
    masked_T[rng.permutation(frames)[: max(1, round(share * frames))]] = True
    return masked_T


def _corrupted(response_KT: Codes, draw: Draw, *, share: float, codebook_size: int) -> Codes:
    """Replaces a share of the codes below the level by random ones."""
    if not share:
        return response_KT
    rng = np.random.default_rng(draw.noise)
    changed_KT = rng.random(response_KT.shape) < share
    changed_KT[draw.level :] = False
    others_KT = rng.integers(0, codebook_size, response_KT.shape).astype(response_KT.dtype)
    return np.where(changed_KT, others_KT, response_KT)
