"""Chooses the bounds on whisper's certainty on half of the real recordings, and measures them on the other half.

An English model hears English, and other languages, for which it invents English: what is kept of the first is wanted,
what is kept of the others isn't.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import text_of
from stages.base import Context, Filtered
from stages.corpora.scan import scan
from stages.hearing.asr.weights import PACKAGED
from stages.records import Certainty, Recording, Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig
from stages.utterances.filters import SLICE_RULES, broken
from stages.utterances.hallucinations import hallucinated
from stages.utterances.misheard import compared

_ENGLISH = ("librispeech-test-other", "ljspeech", "vctk", "multilingual-en")
_OTHERS = ("kerstin-de", *(f"multilingual-{code}" for code in ("de", "es", "fr", "it", "ja", "ko", "pt", "sv", "zh")))
_EVERY = {"kerstin-de": 2}
"""Every so many recordings of a large group are heard."""
_RIGHT = 0.5
"""Highest character error rate of a text that counts as heard."""
_BOUNDS = tuple(-step / 20 for step in range(24, 5, -1))
"""Bounds on the mean log-probability that are tried: -1.2 to -0.3."""
_LOST = 0.01
"""Share of the wanted utterances that a bound may lose in the half on which it is chosen."""


@dataclass(frozen=True, slots=True)
class _Heard:
    row: Utterance
    wanted: bool
    """Whether it is English, and roughly what is said."""
    first_half: bool


def certainty(bench: Bench) -> Iterator[Figure]:
    """Hears the recordings, chooses the bound on the first half, and yields what is kept of either."""
    found = list(_heard(bench))
    halves = {"first": [one for one in found if one.first_half], "second": [one for one in found if not one.first_half]}
    chosen = _chosen(halves["first"])
    yield Figure("mean log-probability chosen on the first half", chosen)
    default = SliceConfig()
    assert default.min_avg_logprob is not None
    yield Figure("slice.min_avg_logprob by default", default.min_avg_logprob)
    ways: dict[str, Callable[[Utterance], object]] = {
        "mean log-probability": _breaks(SliceConfig(max_compression=None)),
        "compression ratio": _breaks(SliceConfig(min_avg_logprob=None)),
        "Hallucinated": hallucinated,
        "all of them": lambda row: hallucinated(row) or _breaks(default)(row),
    }
    for name, half in halves.items():
        wanted, invented = [one for one in half if one.wanted], [one for one in half if not one.wanted]
        for way, leaves_out in ways.items():
            yield Figure(f"{name} half, {way}: of {len(invented)} invented found", _share(invented, leaves_out))
            yield Figure(f"{name} half, {way}: of {len(wanted)} wanted lost", _share(wanted, leaves_out))


def _breaks(config: SliceConfig) -> Callable[[Utterance], Filtered | None]:
    return lambda row: broken(row, SLICE_RULES, config, "slice")


def _share(found: Sequence[_Heard], leaves_out: Callable[[Utterance], object]) -> float:
    return sum(bool(leaves_out(one.row)) for one in found) / len(found)


def _chosen(found: Sequence[_Heard]) -> float:
    """Returns the highest bound that loses hardly any of the wanted utterances."""
    wanted = [_certainty(one.row).avg_logprob for one in found if one.wanted]
    return max(bound for bound in _BOUNDS if sum(value < bound for value in wanted) <= _LOST * len(wanted))


def _certainty(row: Utterance) -> Certainty:
    assert row.certainty is not None
    return row.certainty


def _heard(bench: Bench) -> Iterator[_Heard]:
    """Yields every utterance that is heard, before any threshold."""
    context = Context(bench.recordings)
    heard_as = {"model": PACKAGED, "transcripts": "ignore", "language": "en", "align": False}
    hear = Transcribe(TranscribeConfig.model_validate(heard_as), context)
    loose = SliceConfig(drop_hallucinated=False, min_avg_logprob=None, max_compression=None, min_s=0.1)
    cut = Slice(loose, context)
    recordings = sorted(scan(bench.recordings).recordings, key=lambda one: (one.group, one.id))
    for group, members in groupby(recordings, key=lambda one: one.group):
        if group in (*_ENGLISH, *_OTHERS):
            chosen = list(members)[:: _EVERY.get(group, 1)]
            for recording, outcomes in zip(chosen, hear.process(chosen), strict=True):
                transcripts = [one for one in outcomes if isinstance(one, Transcript)]
                rows = [row for rows in cut.process(transcripts) for row in rows if isinstance(row, Utterance)]
                wanted = group in _ENGLISH and _is_right(rows, bench.recordings, recording)
                half = hashlib.blake2b(recording.id.encode()).digest()[0] % 2 == 0
                yield from (_Heard(row, wanted, half) for row in rows)


def _is_right(rows: Sequence[Utterance], voices: Path, recording: Recording) -> bool:
    return compared(text_of(voices, recording), " ".join(row.text for row in rows), "en").misheard <= _RIGHT


CERTAINTY = StageBench("certainty", certainty, 13, needs_speech=True)
