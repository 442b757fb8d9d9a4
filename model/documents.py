"""How an utterance becomes the sequence that the network reads: the same for training, scoring and speaking.

Three segments, each opened by markers; every code frame carries its segment's marker as its token, so that the
network's input at a position is one token embedding plus the sum of the codes that are known there:

    <task> <language> phonemes ... <end>  |  <prompt> prompt frames ...  |  <level k> response frames ...

* The prompt shows all K codebooks summed, in AR and NAR documents alike (VALL-E, arXiv 2301.02111, section 4.2).
* Level 0 (AR): the response shows codebook 0; position i predicts frame i + 1 from the frames before it, the marker
  the first frame and the last frame the stop code, whose id is `codebook_size`.
* Level k > 0 (NAR): the response shows codebooks 0 ... k-1 summed; each frame's codebook k is predicted at its own
  position, all at once.

Positions restart at each segment. So how far a response frame stands from a phoneme doesn't depend on the length of
the prompt, and no position is larger than the longest segment seen in training, whatever the prompt given later.

Axes: L positions of a document, K codebooks, P prompt frames, T response frames.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.tokenizer import Task, Tokenizer
from stages.records import Codes

Int64s = npt.NDArray[np.int64]

ABSENT = -1
"""In place of a code that isn't known at a position."""

MARKERS = 5
"""Positions of a document besides phonemes and frames: task, language, end, prompt and level."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is to be said, and in whose voice."""

    phonemes: str
    """As `stages.g2p` writes them."""
    language: str
    """ISO 639-1 code."""
    prompt_KP: Codes
    """Codes of the enrolled audio; P may be 0."""
    task: Task = "tts"


@dataclass(frozen=True, slots=True)
class Document:
    """One sequence; `targets` are the codes of `level` that are predicted at the positions `rows`."""

    tokens_L: Int64s
    codes_LK: Int64s
    """`ABSENT` where a codebook isn't known."""
    positions_L: Int64s
    level: int
    rows: slice
    targets: Int64s

    def __len__(self) -> int:
        """Number of positions."""
        return len(self.tokens_L)


def document(tokenizer: Tokenizer, condition: Condition, response_KT: Codes, level: int, stop: int) -> Document:
    """Lays out one document.

    Args:
        tokenizer: The vocabulary.
        condition: Text and prompt.
        response_KT: The frames to learn, or (with the codebooks below `level` filled in) to predict; T may be 0.
        level: The codebook that is predicted.
        stop: The code that ends a response: `codebook_size`.
    """
    num_codebooks, prompt_frames = condition.prompt_KP.shape
    frames = response_KT.shape[1]
    markers = [tokenizer.task(condition.task), tokenizer.language(condition.language)]
    head = [*markers, *tokenizer.encode(condition.phonemes), tokenizer.end]
    text = len(head)
    prompt_end = text + 1 + prompt_frames
    length = prompt_end + 1 + frames

    tokens_L = np.empty(length, np.int64)
    tokens_L[:text] = head
    tokens_L[text:prompt_end] = tokenizer.prompt
    tokens_L[prompt_end:] = tokenizer.level(level)

    shown = max(level, 1)
    codes_LK = np.full((length, num_codebooks), ABSENT, np.int64)
    codes_LK[text + 1 : prompt_end] = condition.prompt_KP.T
    codes_LK[prompt_end + 1 :, :shown] = response_KT[:shown].T

    positions_L = np.concatenate([np.arange(text), np.arange(1 + prompt_frames), np.arange(1 + frames)])
    if level:
        rows, targets = slice(prompt_end + 1, length), response_KT[level].astype(np.int64)
    else:
        rows, targets = slice(prompt_end, length), np.append(response_KT[0], stop).astype(np.int64)
    return Document(tokens_L, codes_LK, positions_L, level, rows, targets)
