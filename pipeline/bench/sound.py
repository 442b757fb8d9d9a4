"""Measures what `slice` says of the sound: bandwidths and near copies, on real recordings and copies of them."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.audio import files as audio
from stages.audio.bandwidth import bandwidth_hz
from stages.audio.encoding import FormatName, encode
from stages.audio.sketch import sketch
from stages.records import Wave
from stages.utterances.measures import measure
from stages.utterances.near import NearCopies

_BOUND_HZ = 5000.0
_RATES = (16_000, 24_000)
_LONGEST_S = 15.0
_COPIED = 4
"""Every so many clips get copies."""
_MOST_CUT_S = 0.08

_Clip = tuple[Wave, int]


def sounds(bench: Bench) -> Iterator[Figure]:
    """Upsamples, codes and trims the recordings, and counts what is found of it."""
    paths = sorted(path for path in bench.recordings.rglob("*") if path.suffix in audio.SUFFIXES)
    clips = [(wave[: round(_LONGEST_S * rate)], rate) for wave, rate in map(audio.read, paths)]
    wide = [(wave, rate) for wave, rate in clips if rate >= _RATES[0]]
    found = [bandwidth_hz(*clip) for clip in wide]
    alarms = float(np.mean([one is not None and one < _BOUND_HZ for one in found]))
    yield Figure(f"under {_BOUND_HZ:g} Hz, of {len(wide)} as recorded", alarms, most=0.02)
    yield Figure("bandwidth not told, of these", float(np.mean([one is None for one in found])))
    for to in _RATES:
        narrow = [audio.resample(audio.resample(*clip, 8000), 8000, to) for clip in wide]
        told = [(bandwidth_hz(wave, to) or to) < _BOUND_HZ for wave in narrow]
        yield Figure(f"under {_BOUND_HZ:g} Hz, of these from 8 to {to // 1000} kHz", float(np.mean(told)), least=0.95)
    yield from _copies(bench, wide)
    yield from _costs(wide)


def _copies(bench: Bench, clips: Sequence[_Clip]) -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    copied = [number for number in range(0, len(clips), _COPIED) if sketch(*clips[number])]
    alone = _groups(clips)
    yield Figure(f"different recordings taken for copies, of {len(clips)}", sum(alone != np.arange(len(clips))))
    for name in ("mp3", "opus", "wav"):
        copies = [_copy(bench, clips[number], name, rng) for number in copied]
        group_of = _groups([*clips, *copies])
        hits = [group_of[len(clips) + place] == group_of[number] for place, number in enumerate(copied)]
        yield Figure(f"found, of {len(copied)} trimmed, 4 dB softer, as {name}", float(np.mean(hits)), least=0.95)


def _groups(clips: Sequence[_Clip]) -> np.ndarray:
    near = NearCopies()
    for number, (wave, rate) in enumerate(clips):
        near.add(number, len(wave) / rate, sketch(wave, rate))
    return near.groups()


def _copy(bench: Bench, clip: _Clip, name: FormatName, rng: np.random.Generator) -> _Clip:
    wave, rate = clip
    start, end = (round(cut * rate) for cut in rng.uniform(0, _MOST_CUT_S, 2))
    path = bench.scratch / f"copy.{name}"
    path.write_bytes(encode(wave[start : len(wave) - end] * np.float32(0.63), rate, name))
    return audio.read(path)


def _costs(clips: Sequence[_Clip]) -> Iterator[Figure]:
    spoken_s = sum(len(wave) / rate for wave, rate in clips)
    for name, run in (("all measures", measure), ("of it the bandwidth", bandwidth_hz), ("the sketch", sketch)):
        started = time.process_time()
        for clip in clips:
            run(*clip)
        yield Figure(f"cost of {name}, per second of speech", 1000 * (time.process_time() - started) / spoken_s, "ms")


SOUND = StageBench("sound", sounds, 15, needs_speech=True)
