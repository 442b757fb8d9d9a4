"""The interface of the dataset that training reads."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from model.config import DataConfig
from model.sequences.documents import Int64s
from model.sequences.spans import Bools
from model.sequences.tasks import TRANSFORMS
from stages.ids import Mixture, group_of
from stages.records import CodecIdentity, Codes
from stages.text.shared import folded


class Store(Protocol):
    """The part of a dataset that training uses; `stages.store.reader.open_store` opens one."""

    codec: CodecIdentity
    fingerprint: str
    loudness_lufs: float | None
    frames: Int64s
    ids: Sequence[str]
    lexicon: Sequence[str]
    """The lines of the lexicon that its phonemes were made with."""

    @property
    def speakers(self) -> Sequence[str]:
        """Each row's `group/speaker`."""

    @property
    def languages(self) -> Sequence[str]:
        """Each row's language code."""

    @property
    def symbols(self) -> Sequence[str]:
        """Every symbol that occurs in the phonemes."""

    def texts(self) -> Iterable[str]:
        """Reads each row's text, in order."""

    @property
    def characters(self) -> Sequence[str]:
        """Every character of the texts, as `stages.text.characters` reads them, sorted."""

    def text(self, index: int) -> str:
        """Reads a row's text, as it was given."""

    def codes(self, index: int) -> Codes:
        """Reads a row's codes, `[K, T]`."""

    def phonemes(self, index: int) -> str:
        """Reads a row's phonemes."""

    def similar(self, index: int) -> tuple[int, ...]:
        """Returns a row's neighbours, nearest first; () if it has none."""

    @property
    def mixtures_fingerprint(self) -> str:
        """Digest of the output of `valle-prep mix`; "" if it hasn't run."""

    def has_mixture(self, kind: Mixture) -> Bools:
        """Returns which rows have a mixture of this kind, `[N]`."""

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Reads the codes of a row's mixture, `[K, T]`, with the row's number of frames."""


def content_of(store: Store, config: DataConfig) -> str:
    """Returns the fingerprint of what a run reads: the dataset, and its mixtures if a task may need them."""
    if not any(config.tasks.get(task) for task in TRANSFORMS):
        return store.fingerprint
    return f"{store.fingerprint} {store.mixtures_fingerprint}".rstrip()


def split_keys(store: Store, config: DataConfig) -> Sequence[str]:
    """Returns what is hashed for each row's split (`data.split_by`); only the texts must be read for it."""
    if config.split_by == "text":
        return list(map(folded, store.texts()))
    return store.ids if config.split_by == "utterance" else store.speakers


def tones_of(store: Store) -> list[str]:
    """Returns the sorted names of the speakers' groups; [] if there are none."""
    return sorted({group_of(speaker) for speaker in store.speakers} - {""})
