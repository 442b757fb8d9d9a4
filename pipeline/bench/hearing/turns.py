"""Measures how well a change of voice is told from a pause of one voice, in recordings joined so that it is known.

The bounds were chosen on the first half of the recordings. Over pauses of up to 0.16 s voices are told apart only
where the difference is great, and so are recordings that would be heard at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import mark
from stages.audio.files import read_at
from stages.corpora.scan import scan
from stages.hearing.asr import activity
from stages.hearing.asr.voices import changes
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.ids import path_of
from stages.records import Wave

_ENGLISH = ("librispeech-test-other", "librispeech-train-clean-100", "ljspeech", "vctk")
_OTHERS = ("kerstin-de", *(f"multilingual-{code}" for code in ("de", "es", "fr", "it", "ja", "ko", "pt", "sv", "zh")))
_EACH = 60
"""Recordings of a group, at most; chosen by their ids."""


class _Clip(NamedTuple):
    speaker: str
    wave: Wave
    """`[samples]` at 16 kHz."""


def turns(bench: Bench) -> Iterator[Figure]:
    """Joins recordings, and yields the share of the pauses between two voices, and within one, taken for a change."""
    for half, name in enumerate(("first", "second")):
        clips = _clips(bench.recordings, half)
        wave = np.concatenate([clip.wave for clip in clips])
        ends = np.cumsum([len(clip.wave) for clip in clips])
        regions = activity.silero(wave)
        owners = [int(np.searchsorted(ends, (start + end) // 2, "right")) for start, end in regions]
        for suspected, what in ((True, "in stretches"), (False, "at once")):
            found = changes(wave, regions, suspected=suspected)
            told: dict[str, list[bool]] = {}
            for place in range(1, len(regions)):
                before, after = owners[place - 1], owners[place]
                if before != after and clips[before].speaker == clips[after].speaker:
                    continue
                kind = "of one voice" if before == after else "between voices"
                pause = (
                    "over 0.16 s" if regions[place].start - regions[place - 1].end > activity.SHORT_PAUSE else "shorter"
                )
                told.setdefault(f"{kind}, {pause}", []).append(regions[place].start in found)
            for kind, marks in sorted(told.items()):
                yield Figure(f"{name} half, {what}: of {len(marks)} pauses {kind}, a change", float(np.mean(marks)))
        yield from _alone(clips, name)


def _alone(clips: Sequence[_Clip], name: str) -> Iterator[Figure]:
    """Yields the share of the recordings that are taken apart although one voice speaks."""
    marks = []
    for clip in clips:
        regions = activity.silero(clip.wave)
        marks += [bool(changes(clip.wave, regions, suspected=False))] if len(regions) > 1 else []
    yield Figure(
        f"{name} half: of {len(marks)} recordings of one voice with pauses, taken apart", float(np.mean(marks))
    )


def _clips(recordings: Path, half: int) -> list[_Clip]:
    """Returns a half of the recordings in an order that their ids draw."""
    scanned = scan(recordings).recordings
    found = []
    for group in (*_ENGLISH, *_OTHERS):
        mine = [one for one in scanned if one.group == group]
        chosen = sorted(mine, key=lambda one: mark(one.id))[:_EACH]
        found += [one for one in chosen if mark(one.id)[0] % 2 == half]
    found.sort(key=lambda one: mark(one.id)[::-1])
    return [
        _Clip(f"{one.group}/{one.speaker}", np.array(read_at(recordings / path_of(one.id), SAMPLE_RATE)))
        for one in found
    ]


TURNS = StageBench("turns", turns, 17, needs_speech=True)
