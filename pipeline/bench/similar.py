"""Benchmarks `similar`: the same-speaker precision of its features, and the speed of its search."""

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.bench.figures import Bench, Figure, StageBench, seconds
from stages.audio import files as audio
from stages.codecs.table import load_codec
from stages.listeners.resemblyzer import SAMPLE_RATE
from stages.machine import cores
from stages.neighbours.features import FEATURES, FeatureInputs, codes_vector, read_model
from stages.neighbours.nearest import nearest
from stages.records import Wave
from stages.similar import SimilarConfig

Floats = npt.NDArray[np.float32]

_PIECE, _SHORT_PIECE = 3 * SAMPLE_RATE, SAMPLE_RATE
_NEAREST = 3
_PIECES_OF, _CLIPS_OF = ("librispeech-train-clean-100",), ("librispeech-test-other", "vctk")
_ROWS, _WIDTH, _TOP_K = 100_000, 192, 4
_AUGMENT = SimilarConfig().augment
_SQUARE = 4096
"""Side of the square matrices whose product gives the machine's matrix rate."""


def features(bench: Bench) -> Iterator[Figure]:
    """Measures the share of the three nearest that are of the same speaker, for each feature and for raw MFCCs.

    All pieces of a speaker come from one recording here, so neighbours from the same recording are allowed. The feature
    `model` is measured only if a model is given.
    """
    pieces, speakers = _cut(bench.recordings, _PIECES_OF, most=4)
    raw_ND = np.stack([_raw_mfcc(piece) for piece in pieces])
    raw, best = _precision(raw_ND, speakers), _best(speakers)
    yield Figure(f"precision@{_NEAREST}, {len(pieces)} pieces of {len(set(speakers))}: raw MFCCs", raw)
    yield Figure("  the best possible: some have fewer than 4 pieces", best)
    means_ND = (raw_ND - raw_ND.mean(axis=0)) / raw_ND.std(axis=0)
    yield Figure("  standardised means of MFCCs", _precision(means_ND, speakers), "", raw, "raw")
    for name, least in (("mfcc", 0.68), ("codec", None), ("model", None), ("speaker", 0.9)):
        if name == "model" and bench.model is None:
            continue
        load = _of_waves if FEATURES[name].reads == "wave" else partial(_of_codes, model=bench.model)
        vectors_ND = load(name, pieces)
        found = _precision(vectors_ND, speakers, augment=_AUGMENT)
        yield Figure(f"  similar.feature={name}", found, least=least)
        yield Figure("    share of the best possible", found / best)
        yield Figure("    with similar.augment=0", _precision(vectors_ND, speakers))
    clips, speakers = _cut(bench.recordings, _CLIPS_OF)
    what = f"precision@{_NEAREST}, {len(clips)} clips of {len(set(speakers))}"
    for name in ("speaker", "mfcc"):
        found = _precision(_of_waves(name, clips), speakers, augment=_AUGMENT)
        yield Figure(f"{what}: {name}", found, least=0.99)
    pieces, speakers = _cut(bench.recordings, _PIECES_OF, most=4, piece=_SHORT_PIECE)
    vectors_ND = _of_waves("speaker", pieces)
    found = _precision(vectors_ND, speakers, augment=_AUGMENT)
    yield Figure(f"precision@{_NEAREST}, {len(pieces)} pieces of 1 s: speaker", found, least=0.6)
    yield Figure("  with similar.augment=0", _precision(vectors_ND, speakers))


def _cut(speech: Path, groups: Sequence[str], *, most: int = 0, piece: int = _PIECE) -> tuple[list[Wave], list[str]]:
    """Returns clips, or with `most` up to so many pieces of `piece` samples per speaker, and the speaker of each."""
    found: dict[str, list[Wave]] = defaultdict(list)
    for path in sorted(path for group in groups for path in (speech / group).rglob("*.*")):
        if path.suffix in audio.SUFFIXES:
            wave = audio.read_at(path, SAMPLE_RATE)
            starts = range(0, len(wave) - piece + 1, piece)[:most]
            found[path.parent.name] += [wave[start : start + piece] for start in starts] if most else [wave]
    return [wave for waves in found.values() for wave in waves], [s for s, waves in found.items() for _ in waves]


def _best(speakers: Sequence[str]) -> float:
    """Returns what a feature that knew the speakers would reach."""
    counts = Counter(speakers)
    return float(np.mean([min(_NEAREST, counts[speaker] - 1) / _NEAREST for speaker in speakers]))


def _precision(vectors_ND: Floats, speakers: Sequence[str], *, augment: int = 0) -> float:
    ids = [f"{n:06d}" for n in range(len(speakers))]
    found_NK, _ = nearest(vectors_ND, ids, top_k=_NEAREST, augment=augment)
    return float(np.mean([speakers[n] == speakers[query] for query, row in enumerate(found_NK) for n in row]))


def _raw_mfcc(wave: Wave) -> Floats:
    import librosa

    summed: Floats = librosa.feature.mfcc(y=wave, sr=SAMPLE_RATE, n_mfcc=20).sum(axis=1)
    return summed


def _of_waves(name: str, waves: Sequence[Wave]) -> Floats:
    kind = FEATURES[name]
    vector = kind.load(FeatureInputs(Path()))
    return kind.prepare(np.stack([vector(wave) for wave in waves]))


def _of_codes(name: str, waves: Sequence[Wave], *, model: Path | None) -> Floats:
    import torch

    codec = load_codec("embedded")
    embeddings_KVD = read_model(FeatureInputs(Path(), model))[1] if name == "model" else codec.embeddings().numpy()
    vectors = []
    for wave in waves:
        [codes_KT] = codec.encode([torch.from_numpy(audio.resample(wave, SAMPLE_RATE, codec.sample_rate))])
        vectors.append(codes_vector(codes_KT.numpy(), embeddings_KVD))
    return FEATURES[name].prepare(np.stack(vectors))


def search(_: Bench) -> Iterator[Figure]:
    """Measures the search for the nearest of every row, compared with the machine's matrix rate."""
    rate = max(_product_rate() for _ in range(3))
    yield Figure(f"matrix product, {_SQUARE} cubed, {cores()} threads", rate, "GFLOP/s")
    exact = _child("exact")
    yield Figure(f"exact top-{_TOP_K} of {_ROWS:,} x {_WIDTH}", exact["seconds"], "s", most=180)
    yield Figure("  its rate", 2e-9 * _ROWS**2 * _WIDTH / exact["seconds"], "GFLOP/s", rate, "the product's", least=0.5)
    yield Figure("  its peak memory, all included", exact["mib"], "MiB", most=2048)
    yield Figure("  approximate", _child("approximate")["seconds"], "s", exact["seconds"], "exact")


def _product_rate() -> float:
    """Returns the GFLOP/s of a large square float32 product on all cores."""
    one, two = np.random.default_rng(0).random((2, _SQUARE, _SQUARE), np.float32)
    return 2e-9 * _SQUARE**3 / seconds(lambda: one @ two)


def _child(how: str) -> dict[str, float]:
    """Runs `searched` in a subprocess, so that its peak memory is only its own; its log is shown."""
    code = f"from pipeline.bench.similar import searched; searched({how!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def searched(how: str) -> None:
    """Searches random vectors of 1,000 voices and prints seconds and peak memory; the subprocess of `_child`.

    Ten rows in a row count as one recording, and are never each other's neighbours.
    """
    rng = np.random.default_rng(0)
    voices_SD = rng.standard_normal((1000, _WIDTH), np.float32)
    vectors_ND = voices_SD[rng.integers(0, len(voices_SD), _ROWS)] + rng.standard_normal((_ROWS, _WIDTH), np.float32)
    ids, apart = [f"{n:07d}" for n in range(_ROWS)], [f"{n // 10:07d}" for n in range(_ROWS)]
    above = None if how == "exact" else _ROWS - 1
    took_s = seconds(lambda: nearest(vectors_ND, ids, top_k=_TOP_K, apart=apart, approximate_above=above))
    peak = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    sys.stdout.write(json.dumps({"seconds": took_s, "mib": int(peak[1]) / 1024 if peak else float("nan")}))


FEATURES_BENCH = StageBench("features", features, 60, needs_speech=True)
SEARCH = StageBench("search", search, 70)
