"""Judges that choose the best of several responses to the same text.

Axes: K codebooks, T frames.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import torch

from model.decoding.asks import Response
from model.decoding.hearing import hear
from model.inference.guards.guard import WHISPER, Guard
from stages.text.ipa import phones
from stages.text.lexicon import NONE, Lexicon

if TYPE_CHECKING:
    from model.network.decoder import Decoder
    from model.sequences.tokenizer import Tokenizer
    from stages.codecs.table import Codec
    from stages.hearing.words import Whisper

Rate = tuple[float, float]
"""Of a response: the lower the better; the second number decides between equals."""


class Judge(Protocol):
    """Rates responses that are to say the same."""

    hears: bool
    """Whether it hears what is said, so that it can tell which of several faulty responses says the most of it."""

    def rate(self, responses: Sequence[Response], phonemes: str, language: str) -> list[Rate]:
        """Rates responses.

        Args:
            responses: All of the same text.
            phonemes: What they are to say.
            language: Its ISO 639-1 code.
        """


def judge_for(
    guard: Guard,
    network: "Decoder",
    tokenizer: "Tokenizer",
    codec: "Codec",
    lexicon: Lexicon = NONE,
    *,
    characters: bool = False,
) -> Judge | None:
    """Returns who chooses; None if there is nothing to choose from.

    Args:
        guard: Its `best_of` and `best_by`.
        network: Of the model, in evaluation mode; it hears itself with `stt`, which it must be trained in.
        tokenizer: The vocabulary it was trained with.
        codec: Decodes responses for whisper.
        lexicon: Words whose phonemes the model was given; what whisper hears is read with them too.
        characters: Whether the model reads characters in place of phonemes.

    Raises:
        WeightsError: if there is no such whisper model.
    """
    if guard.best_of == 1:
        return None
    if guard.whisper:
        device = str(network.token_embedding.weight.device)
        return Words(codec, whisper_at(guard.whisper, device), lexicon, characters)
    return Phonemes(network, tokenizer) if guard.best_by == "stt" else Likelihood()


class Likelihood:
    """Rates by the mean log-probability of codebook 0, the stop code included."""

    hears = False

    def rate(self, responses: Sequence[Response], phonemes: str, language: str) -> list[Rate]:  # noqa: ARG002
        """As `Judge.rate`."""
        return [(_unlikeliness(response), 0.0) for response in responses]


@dataclass(frozen=True, slots=True)
class Phonemes:
    """Rates by the share of phonemes that the model, trained in the mode `stt`, hears wrongly."""

    network: "Decoder"
    tokenizer: "Tokenizer"
    hears = True

    def rate(self, responses: Sequence[Response], phonemes: str, language: str) -> list[Rate]:
        """As `Judge.rate`."""
        codes = [response.codes_KT for response in responses]
        most = 2 * len(phonemes) + 20
        heard = hear(self.network, self.tokenizer, codes, max_tokens=most, language=language)
        return _rates([one.phonemes for one in heard], responses, phonemes)


@dataclass(frozen=True, slots=True)
class Words:
    """Rates by the share of phonemes that are wrong in the words that a whisper model hears.

    Phonemes are compared, not letters: a number or a name counts as right however it is spelt.
    """

    codec: "Codec"
    whisper: "Whisper"
    lexicon: Lexicon = NONE
    characters: bool = False
    """Whether what is to be said is given in characters, not in phonemes."""
    hears = True

    def rate(self, responses: Sequence[Response], phonemes: str, language: str) -> list[Rate]:
        """As `Judge.rate`."""
        from stages.audio.files import resample
        from stages.codecs.table import output_rate
        from stages.hearing.words import SAMPLE_RATE
        from stages.text.phonemes import phonemize

        waves = [self.codec.decode(torch.from_numpy(response.codes_KT)).numpy() for response in responses]
        texts = [self.whisper.hear(resample(wave, output_rate(self.codec), SAMPLE_RATE), language) for wave in waves]
        if self.characters:
            (phonemes,) = phonemize([phonemes], language, lexicon=self.lexicon)
        return _rates(phonemize(texts, language, lexicon=self.lexicon), responses, phonemes)


@lru_cache(maxsize=1)
def whisper_at(model: str, device: str) -> "Whisper":
    """Returns a whisper model, loaded once. Raises `WeightsError` if there is none."""
    from stages.hearing.words import Whisper

    return Whisper(model, device, option="--best-by", way_out=f"Give a folder: `--best-by {WHISPER}FOLDER`.")


def _rates(heard: Sequence[str], responses: Sequence[Response], phonemes: str) -> list[Rate]:
    from rapidfuzz.distance import Levenshtein

    wanted = _spoken(phonemes)
    errors = [Levenshtein.distance(wanted, _spoken(one)) / max(1, len(wanted)) for one in heard]
    return [(rate, _unlikeliness(response)) for rate, response in zip(errors, responses, strict=True)]


def _spoken(phonemes: str) -> list[str]:
    """Returns the phones of a text, without its punctuation."""
    return phones("".join(symbol for symbol in phonemes if not unicodedata.category(symbol).startswith("P")))


def _unlikeliness(response: Response) -> float:
    return 0.0 if response.mean_logprob is None else -response.mean_logprob
