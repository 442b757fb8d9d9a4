"""What the trainer reads from: the store, and what it tells of each utterance."""

from collections.abc import Sequence
from typing import Protocol

from model.config import DataConfig
from model.sequences.documents import Int64s
from model.sequences.spans import Bools
from model.sequences.tasks import TRANSFORMS
from stages.ids import Mixture, group_of
from stages.records import CodecIdentity, Codes


class Store(Protocol):
    """What training needs of a dataset; `stages.store.reader.open_store` gives it."""

    codec: CodecIdentity
    fingerprint: str
    loudness_lufs: float | None
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

    @property
    def mixtures_fingerprint(self) -> str:
        """Digest of what `valle-prep mix` made; "" where it hasn't run."""

    def has_mixture(self, kind: Mixture) -> Bools:
        """Returns for which rows `valle-prep mix` has made one, `[N]`."""

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Returns the codes of what was made of a row, `[K, T]`; as long as the row."""


def content_of(store: Store, config: DataConfig) -> str:
    """Returns the identity of what a run reads: of the dataset, and of its mixtures where a task may need them."""
    if not any(config.tasks.get(task) for task in TRANSFORMS):
        return store.fingerprint
    return f"{store.fingerprint} {store.mixtures_fingerprint}".rstrip()


def tones_of(store: Store) -> list[str]:
    """Returns the names of the speakers' groups, sorted; [] where there are none."""
    return sorted({group_of(speaker) for speaker in store.speakers} - {""})
