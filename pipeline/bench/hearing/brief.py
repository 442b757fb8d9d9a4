"""Measures what an English-only model makes of little speech: English that is left out, other languages that come in.

Pieces of 0.5 to 4 s of speech are taken from the beginning of recordings, and digits as they are. Of each length the
halves of the recordings are told apart: bounds were chosen on the first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import mark
from stages.audio.files import read_at
from stages.corpora.scan import scan
from stages.hearing import english
from stages.hearing.asr import activity
from stages.hearing.asr.weights import PACKAGED, find_model
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.whisper import Recogniser
from stages.ids import path_of
from stages.records import Wave

_ENGLISH = ("librispeech-test-other", "librispeech-train-clean-100", "ljspeech", "vctk")
_DIGITS = "fsdd"
_LENGTHS_S = (0.5, 1.0, 2.0, 4.0)
_ROOM = SAMPLE_RATE // 10
_EACH = 30
"""Recordings of English, of one German speaker and of other languages, at most; chosen by their ids."""


def brief(bench: Bench) -> Iterator[Figure]:
    """Hears pieces of English and of other languages, whose language nothing tells, and yields what is left out."""
    own = Recogniser(find_model(PACKAGED, download=False))
    kinds = {"English": _chosen(bench.recordings, _ENGLISH), "other languages": _others(bench.recordings)}
    for kind, ids in kinds.items():
        for seconds in _LENGTHS_S:
            pieces = [(one, piece) for one in ids if (piece := _piece(bench.recordings, one, seconds)) is not None]
            yield from _figures(own, pieces, f"{kind}, {seconds:g} s")
    digits = [
        (one, np.array(read_at(bench.recordings / path_of(one), SAMPLE_RATE)))
        for one in _chosen(bench.recordings, (_DIGITS,))
    ]
    yield from _figures(own, digits, "English, single digits")


def _figures(own: Recogniser, pieces: Sequence[tuple[str, Wave]], what: str) -> Iterator[Figure]:
    results = own.transcribe([wave for _, wave in pieces], ["en"] * len(pieces))
    reasons: dict[str, list[str]] = {"first": [], "second": []}
    for (name, _), result in zip(pieces, results, strict=True):
        assert not isinstance(result, Exception)
        reject = english.refused(name, result, only_english=True)
        reasons["first" if mark(name)[1] % 2 == 0 else "second"].append(reject.reason if reject else "kept")
    for half, found in reasons.items():
        for reason in ("kept", "TooLittleSpeech", "NotEnglish", "NoSpeech") if found else ():
            yield Figure(f"{what}, {half} half, of {len(found)}: {reason}", found.count(reason) / len(found))


def _piece(recordings: Path, name: str, seconds: float) -> Wave | None:
    """Returns the beginning of a recording up to so much speech; None if it has less."""
    wave = np.array(read_at(recordings / path_of(name), SAMPLE_RATE))
    regions, left = activity.silero(wave), round(seconds * SAMPLE_RATE)
    for start, end in regions:
        if end - start >= left:
            return wave[max(0, regions[0].start - _ROOM) : start + left]
        left -= end - start
    return None


def _others(recordings: Path) -> list[str]:
    groups = {one.group for one in scan(recordings).recordings} - {"multilingual-en"}
    foreign = [group for group in groups if group.startswith("multilingual-")]
    return [*_chosen(recordings, ("kerstin-de",)), *_chosen(recordings, foreign)]


def _chosen(recordings: Path, groups: Sequence[str]) -> list[str]:
    found = [one.id for one in scan(recordings).recordings if one.group in groups]
    return sorted(found, key=mark)[:_EACH]


BRIEF = StageBench("brief", brief, 16, needs_speech=True)
