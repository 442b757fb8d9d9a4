"""The judge of the samples: what whisper hears in them, and how many words are wrong (`trainer.judge`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.evaluation.metrics import distance, words_librispeech
from stages.hearing.words import SAMPLE_RATE, Whisper
from stages.records import Wave


@dataclass(frozen=True, slots=True)
class Heard:
    """What the judge heard in a wave."""

    text: str
    wrong: int
    """Words to substitute, add or leave out to come from one text to the other."""
    words: int
    """Words of the text that was to be said."""


def error_rate(heard: Sequence[Heard]) -> float | None:
    """Returns the wrong words as a share of the words of all texts, above 1 if much was added; None without words."""
    words = sum(one.words for one in heard)
    return sum(one.wrong for one in heard) / words if words else None


class Listener:
    """A whisper model that hears samples.

    Args:
        model: `trainer.judge`.
        device: `cpu`, `cuda` or `cuda:N`.
        languages: The languages of the samples.

    Raises:
        WeightsError: if the model isn't there, or doesn't know a language.
    """

    def __init__(self, model: str, device: str, languages: Iterable[str]) -> None:
        way_out = "Give a folder of a whisper model, a name in the cache, `packaged` for English, or leave it out."
        self._whisper = Whisper(model, device, option="trainer.judge", way_out=way_out)
        self._whisper.check(languages)

    def hear(self, wave: Wave, sample_rate: int, text: str, language: str) -> Heard:
        """Hears a wave, `[samples]`, and compares it with its text; both are put into spoken words first."""
        from stages.audio.files import resample
        from stages.text.phonemes import in_words

        found = self._whisper.hear(resample(wave, sample_rate, SAMPLE_RATE), language)
        wanted, said = (words_librispeech(in_words(one, language), language) for one in (text, found))
        return Heard(found, distance(wanted, said), len(wanted))
