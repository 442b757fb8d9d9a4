"""Lays out documents whose responses are written in tokens: the digits of a length, phonemes, characters.

Axes: K codebooks, S input frames.
"""

from collections.abc import Sequence

import numpy as np

from model.sequences.documents import Condition, Document, Draft, conditions
from model.sequences.tasks import TextTask
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


def length_document(tokenizer: Tokenizer, condition: Condition, digits: Sequence[int], *, ended: bool) -> Document:
    """Lays out a document of the mode len.

    Args:
        tokenizer: The vocabulary.
        condition: Text, prompt and input.
        digits: Ids of the decimal digits of the number of frames, or of the digits known so far.
        ended: Whether `digits` is complete; then the last one predicts <end>.
    """
    draft = conditions(tokenizer, condition, "len")
    return _spelled(draft, tokenizer, tokenizer.length, digits, ended=ended)


def text_document(tokenizer: Tokenizer, speech_KT: Codes, spoken: Sequence[int], *, ended: bool) -> Document:
    """Lays out a document of the mode stt.

    Args:
        tokenizer: The vocabulary.
        speech_KT: The speech to transcribe.
        spoken: Ids of its language and phonemes, or of those known so far.
        ended: Whether `spoken` is complete; then the last one predicts <end>.
    """
    draft = Draft(speech_KT.shape[0], "stt")
    draft.add([tokenizer.task("stt")])
    draft.segment(tokenizer.speech, speech_KT)
    return _spelled(draft, tokenizer, tokenizer.text, spoken, ended=ended)


def rewritten_document(
    tokenizer: Tokenizer,
    task: TextTask,
    given: str,
    language: str,
    written: Sequence[int],
    *,
    num_codebooks: int,
    ended: bool,
) -> Document:
    """Lays out a document of a text task.

    Args:
        tokenizer: The vocabulary.
        task: What is made of what.
        given: Characters or phonemes.
        language: ISO 639-1 code of the text.
        written: Ids of the phonemes or characters to learn, or of those known so far.
        num_codebooks: K.
        ended: Whether `written` is complete; then the last one predicts <end>.
    """
    draft = Draft(num_codebooks, task)
    draft.add([tokenizer.task(task), tokenizer.language(language), *tokenizer.encode(given), tokenizer.end])
    return _spelled(draft, tokenizer, tokenizer.text, written, ended=ended)


def _spelled(draft: "Draft", tokenizer: Tokenizer, marker: int, ids: Sequence[int], *, ended: bool) -> Document:
    """Adds the last segment, whose tokens are predicted one after the other."""
    at = draft.add([marker, *ids])
    targets = [*ids, tokenizer.end] if ended else [*ids]
    return draft.document(at[: len(targets)], np.array(targets), draft.num_codebooks, causal=True)
