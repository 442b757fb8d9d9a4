"""Thresholds that leave utterances out of a dataset.

A rule compares one value of an utterance with one key of the configuration. All values are measured whatever the
thresholds are, and stored also for the utterances left out: changing a threshold measures nothing again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.base import Filtered
from stages.config import Config
from stages.errors import TextError
from stages.records import Certainty, Measures, Utterance, count_phonemes
from stages.text.languages import detect
from stages.utterances.hallucinations import HALLUCINATED


@dataclass(frozen=True, slots=True)
class Rule:
    """One threshold."""

    key: str
    """The key in its section: `min_…` is a lower bound, `max_…` an upper one."""
    reason: str
    """The reason under which the utterances that it leaves out are counted."""
    unit: str
    """Follows the value in the message."""
    value: Callable[[Utterance], float | None]
    """Returns the value to compare; None if it isn't known: the utterance then passes."""
    tells: Callable[[Utterance], str] = lambda _: ""
    """Returns what else the message says."""


def _measured(name: str) -> Callable[[Utterance], float | None]:
    def value(utterance: Utterance) -> float | None:
        measures: Measures | None = utterance.measures
        return None if measures is None else getattr(measures, name)

    return value


def _certain(name: str) -> Callable[[Utterance], float | None]:
    def value(utterance: Utterance) -> float | None:
        certainty: Certainty | None = utterance.certainty
        return None if certainty is None else getattr(certainty, name)

    return value


def _loudest_end(utterance: Utterance) -> float | None:
    measures: Measures | None = utterance.measures
    ends = (measures.begins_db, measures.ends_db) if measures else ()
    return max((end for end in ends if end is not None), default=None)


def _which_end(utterance: Utterance) -> str:
    assert utterance.measures is not None
    ends = {"beginning": utterance.measures.begins_db, "end": utterance.measures.ends_db}
    return "; " + ", ".join(f"{name} {'quiet' if level is None else f'{level:.1f}'}" for name, level in ends.items())


def _characters_per_s(utterance: Utterance) -> float:
    return len(utterance.text) / utterance.duration_s


def _phonemes_per_s(utterance: Utterance) -> float:
    return count_phonemes(utterance.phonemes) / utterance.duration_s


def _heard_instead(utterance: Utterance) -> str:
    again = utterance.again
    assert again is not None
    return f"; first word {again.first:.2g}, last {again.last:.2g}; heard `{again.text[:80]}`"


SLICE_RULES = (
    Rule("min_avg_logprob", "Uncertain", "mean log-probability", _certain("avg_logprob")),
    Rule("max_compression", "Repetitive", "compression ratio", _certain("compression_ratio")),
    Rule("min_language_probability", "UncertainLanguage", "language probability", _certain("language_probability")),
    Rule(
        *("max_misheard", "Misheard", "of the letters misheard"),
        lambda row: None if row.again is None else row.again.misheard,
        _heard_instead,
    ),
    Rule(
        *("max_misheard_edge", "TightCut", "of the first or last word misheard"),
        lambda row: None if row.again is None else max(row.again.first, row.again.last),
        _heard_instead,
    ),
    Rule("min_characters_per_s", "FewCharacters", "characters/s", _characters_per_s),
    Rule("max_characters_per_s", "ManyCharacters", "characters/s", _characters_per_s),
    Rule("max_clipped", "Clipped", "of the samples clipped", _measured("clipped")),
    Rule("max_silence", "Silence", "of the frames silent", _measured("silence")),
    Rule("min_snr_db", "Noisy", "dB over the noise", _measured("snr_db")),
    Rule("min_bandwidth_hz", "NarrowBand", "Hz of speech", _measured("bandwidth_hz")),
    Rule("max_edge_db", "MidSound", "dB at an end, relative to the cut", _loudest_end, _which_end),
    Rule("min_srmr", "Reverberant", "SRMR", _measured("srmr")),
    Rule("min_dnsmos", "PoorQuality", "DNSMOS", _measured("ovrl")),
)
"""The rules of `slice`, in order. An utterance is counted under the first rule that it breaks."""

_OTHER_LANGUAGE = "OtherLanguage"
THRESHOLD_REASONS = frozenset({_OTHER_LANGUAGE, HALLUCINATED, *(rule.reason for rule in SLICE_RULES)})
"""The reasons under which `slice` counts what its thresholds leave out."""

G2P_RULES = (
    Rule("min_phonemes_per_s", "FewPhonemes", "phonemes/s", _phonemes_per_s),
    Rule("max_phonemes_per_s", "ManyPhonemes", "phonemes/s", _phonemes_per_s),
)
"""The rules of `g2p`."""

_LETTERS = 20
"""Fewest letters in a text whose language is detected."""

NEED_AUDIO = frozenset(
    {"max_clipped", "max_silence", "min_snr_db", "min_bandwidth_hz", "max_edge_db", "min_srmr", "min_dnsmos"}
)
"""The keys whose values are measured from the audio."""


def above(bound: float | None, key: str, lower: float | None) -> float | None:
    """Checks that an upper bound is greater than the lower bound of `key`, and returns it. None is no bound.

    Raises:
        ValueError: if it isn't greater.
    """
    if bound is not None and lower is not None and bound <= lower:
        raise ValueError(f"must be greater than `{key}` ({lower:g}), but is {bound:g}; raise it or lower the other")
    return bound


def broken(utterance: Utterance, rules: Sequence[Rule], config: Config, section: str) -> Filtered | None:
    """Filters an utterance by the first rule that it breaks; returns None if it breaks none.

    Args:
        utterance: The utterance with its measures.
        rules: The rules, in order.
        config: The section with the rules' keys; None is no bound.
        section: The section's name, for the message.
    """
    for rule in rules:
        bound = getattr(config, rule.key)
        if bound is None or (value := rule.value(utterance)) is None:
            continue
        lower = rule.key.startswith("min_")
        if value < bound if lower else value > bound:
            shown = f"{value:.4g}" if value < 10_000 else f"{value:.0f}"
            found = f"{shown} {rule.unit}, {'under' if lower else 'over'} `{section}.{rule.key}` ({bound:g})"
            return Filtered(utterance.id, rule.reason, found + rule.tells(utterance), utterance)
    return None


def in_other_language(utterance: Utterance) -> Filtered | None:
    """Filters an utterance whose text is in another language than its label; returns None for others."""
    if sum(map(str.isalpha, utterance.text)) < _LETTERS:
        return None
    try:
        found = detect(utterance.text)
    except TextError as error:
        why = f"the utterance is labelled `{utterance.language}`: {error}"
        return Filtered(utterance.id, _OTHER_LANGUAGE, why, utterance)
    if found == utterance.language:
        return None
    why = f"the text is in `{found}`, but the utterance is labelled `{utterance.language}`"
    return Filtered(utterance.id, _OTHER_LANGUAGE, why, utterance)
