"""Thresholds: which utterances a dataset leaves out, and why.

A rule compares one value of an utterance with one key of the configuration, and names what it leaves out. All values
are measured whatever the thresholds are, and kept with what is left out: so a threshold is changed without measuring
anything again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.base import Filtered
from stages.config import Config
from stages.errors import TextError
from stages.records import Measures, Utterance
from stages.text.languages import detect


@dataclass(frozen=True, slots=True)
class Rule:
    """One threshold."""

    key: str
    """In its section; `min_…` is a lower bound, `max_…` an upper one."""
    reason: str
    """By which what it leaves out is counted."""
    unit: str
    value: Callable[[Utterance], float | None]
    """What is compared; None where it isn't known, and then the rule holds."""


def _measured(name: str) -> Callable[[Utterance], float | None]:
    def value(utterance: Utterance) -> float | None:
        measures: Measures | None = utterance.measures
        return None if measures is None else getattr(measures, name)

    return value


SLICE_RULES = (
    Rule("min_characters_per_s", "FewCharacters", "characters/s", lambda row: row.characters_per_s),
    Rule("max_characters_per_s", "ManyCharacters", "characters/s", lambda row: row.characters_per_s),
    Rule("max_clipped", "Clipped", "of the samples clipped", _measured("clipped")),
    Rule("max_silence", "Silence", "of the frames silent", _measured("silence")),
    Rule("min_snr_db", "Noisy", "dB over the noise", _measured("snr_db")),
    Rule("min_dnsmos", "PoorQuality", "DNSMOS", _measured("ovrl")),
)
"""What `slice` looks at, in this order: an utterance is counted by the first rule that it breaks."""

_OTHER_LANGUAGE = "OtherLanguage"
THRESHOLD_REASONS = frozenset({_OTHER_LANGUAGE, *(rule.reason for rule in SLICE_RULES)})
"""By which `slice` counts what its thresholds leave out."""

G2P_RULES = (
    Rule("min_phonemes_per_s", "FewPhonemes", "phonemes/s", lambda row: row.phonemes_per_s),
    Rule("max_phonemes_per_s", "ManyPhonemes", "phonemes/s", lambda row: row.phonemes_per_s),
)
"""What `g2p` looks at."""

_LETTERS = 20
"""What a text must hold for its language to be told from it."""

NEED_AUDIO = frozenset({"max_clipped", "max_silence", "min_snr_db", "min_dnsmos"})
"""The keys whose values are measured of the audio."""


def above(bound: float | None, key: str, lower: float | None) -> float | None:
    """Returns an upper bound that leaves room above the lower bound of that key; where one is None, so is the limit.

    Raises:
        ValueError: if nothing could keep both.
    """
    if bound is not None and lower is not None and bound <= lower:
        raise ValueError(f"must be greater than `{key}` ({lower:g}), but is {bound:g}; raise it or lower the other")
    return bound


def broken(utterance: Utterance, rules: Sequence[Rule], config: Config, section: str) -> Filtered | None:
    """Returns what the first rule that an utterance breaks makes of it; None where it keeps all of them.

    Args:
        utterance: With what was measured of it.
        rules: In order.
        config: Holds the bounds by the rules' keys; None is no bound.
        section: The configuration's name, for the message.
    """
    for rule in rules:
        bound, value = getattr(config, rule.key), rule.value(utterance)
        if bound is None or value is None:
            continue
        lower = rule.key.startswith("min_")
        if value < bound if lower else value > bound:
            found = f"{value:.4g} {rule.unit}, {'under' if lower else 'over'} `{section}.{rule.key}` ({bound:g})"
            return Filtered(utterance.id, rule.reason, found, utterance)
    return None


def in_other_language(utterance: Utterance) -> Filtered | None:
    """Returns what becomes of an utterance whose text is in another language than the row says; None for the others."""
    if sum(map(str.isalpha, utterance.text)) < _LETTERS:
        return None
    try:
        found = detect(utterance.text)
    except TextError as error:
        return Filtered(
            utterance.id, _OTHER_LANGUAGE, f"it is said to be in `{utterance.language}`: {error}", utterance
        )
    if found == utterance.language:
        return None
    why = f"the text is in `{found}`, but is said to be in `{utterance.language}`"
    return Filtered(utterance.id, _OTHER_LANGUAGE, why, utterance)
