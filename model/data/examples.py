"""The examples of a split: which rows of the store it uses, and the prompt, task and level drawn for each.

A draw reads no codes and depends only on its generator. So every rank can plan the same batches ahead, and a run
continues from two numbers.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from model.config import DataConfig
from model.data.alignment import Alignments
from model.data.draw import Draw
from model.data.order import epoch_order
from model.data.selection import Selection, select
from model.data.source import Store, split_keys, tones_of
from model.data.texts import Texts, check_texts
from model.sequences.delayed import steps_read
from model.sequences.documents import MODES, Int64s, Mode
from model.sequences.spans import Span
from model.sequences.tasks import TEXT_TASKS, TRANSFORMS, Material, TaskDraw, TextTask
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError
from stages.ids import group_of, split_of

_GUIDED = frozenset({"ar", "nar-len", "all"})
"""Modes that can be decoded with guidance; with `data.levels: masks`, `nar` too."""


class Examples:
    """The utterances of one split, and the draws for them; `model.data.reading` reads their codes.

    Args:
        store: The dataset.
        tokenizer: The model's vocabulary.
        config: Section `data`.
        split: Which part. Validation utterances may have prompts from training rows of their speaker, but not the other
            way round.
        group: `model.group`.
        ahead: `model.ahead`.

    Raises:
        UsageError: if no utterance is left for training or for a task of `data.tasks`; if an utterance has no speaker;
            if texts are needed and an utterance has none; with `data.tones`, if no speaker has a group or the
            vocabulary lacks a group.
    """

    def __init__(
        self,
        store: Store,
        tokenizer: Tokenizer,
        config: DataConfig,
        split: Literal["train", "validation"],
        *,
        group: int = 1,
        ahead: int = 0,
    ) -> None:
        self.store = store
        self.tokenizer = tokenizer
        self.config = config
        self.group = group
        self.ahead = ahead
        self.texts = Texts(store, config)
        self.selection = select(store, config)
        in_range = self.selection.used_N
        keys = split_keys(store, config)
        is_train = np.array([split_of(key, config.validation) == "train" for key in keys], dtype=bool)
        self.rows: Int64s = np.flatnonzero(in_range & (is_train if split == "train" else ~is_train))
        if split == "train" and not len(self.rows):
            raise UsageError(
                f"`data.min_s` = {config.min_s} to `data.max_s` = {config.max_s} must leave utterances to train on,"
                f" but none of the {len(in_range)} in the dataset is left{_why(self.selection)}. Widen the range or"
                " `data.languages`, or lower `data.validation`."
            )
        check_texts(store, in_range, config)
        learnt = np.flatnonzero(in_range & is_train)
        self.alignments = Alignments(store, self.texts, tokenizer, learnt) if tokenizer.names_said else None
        """When each symbol of a text is said; None if nobody asks (`model.text_spacing`)."""
        self._usable = in_range & is_train if split == "train" else in_range
        self._unconditional = config.unconditional_probability if split == "train" else 0.0
        self._join = config.join_probability if split == "train" else 0.0
        self.corrupt = config.corrupt if split == "train" else 0.0
        """Share of the lower codebooks' codes to replace by random ones in the modes nar and all."""
        self._index_speakers()
        if config.tones:
            self._check_tones()
        self._tasks = self._task_draw(required=split == "train")
        self._text_tasks = [task for task in TEXT_TASKS if config.tasks.get(task)]
        self._text_bounds = np.cumsum([config.tasks[task] for task in self._text_tasks]) / sum(config.tasks.values())
        self._prompt_frames = max(1, round(config.prompt_s * store.codec.frame_rate))
        num_codebooks = store.codec.num_codebooks
        self._guided = _GUIDED | {"nar"} if config.levels == "masks" else _GUIDED
        self._late = steps_read(num_codebooks, 0) if config.levels == "delay" else 0
        weights = np.arange(num_codebooks - 1, 0, -1, dtype=np.float64)
        self._level_bounds = np.cumsum(weights / weights.sum()) if num_codebooks > 1 else weights
        used = {mode: config.modes.get(mode, 0.0) for mode in MODES if mode != "nar" or num_codebooks > 1}
        self._modes = [mode for mode, weight in used.items() if weight]
        if not self._modes:
            raise UsageError("`data.modes` must leave something to learn, but `nar` needs more than one codebook.")
        self._mode_bounds = np.cumsum([used[mode] for mode in self._modes]) / sum(used.values())

    def _index_speakers(self) -> None:
        """Sorts the usable rows by speaker, so each speaker's rows are one slice."""
        names, self._speaker_of = np.unique(np.asarray(self.store.speakers), return_inverse=True)
        if nameless := [number for number, name in enumerate(names.tolist()) if not name.rpartition("/")[2]]:
            first = self.store.ids[np.flatnonzero(np.isin(self._speaker_of, nameless))[0]]
            raise UsageError(
                f"`data.store` = `{self.config.store}` must have a speaker for each utterance, to take prompts from the"
                f" speaker's other utterances, but `{first}` has none. Prepare it from folders, one per speaker."
            )
        self._classes = self._speaker_of
        if self.config.sample_by == "group":
            self._classes = np.unique(list(map(group_of, names.tolist())), return_inverse=True)[1][self._speaker_of]
        usable = np.flatnonzero(self._usable)
        self._by_speaker = usable[np.argsort(self._speaker_of[usable], kind="stable")]
        counts = np.bincount(self._speaker_of[usable], minlength=int(self._speaker_of.max(initial=-1)) + 1)
        self._first = np.concatenate([[0], np.cumsum(counts)])

    def _check_tones(self) -> None:
        groups = tones_of(self.store)
        if not groups:
            raise UsageError(
                "`data.tones` needs groups, the folders above the speakers' folders, but the dataset has none. Set it"
                " to false, or make a dataset from `VOICES/<group>/<speaker>/`."
            )
        if missing := [name for name in groups if name not in self.tokenizer.tones]:
            raise UsageError(
                f"`data.tones` needs every group in the model's vocabulary, but `{missing[0]}` isn't in it. Start a new"
                " run with the model as `trainer.start_from`, which adds missing groups."
            )

    def _task_draw(self, *, required: bool) -> TaskDraw | None:
        """Returns the draw of tasks; None if `tts` is the only one."""
        weights = self.config.tasks
        if not any(weights.get(task) for task in TRANSFORMS):
            return None
        material = Material(self.store, self._usable, self._speaker_of, self._draw_other)
        dropout = self.config.text_dropout
        return TaskDraw(weights, material, text_dropout=dropout, required=self.rows if required else None)

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.rows)

    @property
    def kinds(self) -> list[tuple[Mode | TextTask, int]]:
        """Every trained mode with its level, `nar` and `all` with each of their levels; then the text tasks."""
        every = range(self.store.codec.num_codebooks)
        levels: dict[Mode, range] = {"nar": every[1:], "all": every}
        spoken = [(mode, level) for mode in self._modes for level in levels.get(mode, every[:1])]
        return [*(spoken if self._speaks else ()), *((task, 0) for task in self._text_tasks)]

    @property
    def _speaks(self) -> bool:
        """Whether any task has speech."""
        return any(weight for task, weight in self.config.tasks.items() if task not in TEXT_TASKS)

    def epoch(self, seed: int, epoch: int) -> Int64s:
        """Returns the rows of an epoch, in order."""
        classes = self._classes[self.rows]
        config, rng = self.config, np.random.default_rng((seed, epoch))
        interleaved = config.order == "interleaved"
        return epoch_order(self.rows, classes, rng, temperature=config.temperature, interleaved=interleaved)

    def draw(self, row: int, rng: np.random.Generator, kind: tuple[Mode | TextTask, int] | None = None) -> Draw:
        """Draws task, prompt, input, mode and level for a row of the store; `kind` sets mode and level."""
        if task := self._draw_text_task(rng, kind):
            given, written = self.texts.rewritten(row, task)
            return Draw(row, task, (), (), task, 0, given, noise=0, written=written)
        return self._draw_speech(row, rng, kind)

    def _draw_text_task(self, rng: np.random.Generator, kind: tuple[Mode | TextTask, int] | None) -> TextTask | None:
        """Draws a text task, or returns None for speech. Without text tasks, nothing is drawn from the generator."""
        if kind:
            return next((task for task in self._text_tasks if kind[0] == task), None)
        if not self._text_tasks:
            return None
        at = int(np.searchsorted(self._text_bounds, rng.random(), side="right"))
        return self._text_tasks[at] if at < len(self._text_tasks) else None

    def _draw_speech(self, row: int, rng: np.random.Generator, kind: tuple[Mode | TextTask, int] | None) -> Draw:
        frames = int(self.store.frames[row])
        drawn = self._draw_mode(rng)
        mode, level = kind or drawn
        given = self._tasks.draw(row, rng) if self._tasks else None
        prompt_row = self._draw_prompt_row(row, rng)
        continuation = rng.random() < self.config.continuation_probability
        unconditional = rng.random() < self._unconditional
        noise = int(rng.integers(2**63))
        phonemes = self.texts.read(row)
        if given:
            prompt = self._draw_prompt(row, prompt_row, rng) if given.prompted else ()
            phonemes = phonemes if given.with_text else ""
            response = (Span(row, 0, frames, given.target),)
            draw = Draw(row, given.task, prompt, response, mode, level, phonemes, noise, given.input)
        elif continuation or prompt_row == row:
            length = min(self._prompt_frames, frames // 2)
            parts = (Span(row, 0, length),), (Span(row, length, frames),)
            draw = Draw(row, "tts-c", *parts, mode, level, phonemes, noise)
        else:
            prompt = self._draw_prompt(row, prompt_row, rng)
            joined = self._draw_joined(row, {row, *(span.row for span in prompt)}, rng)
            phonemes = " ".join([phonemes, *(self.texts.read(span.row) for span in joined)])
            draw = Draw(row, "tts", prompt, (Span(row, 0, frames), *joined), mode, level, phonemes, noise)
        if unconditional and mode in self._guided:
            draw = replace(draw, phonemes="", prompt=(), input=None if draw.input is None else ())
        elif self.config.tones and rng.random() >= self.config.tone_dropout:
            draw = replace(draw, tone=group_of(self.store.speakers[row]))
        return replace(self._for_stt(draw) if mode == "stt" else draw, group=self.group, late=self._late)

    def _for_stt(self, draw: Draw) -> Draw:
        """Returns the draw with its whole utterances: which phonemes belong to which frames is unknown."""
        rows = [span.row for span in draw.response]
        whole = tuple(Span(row, 0, int(self.store.frames[row])) for row in rows)
        phonemes = " ".join(map(self.texts.read, rows))
        return replace(draw, level=0, response=whole, prompt=(), phonemes=phonemes, input=None, tone="")

    def _draw_mode(self, rng: np.random.Generator) -> tuple[Mode, int]:
        mode = self._modes[int(np.searchsorted(self._mode_bounds[:-1], rng.random(), side="right"))]
        if mode not in ("nar", "all"):
            return mode, 0
        at = rng.random()
        if mode == "all":  # half of them codebook 0, as it has about half of decoding's passes
            if at < 0.5 or self.store.codec.num_codebooks == 1:
                return mode, 0
            at = 2 * at - 1
        return mode, 1 + int(np.searchsorted(self._level_bounds[:-1], at, side="right"))

    def _draw_prompt_row(self, row: int, rng: np.random.Generator) -> int:
        """Draws the row of a prompt: a near neighbour or any other usable row of the speaker, or else `row`."""
        speaker = self._speaker_of[row]
        if rng.random() < self.config.similar_probability:
            near = self.store.similar(row)
            near = tuple(n for n in near if n != row and self._usable[n] and self._speaker_of[n] == speaker)
            if near:
                return near[int(rng.integers(len(near)))]
        return self._draw_other(row, rng)

    def _draw_other(self, row: int, rng: np.random.Generator) -> int:
        """Draws another usable row of the speaker, or returns `row` if there is none."""
        speaker = self._speaker_of[row]
        own = self._by_speaker[self._first[speaker] : self._first[speaker + 1]]
        at = int(np.searchsorted(own, row))
        has_row = at < len(own) and own[at] == row
        others = len(own) - has_row
        if not others:
            return row
        pick = int(rng.integers(others))
        return int(own[pick + (has_row and pick >= at)])

    def _draw_prompt(self, row: int, prompt_row: int, rng: np.random.Generator) -> tuple[Span, ...]:
        """Draws the spans that are joined to the prompt, the first from `prompt_row`."""
        spans: list[Span] = []
        left = self._prompt_frames
        while len(spans) < self.config.prompt_utterances and left > 0:
            if prompt_row == row or prompt_row in {span.row for span in spans}:
                break  # the speaker has no other row, or the drawn one is in the prompt
            available = int(self.store.frames[prompt_row])
            length = min(left, available)
            start = int(rng.integers(available - length + 1))
            spans.append(Span(prompt_row, start, start + length))
            left -= length
            if len(spans) < self.config.prompt_utterances:
                prompt_row = self._draw_prompt_row(row, rng)
        return tuple(spans)

    def _draw_joined(self, row: int, taken: set[int], rng: np.random.Generator) -> tuple[Span, ...]:
        """Draws the speaker's utterances that follow in the response."""
        if not self._join:
            return ()
        spans: list[Span] = []
        left = self.config.max_s * self.store.codec.frame_rate - int(self.store.frames[row])
        while rng.random() < self._join:
            other = self._draw_other(row, rng)
            frames = int(self.store.frames[other])
            if other in taken or frames > left or self.store.languages[other] != self.store.languages[row]:
                break
            spans.append(Span(other, 0, frames))
            taken.add(other)
            left -= frames
        return tuple(spans)


def _why(selection: Selection) -> str:
    """Returns " (2 over `data.max_s` = 16)": what leaves utterances out; "" if nothing does."""
    return f" ({'; '.join(selection.left_out)})" if selection.left_out else ""
