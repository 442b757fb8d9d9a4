"""Turns text into phonemes and phonemes into text with a trained model: the tasks `phn` and `un-phn`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model.checkpoints.checkpoint import Checkpoint, load
from model.decoding.hearing import rewrite
from model.device import inference_dtype, resolve_device
from model.inference.requests import check_text_task
from model.inference.text.languages import known_language, language_of
from model.sequences.tasks import TEXT_TASKS, TextTask
from stages.errors import TextError, UsageError
from stages.text.characters import characters, in_known

_ROOM: dict[TextTask, int] = {"phn": 12, "un-phn": 2}
"""Most symbols made of one: a Chinese letter is some ten phonemes and marks."""
_LEAST_ROOM = 50
_ROWS = 16
"""Texts side by side."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was made of a text."""

    text: str
    """Phonemes or characters."""
    language: str
    """ISO 639-1 code."""
    ended: bool
    """Whether the model ended by itself."""
    notes: tuple[str, ...]
    """What the user should know of it."""


class Rewriter:
    """A trained model that reads and writes text; it needs no codec.

    Args:
        checkpoint: The model.

    Example:
        >>> reader = Rewriter.load("runs/base")
        >>> reader.phonemize(["Hello there."])[0].text
        'həlˈoʊ ðɛɹ.'
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> Self:
        """Loads a model.

        Args:
            folder: A run (its newest checkpoint is used), a checkpoint, or a file of `valle export`.
            device: `auto`, `cpu`, `cuda` or `cuda:N`.

        Raises:
            MissingInputError: if there is no model.
            ArtefactError: if a part of it is damaged.
            UsageError: if there is no such device.
        """
        where = resolve_device(device)
        checkpoint = load(Path(folder), str(where))
        checkpoint.network.to(inference_dtype(where)).eval()
        return cls(checkpoint)

    def phonemize(self, texts: Sequence[str], *, language: str | None = None) -> list[Written]:
        """Turns texts into phonemes as the model learnt them: the task `phn`.

        Args:
            texts: About as long as those of the training set. Characters that the model hasn't read become ones that it
                has (`in_known`); a note names those that can't.
            language: ISO 639-1 code of all; by default told for each among the languages of the training set.

        Raises:
            UsageError: if the model wasn't trained on the task or the language.
            TextError: if a text is empty, or its language can't be told.
        """
        self.check("phn")
        codes = [language_of(text, language, self._checkpoint) for text in texts]
        known = frozenset(self._checkpoint.meta.characters)
        given = [in_known(characters(text), known) for text in texts]
        return self._made("phn", given, codes, known)

    def write(self, phonemes: Sequence[str], *, language: str | None = None) -> list[Written]:
        """Turns phonemes into text: the task `un-phn`.

        Args:
            phonemes: As the training set has them, each about as long as there.
            language: ISO 639-1 code of all; may be left out if the model knows only one.

        Raises:
            UsageError: if the model wasn't trained on the task or the language, or knows several and none is given.
            TextError: if there are no phonemes.
        """
        self.check("un-phn")
        trained = self._checkpoint.languages
        if language is None and len(trained) != 1:
            raise UsageError(
                f"`language` (`--language`) must be given, since phonemes don't tell it, and the model knows"
                f" {', '.join(trained) or 'several'}."
            )
        code = known_language(language or trained[0], self._checkpoint)
        by_phonemes = self._checkpoint.config.data.text == "phonemes"
        known = frozenset(self._checkpoint.meta.symbols if by_phonemes else ())
        given = [" ".join(one.split()) for one in phonemes]
        return self._made("un-phn", given, [code] * len(given), known)

    def check(self, task: TextTask) -> None:
        """Raises `UsageError` if the model wasn't trained on a text task."""
        check_text_task(task, self._checkpoint.config.data, self._checkpoint.folder)

    def _made(self, task: TextTask, given: Sequence[str], codes: Sequence[str], known: frozenset[str]) -> list[Written]:
        if not all(given):
            what = "text" if TEXT_TASKS[task].writes_phonemes else "phonemes"
            raise TextError(f"`{what}` must hold something to read, but is empty.")
        pairs = list(zip(given, codes, strict=True))
        made = []
        for start in range(0, len(pairs), _ROWS):
            some = pairs[start : start + _ROWS]
            room = _LEAST_ROOM + _ROOM[task] * max(len(text) for text, _ in some)
            made += rewrite(self._checkpoint.network, self._checkpoint.tokenizer, task, some, max_tokens=room)
        return [
            Written(one.text, code, one.ended, tuple(_notes(text, known, ended=one.ended)))
            for one, (text, code) in zip(made, pairs, strict=True)
        ]


def _notes(given: str, known: frozenset[str], *, ended: bool) -> list[str]:
    unseen = "".join(sorted(set(given) - known)) if known else ""
    found = [f"the model guesses symbols that its training set lacks: {' '.join(unseen)}"] if unseen else []
    return found if ended else [*found, "the model found no end: the text is longer or other than it learnt"]
