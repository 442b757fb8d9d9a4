"""What a model reads and writes of a dataset's texts: phonemes, characters, or both."""

from model.config import DataConfig
from model.data.source import Store
from model.sequences.spans import Bools
from model.sequences.tasks import TEXT_TASKS, TextTask
from stages.errors import UsageError
from stages.text.characters import characters


class Texts:
    """The texts of a dataset's rows.

    Args:
        store: The dataset.
        config: Section `data`.
    """

    def __init__(self, store: Store, config: DataConfig) -> None:
        self._store = store
        self.by_characters = config.text == "characters"
        """Whether speech is made of characters."""

    def read(self, row: int) -> str:
        """Reads what speech is made of, and what the mode `stt` writes: phonemes, or characters (`data.text`)."""
        return self._characters(row) if self.by_characters else self._store.phonemes(row)

    def rewritten(self, row: int, task: TextTask) -> tuple[str, str]:
        """Reads what a text task is given, and what it makes of it."""
        both = self._characters(row), self._store.phonemes(row)
        return both if TEXT_TASKS[task].writes_phonemes else both[::-1]

    def _characters(self, row: int) -> str:
        return characters(self._store.text(row))


def characters_of(store: Store, config: DataConfig) -> tuple[str, ...]:
    """Returns every character of a dataset's texts, sorted, if a run reads or writes them; () if not."""
    return tuple(store.characters) if _needs_texts(config) else ()


def symbols_of(store: Store, config: DataConfig) -> tuple[str, ...]:
    """Returns every symbol of what speech is made of: of the phonemes, or of the texts."""
    return tuple(store.characters if config.text == "characters" else store.symbols)


def check_texts(store: Store, used_N: Bools, config: DataConfig) -> None:
    """Checks that rows of a dataset have texts, if a run reads or writes them.

    Args:
        store: The dataset.
        used_N: Which rows are used.
        config: Section `data`.

    Raises:
        UsageError: if one has none, as what was imported with its phonemes only.
    """
    if not _needs_texts(config):
        return
    lacking = [row for row, text in enumerate(store.texts()) if used_N[row] and not characters(text)]
    if lacking:
        key = "data.text: characters" if config.text == "characters" else "data.tasks"
        raise UsageError(
            f"`{key}` needs the text of each utterance, but {len(lacking):,} of {int(used_N.sum()):,} in"
            f" `{config.store}` have none, such as `{store.ids[lacking[0]]}`. Prepare the dataset with texts, or train"
            " on the phonemes alone (`data.text: phonemes`, without `phn` and `un-phn`)."
        )


def _needs_texts(config: DataConfig) -> bool:
    return config.text == "characters" or any(config.tasks.get(task) for task in TEXT_TASKS)
