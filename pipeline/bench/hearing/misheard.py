"""Measures `transcribe.verify` on real speech: texts of other recordings, and cuts that lack part of a word."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import english, text_of
from stages.audio import files as audio
from stages.audio.silence import trimmed
from stages.base import Context
from stages.hearing.asr.weights import PACKAGED
from stages.ids import path_of, speaker_key
from stages.records import HeardAgain, Recording, Segment, Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.utterances.misheard import compared

_BOUND, _EDGE_BOUND = 0.6, 0.5
"""`slice.max_misheard` and `slice.max_misheard_edge` that are measured; `docs/datasets.md` advises them."""
_SWAPPED = 0.1
"""Share of the recordings that get the text of one of another speaker."""
_TIGHT, _LOST_S = 30, 0.35
"""Recordings whose cuts are made too tight, and how much of their speech is lost, in seconds."""
_SEED = 0


def misheard(bench: Bench) -> Iterator[Figure]:
    """Swaps a tenth of the texts among speakers, cuts words off, and counts what a second model finds."""
    clips = english(bench.recordings)
    texts = [text_of(bench.recordings, clip) for clip in clips]
    given = swapped(clips, texts, _SWAPPED, Random(_SEED))
    stage = Slice(SliceConfig(measure=False), Context(bench.recordings, verify=PACKAGED))
    stage.setup()
    started = time.process_time()
    rows = [_row(stage, bench.recordings, clip, text) for clip, text in zip(clips, given, strict=True)]
    took_s = time.process_time() - started
    wrong = [row for row, told, text in zip(rows, given, texts, strict=True) if told != text]
    right = [row for row, told, text in zip(rows, given, texts, strict=True) if told == text]
    yield Figure(f"found, of {len(wrong)} swapped texts", _over(wrong, "misheard", _BOUND), least=0.95)
    yield Figure(f"false alarms, of {len(right)} right texts", _over(right, "misheard", _BOUND), most=0.05)
    others = _all_swapped(rows, clips, texts)
    found = sum(one.misheard > _BOUND for one in others) / len(others)
    yield Figure(f"found, of {len(others)} swapped texts: each clip once", found, least=0.95)
    yield Figure("highest character error rate of a right text", max(_again(row).misheard for row in right))
    yield Figure("lowest of a swapped one", min(one.misheard for one in others))
    yield Figure("first word judged wrong, of right texts", _over(right, "first", _EDGE_BOUND))
    yield Figure("last word judged wrong, of right texts", _over(right, "last", _EDGE_BOUND))
    for edge in ("first", "last"):
        tight = _tight(bench, rows, texts, edge)
        yield Figure(f"{edge} word judged wrong, of {len(tight)} cut off", _over(tight, edge, _EDGE_BOUND))
    yield Figure("speed", sum(row.duration_s for row in rows) / took_s, "s/s")


def swapped(clips: Sequence[Recording], texts: Sequence[str], share: float, rng: Random) -> list[str]:
    """Returns the texts, of which a share belongs to recordings of other speakers."""
    given = list(texts)
    chosen = rng.sample(range(len(clips)), round(share * len(clips)))
    for place in chosen:
        others = [
            n for n in range(len(clips)) if _speaker(clips[n]) != _speaker(clips[place]) and texts[n] != texts[place]
        ]
        given[place] = texts[rng.choice(others)]
    return given


def _speaker(clip: Recording) -> str:
    return speaker_key(clip.group, clip.speaker)


def _row(stage: Slice, voices: Path, clip: Recording, text: str) -> Utterance:
    """Returns the row of a recording, with what was heard again."""
    info = audio.probe(voices / path_of(clip.id))
    segment, size = Segment(0, info.samples, text, "en"), (info.sample_rate, info.samples)
    transcript = Transcript(clip.id, clip.group, clip.speaker, *size, "en", "txt", timed=False, segments=(segment,))
    [[outcome]] = stage.process([transcript])
    assert isinstance(outcome, Utterance), outcome
    return outcome


def _again(row: Utterance) -> HeardAgain:
    assert row.again is not None
    return row.again


def _over(rows: Sequence[Utterance], name: str, bound: float) -> float:
    return float(np.mean([getattr(_again(row), name) > bound for row in rows]))


def _all_swapped(rows: Sequence[Utterance], clips: Sequence[Recording], texts: Sequence[str]) -> list[HeardAgain]:
    """Compares what was heard in each recording with the text of one of another speaker."""
    given = swapped(clips, texts, 1.0, Random(_SEED + 1))
    return [compared(text, _again(row).text, "en") for row, text in zip(rows, given, strict=True)]


def _tight(bench: Bench, rows: Sequence[Utterance], texts: Sequence[str], edge: str) -> list[Utterance]:
    """Returns rows of copies that lack the beginning or the end of their speech."""
    stage = Slice(SliceConfig(measure=False, edge_s=0.0), Context(bench.scratch, verify=PACKAGED))
    stage.setup()
    found = []
    for row, text in list(zip(rows, texts, strict=True))[:: max(1, len(rows) // _TIGHT)][:_TIGHT]:
        wave, rate = audio.read(bench.recordings / path_of(row.recording))
        spoken = trimmed(wave, rate, silence_db=40.0, edge_s=0.0)
        assert spoken is not None
        start, end = spoken
        lost = round(_LOST_S * rate)
        audio.write_wav(
            bench.scratch / edge / "cut.wav",
            wave[start + lost : end] if edge == "first" else wave[start : end - lost],
            rate,
        )
        found.append(_row(stage, bench.scratch, Recording(f"{edge}/cut.wav", "", edge, ""), text))
    return found


MISHEARD = StageBench("misheard", misheard, 14, needs_speech=True)
