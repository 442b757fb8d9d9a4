"""What whisper heard in one stretch of speech, with all that it tells of its own certainty."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


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


def compression_ratio(text: str) -> float:
    """Returns how much shorter zlib makes a text; 0 for an empty one. Source: openai-whisper, `utils.py`."""
    said = text.strip().encode()
    return len(said) / len(zlib.compress(said)) if said else 0.0


def decoded(model: Any, features: Any, tokenizer: Any, options: Any) -> Iterator[tuple[str, float, float]]:
    """Yields what whisperX's model hears in each sound: the text, its mean log-probability, that of no speech.

    Args:
        model: whisperX's `WhisperModel`.
        features: `[B, mels, 3000]`.
        tokenizer: faster-whisper's, of the language.
        options: faster-whisper's, with which the model was loaded.
    """
    prompt = model.get_prompt(
        tokenizer, [], without_timestamps=options.without_timestamps, prefix=options.prefix, hotwords=options.hotwords
    )
    names = ("beam_size", "patience", "length_penalty", "suppress_blank", "suppress_tokens")
    found = model.model.generate(
        model.encode(features),
        [prompt] * len(features),
        **{name: getattr(options, name) for name in (*names, "no_repeat_ngram_size", "repetition_penalty")},
        max_length=model.max_length,
        return_scores=True,
        return_no_speech_prob=True,
    )
    for one in found:
        tokens = one.sequences_ids[0]
        score = one.scores[0] * len(tokens) ** options.length_penalty / (len(tokens) + 1)
        yield tokenizer.decode(tokens), score, one.no_speech_prob
