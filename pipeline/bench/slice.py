"""Benchmarks `slice`: the cost of cutting, measuring and changed thresholds, and the errors of its measures.

The benchmark `sound` upsamples, codes and trims real recordings, and counts what the measures find of it; it also hears
them in synthetic rooms.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench, cpu_seconds
from stages.audio import files as audio
from stages.audio.bandwidth import bandwidth_hz
from stages.audio.encoding import FormatName, encode
from stages.audio.loudness import loudness_lufs
from stages.audio.silence import snr_db
from stages.base import Context
from stages.ids import id_of
from stages.listeners.reverberation import SAMPLE_RATE, srmr
from stages.records import Segment, Transcript, Utterance, Wave
from stages.slice import Slice, SliceConfig
from stages.utterances.measures import measure
from stages.utterances.near import NearCopies
from stages.utterances.sketch import sketch

_CLIPS = 60
_SHORTEST_S = 2.0
_KNOWN_DB = (0.0, 5.0, 10.0, 15.0)
_TARGET_LUFS = -23.0
_BOUND_HZ = 5000.0
_RATES = (16_000, 24_000)
_LONGEST_S = 15.0
_COPIED = 4
"""Every so many clips get copies."""
_MOST_CUT_S = 0.08

_ROOMS = ((0.3, 0.0), (0.5, 0.0), (0.8, 0.0), (1.2, 0.0), (0.8, 6.0))
"""Synthetic rooms: reverberation time in seconds, and the direct sound's energy over that of the rest, in dB."""
_IN_ROOMS = 6
"""Every so many clips are heard in them."""
_DRY_LOST = 0.05
"""Share of the clips as recorded that a bound on SRMR may leave out."""

_Clip = tuple[Wave, int]


def slices(bench: Bench) -> Iterator[Figure]:
    """Measures the speed on real clips with their texts, then the errors of the noise and loudness measures."""
    items = clips(bench.recordings)
    spoken_s = sum(item.duration_s for item in items)
    context = Context(bench.recordings)
    bare, full = Slice(SliceConfig(measure=False), context), Slice(SliceConfig(), context)
    strict = Slice(SliceConfig(min_snr_db=20.0, loudness_lufs=_TARGET_LUFS), context)
    yield Figure("cutting, in seconds of speech a CPU second", spoken_s / cpu_seconds(lambda: bare.process(items)), "s")
    earlier = full.process(items)
    measured_s = cpu_seconds(lambda: full.process(items))
    yield Figure("cutting and measuring", spoken_s / measured_s, "s")
    judged_s = cpu_seconds(lambda: [strict.revise(item, was) for item, was in zip(items, earlier, strict=True)])
    yield Figure("applying other thresholds", spoken_s / judged_s, "s", spoken_s / measured_s, "measuring", least=20)
    for known_db in _KNOWN_DB:
        errors = noise_errors(bench.recordings, items[:: max(1, len(items) // 20)], known_db)
        yield Figure(f"white noise at {known_db:g} dB: mean error", float(np.mean(np.abs(errors))), "dB", most=3)
    rows = [outcome for [outcome] in strict.process(items) if isinstance(outcome, Utterance)]
    off = max(abs(_heard_lufs(bench.recordings, row) - _TARGET_LUFS) for row in rows if _is_free(row))
    # In cuts below -40 LUFS the standard's gate at -70 LUFS lets more blocks count once they are amplified.
    yield Figure(f"largest error of {len(rows)} cuts set to {_TARGET_LUFS:g} LUFS", off, "LU", most=1.0)


def clips(speech: Path) -> list[Transcript]:
    """Returns clips of 2 s or more with their texts, the same number of each group."""
    by_group: dict[str, list[Transcript]] = {}
    for path in sorted(speech.rglob("*.txt")):
        beside = [path.with_suffix(suffix) for suffix in sorted(audio.SUFFIXES) if path.with_suffix(suffix).is_file()]
        if not beside:
            continue
        info, id_ = audio.probe(beside[0]), id_of(str(beside[0].relative_to(speech)))
        if _SHORTEST_S <= info.samples / info.sample_rate <= SliceConfig().max_s:
            segments = (Segment(0, info.samples, " ".join(path.read_text(encoding="utf-8-sig").split()), "en"),)
            group = by_group.setdefault(id_.partition("/")[0], [])
            group.append(
                Transcript(id_, "", "s", info.sample_rate, info.samples, "en", "txt", timed=False, segments=segments)
            )
    most = max(1, _CLIPS // max(1, len(by_group)))
    return [clip for group in by_group.values() for clip in group[:most]]


def noise_errors(speech: Path, items: Sequence[Transcript], known_db: float) -> list[float]:
    """Returns the errors of the estimated signal-to-noise ratio, in dB, after adding white noise at a known one.

    Args:
        speech: The folder of recordings.
        items: The clips.
        known_db: The signal-to-noise ratio, in dB, at which the noise is added.
    """
    errors = []
    for number, item in enumerate(items):
        wave, rate = audio.read(speech / item.id)
        noise = np.random.default_rng(number).normal(0, 1, len(wave))
        level = np.mean(np.square(wave, dtype=np.float64)) / 10 ** (known_db / 10)
        errors.append(snr_db((wave + noise * np.sqrt(level)).astype(np.float32), rate) - known_db)
    return errors


def _heard_lufs(speech: Path, row: Utterance) -> float:
    span = row.start_samples, row.end_samples, row.sample_rate
    return loudness_lufs(audio.read_cut(speech / row.recording, *span, gain_db=row.gain_db), row.sample_rate) or 0.0


def _is_free(row: Utterance) -> bool:
    """Returns whether the gain was applied in full, without being limited by the peak."""
    assert row.measures
    return row.measures.peak * 10 ** (row.gain_db / 20) < 0.999


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
    alone = int(np.count_nonzero(_groups(clips) != np.arange(len(clips))))
    yield Figure(f"taken for copies of another, of {len(clips)} as recorded", alone)
    yield from _copies(bench, wide)
    yield from _rooms(wide[::_IN_ROOMS])
    yield from _costs(wide)


def _rooms(clips: Sequence[_Clip]) -> Iterator[Figure]:
    """Chooses a bound on the SRMR of the clips as recorded, and counts what it finds of the same in rooms."""
    dry = [_srmr(*clip) or np.nan for clip in clips]
    bound = float(np.nanquantile(dry, _DRY_LOST))
    yield Figure(f"median SRMR of {len(dry)} as recorded", float(np.nanmedian(dry)))
    yield Figure(f"SRMR that {_DRY_LOST:.0%} of them stay under", bound)
    for seconds, direct_db in _ROOMS:
        rng = np.random.default_rng(0)
        wet = [_srmr(in_room(wave, rate, seconds, direct_db, rng), rate) or np.nan for wave, rate in clips]
        name = f"room of {seconds:g} s, direct sound at {direct_db:g} dB"
        yield Figure(f"{name}: median SRMR", float(np.nanmedian(wet)))
        yield Figure(f"{name}: under that bound", float(np.mean(np.array(wet) < bound)))
        yield Figure(f"{name}: under the same clip as recorded", float(np.mean(np.array(wet) < np.array(dry))))


def _srmr(wave: Wave, sample_rate: int) -> float | None:
    return srmr(audio.resample(wave, sample_rate, SAMPLE_RATE))


def in_room(wave: Wave, sample_rate: int, seconds: float, direct_db: float, rng: np.random.Generator) -> Wave:
    """Returns a wave with the reverberation of a synthetic room: noise that decays exponentially.

    Args:
        wave: Mono, `[samples]`.
        sample_rate: Hz.
        seconds: The time in which the reverberation falls by 60 dB.
        direct_db: The direct sound's energy over the reverberation's, in dB.
        rng: Draws the room.
    """
    time_T = np.arange(round(1.2 * seconds * sample_rate)) / sample_rate
    response = rng.normal(0, 1, len(time_T)) * 10 ** (-3 * time_T / seconds)
    response *= 10 ** (-direct_db / 20) / np.sqrt(np.square(response).sum())
    response[0] = 1.0
    size = len(wave) + len(response)
    heard = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)
    return heard[: len(wave)].astype(np.float32)


def _copies(bench: Bench, clips: Sequence[_Clip]) -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    copied = [number for number in range(0, len(clips), _COPIED) if sketch(*clips[number])]
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
    for name, run in (
        ("all measures", measure),
        ("the bandwidth", bandwidth_hz),
        ("SRMR", _srmr),
        ("the sketch", sketch),
    ):
        started = time.process_time()
        for clip in clips:
            run(*clip)
        yield Figure(f"cost of {name}, per second of speech", 1000 * (time.process_time() - started) / spoken_s, "ms")


SLICE = StageBench("slice", slices, 20, needs_speech=True)
SOUND = StageBench("sound", sounds, 15, needs_speech=True)
