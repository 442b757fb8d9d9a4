"""Measures forced alignment on real clips joined into long recordings, so that the true borders are known."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import TOLERANCE_S, english, speech_in, text_of
from stages.audio.files import read_complete, resample, write_wav
from stages.base import Context
from stages.corpora.scan import scan
from stages.ids import path_of, speaker_key
from stages.records import Recording, Transcript, Utterance, Wave
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig

_RATE = 16_000


@dataclass
class _AlignmentCounts:
    """Counts over all recordings."""

    words: int = 0
    """Words in all texts."""
    near: int = 0
    """Words placed within `TOLERANCE_S` of their clip."""
    kept: int = 0
    """Words that end up in an utterance."""
    untimed: int = 0
    """The same without an aligner (`transcribe.times=none`)."""
    joins: int = 0
    """Borders of utterances between words of two clips."""
    right: int = 0
    """Those of `joins` in the pause between the clips, within `TOLERANCE_S`."""
    pauses: list[float] = field(default_factory=list)
    """Seconds between the words around each border inside a clip."""
    seconds: float = 0.0
    """Seconds of audio."""
    took_s: float = 0.0
    """Seconds that `transcribe` took."""


def alignment(bench: Bench) -> Iterator[Figure]:
    """Joins the clips and texts of each speaker, aligns and cuts them, and compares the cuts with the joins.

    The start and end of speech in each clip are found by silero, on that clip alone.
    """
    counts = _AlignmentCounts()
    clips = english(bench.recordings)
    for key, group in groupby(clips, key=lambda clip: speaker_key(clip.group, clip.speaker)):
        _measure(list(group), bench.recordings, bench.scratch / key, counts)
    yield Figure("recordings of joined clips", counts.seconds, "s")
    yield Figure("words within 50 ms of their clip", counts.near / counts.words, least=0.99)
    yield Figure("words in utterances", counts.kept / counts.words, least=1.0)
    yield Figure("words in utterances, without times", counts.untimed / counts.words)
    yield Figure("borders at joins, in the pause there ± 50 ms", counts.right / counts.joins, least=1.0)
    yield Figure("shortest pause at another border", min(counts.pauses, default=0.0), "s", least=0.15)
    yield Figure("speed", counts.seconds / counts.took_s, "× real time")


def _measure(clips: Sequence[Recording], voices: Path, folder: Path, counts: _AlignmentCounts) -> None:
    """Joins the clips of one speaker, aligns and cuts the recording, and adds to the counts."""
    waves, texts = [], []
    for clip in clips:
        wave, rate = read_complete(voices / path_of(clip.id))
        waves.append(resample(wave, rate, _RATE))
        texts.append(text_of(voices, clip))
    joins = np.cumsum([0, *map(len, waves)])
    speech = [(start + first, start + last) for start, (first, last) in zip(joins, map(_speech, waves), strict=False)]
    folder.mkdir(parents=True)
    write_wav(folder / "long.wav", np.concatenate(waves), _RATE)
    (folder / "long.txt").write_text(" ".join(texts), encoding="utf-8")
    started = time.perf_counter()
    aligned = _transcript(folder, "auto")
    counts.took_s += time.perf_counter() - started
    counts.seconds += len(np.concatenate(waves)) / _RATE
    counts.untimed += sum(len(cut.text.split()) for cut in _cuts(folder, _transcript(folder, "none")))
    owners = [number for number, text in enumerate(texts) for _ in text.split()]
    words = [word for segment in aligned.segments for word in segment.words]
    counts.words += len(owners)
    slack = round(TOLERANCE_S * _RATE)
    for word, owner in zip(words, owners, strict=False):
        counts.near += joins[owner] - slack <= word.start_samples and word.end_samples <= joins[owner + 1] + slack
    first = 0  # index of the cut's first word
    for cut in _cuts(folder, aligned):
        end = first + len(cut.text.split())
        counts.kept += end - first
        for border, left, right in ((cut.start_samples, first - 1, first), (cut.end_samples, end - 1, end)):
            before = owners[left] if left >= 0 else -1
            after = owners[right] if right < len(owners) else len(texts)
            if before != after:
                counts.joins += 1
                earliest = speech[before][1] - slack if before >= 0 else 0
                latest = speech[after][0] + slack if after < len(texts) else joins[-1]
                counts.right += bool(earliest <= border <= latest)
            else:
                counts.pauses.append((words[right].start_samples - words[left].end_samples) / _RATE)
        first = end


def _transcript(folder: Path, times: str) -> Transcript:
    config = TranscribeConfig.model_validate({"times": times, "languages": {"*": "en"}})
    ((outcome,),) = Transcribe(config, Context(folder)).process(scan(folder).recordings)
    assert isinstance(outcome, Transcript), outcome
    return outcome


def _cuts(folder: Path, transcript: Transcript) -> list[Utterance]:
    (outcomes,) = Slice(SliceConfig(), Context(folder)).process([transcript])
    return [outcome for outcome in outcomes if isinstance(outcome, Utterance)]


def _speech(wave: Wave) -> tuple[int, int]:
    """Returns the start and end of speech in a clip, in samples; the end is exclusive."""
    spans = speech_in(wave)
    return spans[0][0], spans[-1][1]


ALIGNMENT = StageBench("alignment", alignment, 10, needs_speech=True)
