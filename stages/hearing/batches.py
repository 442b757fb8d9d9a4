"""Collects recordings until there are enough of them for one call of whisperX."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stages.audio.files import AudioInfo
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.records import Recording, Wave

T = TypeVar("T")
Unheard = tuple[Recording, AudioInfo, Wave]
"""A recording, its format, and its wave, `[samples]` at 16 kHz."""


_BATCH_S = 1800.0
"""Seconds of audio held in memory before a batch is transcribed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Stands for the result of a recording that isn't transcribed yet."""

    id: str
    """The recording's id."""


class Batches(Generic[T]):
    """Transcribes recordings in batches of about 30 minutes of audio.

    Args:
        hear: Transcribes a batch: returns the results of each recording, in order.
    """

    def __init__(self, hear: Callable[[Sequence[Unheard]], Sequence[list[T]]]) -> None:
        self._hear = hear
        self._waiting: list[Unheard] = []
        self.results: dict[str, list[T]] = {}
        """The results so far, by the recording's id."""

    def add(self, recording: Recording, audio: AudioInfo, wave: Wave) -> Waiting:
        """Adds a recording; transcribes the batch when it is full.

        Args:
            recording: The recording.
            audio: Its format.
            wave: `[samples]` at 16 kHz.

        Returns:
            What stands for its result, which will be in `results`.
        """
        self._waiting.append((recording, audio, wave))
        if sum(len(wave) for _, _, wave in self._waiting) >= _BATCH_S * SAMPLE_RATE:
            self.flush()
        return Waiting(recording.id)

    def results_of(self, outcome: T | Waiting) -> list[T]:
        """Returns the results of a recording that waited, or what is an outcome already."""
        return self.results[outcome.id] if isinstance(outcome, Waiting) else [outcome]

    def flush(self) -> None:
        """Transcribes the recordings that are waiting."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            ids = [recording.id for recording, _, _ in waiting]
            self.results |= dict(zip(ids, self._hear(waiting), strict=True))
