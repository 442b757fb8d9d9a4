"""Measures how recordings without their texts are heard, beside whisperX and faster-whisper with the same weights."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import GROUPS, english, text_of
from stages.audio.files import read_complete, resample
from stages.hearing.asr.weights import PACKAGED, find_model
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.placing import Placer
from stages.hearing.whisper import Recogniser
from stages.ids import path_of
from stages.records import Wave

_BASELINES = ("whisperX", "faster-whisper")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording with its text."""

    group: str
    wave: Wave
    """`[samples]` at 16 kHz."""
    text: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.wave) / SAMPLE_RATE


class Errors(NamedTuple):
    """Words of heard texts, beside what was said."""

    wrong: int
    words: int
    """Words said."""
    lost: int

    @property
    def rate(self) -> float:
        """The word error rate in %."""
        return 100 * self.wrong / self.words


def hearing(bench: Bench) -> Iterator[Figure]:
    """Hears clips of three corpora.

    CPU seconds of this process: start it with OMP_NUM_THREADS=1. The models' loading doesn't count.
    """
    clips = clips_in(bench.recordings)
    folder = find_model(PACKAGED, download=False)
    own = Recogniser(folder, batch_size=8, placer=Placer("auto", 20.0, {}, "cpu"))
    seconds = sum(clip.seconds for clip in clips)
    texts = {"valle-prep": lambda: [_text(one) for one in own.transcribe([c.wave for c in clips], ["en"] * len(clips))]}
    for name in _BASELINES:
        hear = baseline(name, folder)
        texts[name] = lambda hear=hear: [hear(clip.wave) for clip in clips]  # type: ignore[misc]
    measured = {name: timed(work) for name, work in texts.items()}
    for name in _BASELINES:
        least = {"whisperX": 3.0, "faster-whisper": 2.5}[name]
        yield Figure(
            f"{len(clips)} clips, speech a second", seconds / measured["valle-prep"][1], "s",
            seconds / measured[name][1], name, least=least,
        )  # fmt: skip
    for name, (heard, _) in measured.items():
        for group in (*GROUPS, ""):
            mine = [n for n, clip in enumerate(clips) if group in clip.group]
            rate = errors([clips[n].text for n in mine], [heard[n] for n in mine]).rate
            most = 9.6 if name == "valle-prep" and not group else None
            yield Figure(f"word error rate, {name}, {group or 'all'}", rate, "%", most=most)


def clips_in(recordings: Path) -> list[Clip]:
    """Reads the clips of English that have texts."""
    found = []
    for one in english(recordings):
        wave, rate = read_complete(recordings / path_of(one.id))
        found.append(Clip(one.group, np.array(resample(wave, rate, SAMPLE_RATE)), text_of(recordings, one)))
    return found


def baseline(name: str, folder: Path) -> Callable[[Wave], str]:
    """Loads a baseline in float32 with its defaults, English given; returns a function from a wave to its text."""
    if name == "whisperX":
        import whisperx

        model = whisperx.load_model(str(folder), "cpu", compute_type="float32", language="en", threads=1)
        return lambda wave: " ".join(one["text"] for one in model.transcribe(wave, batch_size=8)["segments"])
    from faster_whisper import WhisperModel

    plain = WhisperModel(str(folder), "cpu", compute_type="float32", cpu_threads=1)
    return lambda wave: " ".join(one.text for one in plain.transcribe(wave, language="en")[0])


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Returns a call's result and the CPU seconds of this process that it takes."""
    started = time.process_time()
    return work(), time.process_time() - started


def _text(result: Any) -> str:
    return " ".join(segment["text"] for segment in result.segments)


@cache
def _normaliser() -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    normalise: Callable[[str], str] = EnglishTextNormalizer({})
    return normalise


def errors(texts: Sequence[str], heard: Sequence[str]) -> Errors:
    """Returns the wrong words, all words, and the lost ones, after openai-whisper's normalisation of English."""
    from rapidfuzz.distance import Levenshtein

    wrong = words = lost = 0
    for text, said in zip(texts, heard, strict=True):
        right, found = _normaliser()(text).split(), _normaliser()(said).split()
        edits = Levenshtein.editops(right, found)
        wrong, words = wrong + len(edits), words + len(right)
        lost += sum(edit.tag == "delete" for edit in edits)
    return Errors(wrong, words, lost)


HEARING = StageBench("hearing", hearing, 11, needs_speech=True)
