"""What whisper heard in one stretch of speech, with all that it tells of its own certainty."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """One heard segment. Times are seconds from the start of the recording."""

    text: str
    start: float
    end: float
    avg_logprob: float
    """Mean log-probability of the text's tokens, the end token included; 0 at best."""
    no_speech_prob: float
    """Probability of the token for no speech, 0 to 1."""
    compression_ratio: float
    """UTF-8 length of the text over its length after zlib: loops lie above 2.4."""
    language: str
    """Code of the language it was decoded in, as whisper names it."""
    language_probability: float | None
    """Probability of that language, 0 to 1; None if it was given, or if the model knows only one."""
