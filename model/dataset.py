"""The training set: which rows of the store are used, and what is drawn for each: prompt, task and level.

A draw reads no codes and depends only on its generator, so the batches can be planned ahead, on every rank alike, and
a run can be continued from two numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from model.config import DataConfig
from model.documents import MARKERS, Condition, Document, Int64s, document
from model.tokenizer import Task, Tokenizer
from stages.errors import UsageError
from stages.records import CodecIdentity, Codes, split_of


class Store(Protocol):
    """What training needs of a dataset; `stages.store.open_store` gives it."""

    codec: CodecIdentity
    fingerprint: str
    frames: Int64s
    ids: Sequence[str]

    @property
    def speakers(self) -> Sequence[str]:
        """Each row's `group/speaker`."""

    @property
    def languages(self) -> Sequence[str]:
        """Each row's language code."""

    @property
    def symbols(self) -> Sequence[str]:
        """Every symbol of the phonemes."""

    def codes(self, index: int) -> Codes:
        """Returns a row's codes, `[K, T]`."""

    def phonemes(self, index: int) -> str:
        """Returns a row's phonemes."""

    def similar(self, index: int) -> tuple[int, ...]:
        """Returns the rows of a row's neighbours, nearest first; () where there are none."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn for one utterance, before any codes are read."""

    row: int
    task: Task
    prompt_row: int
    prompt: slice
    """Frames of `prompt_row` that are the prompt."""
    response: slice
    """Frames of `row` that are the response."""
    level: int
    phonemes: str

    @property
    def length(self) -> int:
        """Positions of the document, short of symbols that decompose into several."""
        frames = self.prompt.stop - self.prompt.start + self.response.stop - self.response.start
        return MARKERS + len(self.phonemes) + int(frames)


class Examples:
    """The utterances of one split, and how they are drawn.

    Args:
        store: The dataset.
        tokenizer: The model's vocabulary.
        config: Section `data`.
        split: Which part. Prompts of validation utterances may come from training rows of the speaker, not the
            other way round.

    Raises:
        UsageError: if no utterance is left.
    """

    def __init__(
        self, store: Store, tokenizer: Tokenizer, config: DataConfig, split: Literal["train", "validation"]
    ) -> None:
        self.store = store
        self.tokenizer = tokenizer
        self.config = config
        self.stop = store.codec.codebook_size
        seconds = store.frames / store.codec.frame_rate
        in_range = (seconds >= config.min_s) & (seconds <= config.max_s)
        if config.languages is not None:
            in_range &= np.isin(np.asarray(store.languages), config.languages)
        keys = store.ids if config.split_by == "utterance" else store.speakers
        is_train = np.array([split_of(key, config.validation) == "train" for key in keys], dtype=bool)
        self.rows: Int64s = np.flatnonzero(in_range & (is_train if split == "train" else ~is_train))
        if split == "train" and not len(self.rows):
            raise UsageError(
                f"`data.min_s` = {config.min_s} to `data.max_s` = {config.max_s} must leave utterances to train on,"
                f" but of the {len(seconds)} in the dataset none is left. Widen the range or `data.languages`, or lower"
                " `data.validation`."
            )
        self._usable = in_range & is_train if split == "train" else in_range
        self._index_speakers()
        self._prompt_frames = max(1, round(config.prompt_s * store.codec.frame_rate))
        num_codebooks = store.codec.num_codebooks
        weights = np.arange(num_codebooks - 1, 0, -1, dtype=np.float64)
        self._level_bounds = np.cumsum(weights / weights.sum()) if num_codebooks > 1 else weights

    def _index_speakers(self) -> None:
        """Sorts the usable rows by speaker, so that a speaker's rows are one slice."""
        _, self._speaker_of = np.unique(np.asarray(self.store.speakers), return_inverse=True)
        usable = np.flatnonzero(self._usable)
        self._by_speaker = usable[np.argsort(self._speaker_of[usable], kind="stable")]
        counts = np.bincount(self._speaker_of[usable], minlength=int(self._speaker_of.max(initial=-1)) + 1)
        self._first = np.concatenate([[0], np.cumsum(counts)])

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.rows)

    def draw(self, row: int, rng: np.random.Generator) -> Draw:
        """Draws prompt, task and level for a row of the store."""
        frames = int(self.store.frames[row])
        level = self._draw_level(rng)
        prompt_row = self._draw_prompt_row(row, rng)
        continuation = rng.random() < self.config.continuation_probability
        phonemes = self.store.phonemes(row)
        if continuation or prompt_row == row:
            length = min(self._prompt_frames, frames // 2)
            return Draw(row, "tts-c", row, slice(0, length), slice(length, frames), level, phonemes)
        available = int(self.store.frames[prompt_row])
        length = min(self._prompt_frames, available)
        start = int(rng.integers(available - length + 1))
        return Draw(row, "tts", prompt_row, slice(start, start + length), slice(0, frames), level, phonemes)

    def _draw_level(self, rng: np.random.Generator) -> int:
        if rng.random() < self.config.ar_probability or not len(self._level_bounds):
            return 0
        return 1 + int(np.searchsorted(self._level_bounds[:-1], rng.random(), side="right"))

    def _draw_prompt_row(self, row: int, rng: np.random.Generator) -> int:
        """Returns another usable row of the speaker, or `row` where there is none."""
        speaker = self._speaker_of[row]
        if rng.random() < self.config.similar_probability:
            near = self.store.similar(row)
            near = tuple(n for n in near if n != row and self._usable[n] and self._speaker_of[n] == speaker)
            if near:
                return near[int(rng.integers(len(near)))]
        own = self._by_speaker[self._first[speaker] : self._first[speaker + 1]]
        at = int(np.searchsorted(own, row))
        has_row = at < len(own) and own[at] == row
        others = len(own) - has_row
        if not others:
            return row
        pick = int(rng.integers(others))
        return int(own[pick + (has_row and pick >= at)])

    def document(self, draw: Draw) -> Document:
        """Reads the codes of a draw and lays them out."""
        prompt_KP = self.store.codes(draw.prompt_row)[:, draw.prompt]
        response_KT = self.store.codes(draw.row)[:, draw.response]
        condition = Condition(draw.phonemes, self.store.languages[draw.row], prompt_KP, draw.task)
        return document(self.tokenizer, condition, response_KT, draw.level, self.stop)
