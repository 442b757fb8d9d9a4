"""Measures what the cleaners do to speech under noise: DNSMOS and word error rate, before and after.

The noises are pink noise, and babble: four other clips at once. Clean speech is measured too, as that is where cleaning
can only do harm. `min_gain` is what `clean.min_gain` = 0.1 leaves: each clip cleaned only if DNSMOS gains that much.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import GROUPS
from pipeline.bench.hearing.speech import Clip, clips_in, errors, timed
from stages.audio.mixing import at_snr, limited
from stages.cleaning.cleaner import Cleaner
from stages.cleaning.overlapped import cleaned
from stages.cleaning.table import CLEANERS
from stages.hearing.asr.weights import PACKAGED, find_model
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.whisper import Recogniser
from stages.listeners.dnsmos import Dnsmos
from stages.records import Wave

_EACH = 3
"""Clips of each corpus."""
_MEASURED = ("gate", "deepfilternet")
_MIN_GAIN = 0.1


T = TypeVar("T")


class Condition(NamedTuple):
    """A kind of noise."""

    name: str
    snr_db: float | None
    """None for clean speech."""


CONDITIONS = (
    Condition("clean", None),
    Condition("pink", 10.0),
    Condition("pink", 5.0),
    Condition("babble", 10.0),
    Condition("babble", 5.0),
)


def cleaning(bench: Bench, conditions: Sequence[Condition] = CONDITIONS) -> Iterator[Figure]:
    """Cleans clips of three corpora under each kind of noise, and hears them with the packaged whisper.

    Scores are means over the clips. Speeds are of this process: start it with OMP_NUM_THREADS=1.
    """
    every = clips_in(bench.recordings)
    clips = [clip for group in GROUPS for clip in [one for one in every if one.group == group][:_EACH]]
    others = [one for one in every if all(one is not clip for clip in clips)]
    dnsmos = Dnsmos(bench.recordings.parent / "dnsmos" / "sig_bak_ovr.onnx")
    own = Recogniser(find_model(PACKAGED, download=False), batch_size=8)
    cleaners = {name: CLEANERS[name].load(None) for name in _MEASURED}
    for cleaner in cleaners.values():  # so that what it imports isn't timed
        _all_cleaned([clips[0].wave], cleaner)
    for condition in conditions:
        about = condition.name if condition.snr_db is None else f"{condition.name} {condition.snr_db:g} dB"
        noisy = [_noisy(clip, condition, others, seed) for seed, clip in enumerate(clips)]
        waves = {"as it is": noisy}
        for name, cleaner in cleaners.items():
            waves[name], taken = timed(partial(_all_cleaned, noisy, cleaner))
            yield Figure(f"{about}, {name}, speech a second", sum(map(len, noisy)) / SAMPLE_RATE / taken, "s")
        scores = {name: [dnsmos.score(wave) for wave in found] for name, found in waves.items()}
        heard = {name: _texts(own, found) for name, found in waves.items()}
        for name in cleaners:
            pairs = zip(scores["as it is"], scores[name], strict=True)
            take = [after["ovrl"] - before["ovrl"] >= _MIN_GAIN for before, after in pairs]
            both = f"{name}, min_gain"
            scores[both] = _taken(take, scores[name], scores["as it is"])
            heard[both] = _taken(take, heard[name], heard["as it is"])
        for name, found in scores.items():
            for key in ("sig", "bak", "ovrl"):
                yield Figure(f"{about}, {name}, {key}", float(np.mean([one[key] for one in found])))
            wrong = errors([clip.text for clip in clips], heard[name])
            yield Figure(f"{about}, {name}, word error rate", wrong.rate, "%")


def _noisy(clip: Clip, condition: Condition, others: Sequence[Clip], seed: int) -> Wave:
    if condition.snr_db is None:
        return clip.wave
    rng = np.random.default_rng(seed)
    samples = len(clip.wave)
    if condition.name == "pink":
        spectrum = np.fft.rfft(rng.normal(size=samples))
        noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), samples).astype(np.float32)
    else:
        chosen = rng.choice(len(others), 4, replace=False)
        noise = np.sum([at_snr(clip.wave, np.resize(others[n].wave, samples), 0.0) for n in chosen], axis=0)
    return limited(clip.wave + at_snr(clip.wave, noise, condition.snr_db))[0]


def _all_cleaned(waves: Sequence[Wave], cleaner: Cleaner) -> list[Wave]:
    return [np.concatenate(list(cleaned([wave], SAMPLE_RATE, cleaner)))[:, 0] for wave in waves]


def _taken(take: Sequence[bool], cleaned: Sequence[T], others: Sequence[T]) -> list[T]:
    return [mine if taken else its for taken, mine, its in zip(take, cleaned, others, strict=True)]


def _texts(recogniser: Recogniser, waves: Sequence[Wave]) -> list[str]:
    results = recogniser.transcribe(list(waves), ["en"] * len(waves))
    return [" ".join(segment["text"] for segment in getattr(one, "segments", ())) for one in results]


CLEANING = StageBench("cleaning", cleaning, 16, needs_speech=True)
