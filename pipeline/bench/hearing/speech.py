"""Measures how recordings without their texts are heard, beside whisperX and faster-whisper with the same weights."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import GROUPS, TOLERANCE_S, english, speech_in, text_of
from stages.audio.files import read_complete, resample, write_wav
from stages.base import Context
from stages.corpora.scan import scan
from stages.hearing.asr.weights import PACKAGED, find_model
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.whisper import Recogniser
from stages.ids import path_of
from stages.records import Transcript, Utterance, Wave
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig

_LONG_S = 1200.0
"""Length of the joined recording."""
_BASELINES = ("whisperX", "faster-whisper")


@dataclass(frozen=True, slots=True)
class _Clip:
    group: str
    wave: Wave
    text: str

    @property
    def seconds(self) -> float:
        return len(self.wave) / SAMPLE_RATE


def hearing(bench: Bench) -> Iterator[Figure]:
    """Hears clips of three corpora, and 20 minutes of them joined.

    CPU seconds of this process: start it with OMP_NUM_THREADS=1. The models' loading doesn't count.
    """
    clips = _clips(bench.recordings)
    folder = find_model(PACKAGED, download=False)
    own = Recogniser(folder, batch_size=8)
    seconds = sum(clip.seconds for clip in clips)
    texts = {"valle-prep": lambda: [_text(one) for one in own.transcribe([c.wave for c in clips], ["en"] * len(clips))]}
    for name in _BASELINES:
        hear = _baseline(name, folder)
        texts[name] = lambda hear=hear: [hear(clip.wave) for clip in clips]  # type: ignore[misc]
    measured = {name: _timed(work) for name, work in texts.items()}
    for name in _BASELINES:
        least = {"whisperX": 3.0, "faster-whisper": 2.5}[name]
        yield Figure(
            f"{len(clips)} clips, speech a second", seconds / measured["valle-prep"][1], "s",
            seconds / measured[name][1], name, least=least,
        )  # fmt: skip
    for name, (heard, _) in measured.items():
        for group in (*GROUPS, ""):
            mine = [n for n, clip in enumerate(clips) if group in clip.group]
            wrong, words, _ = _errors([clips[n].text for n in mine], [heard[n] for n in mine])
            most = 9.6 if name == "valle-prep" and not group else None
            yield Figure(f"word error rate, {name}, {group or 'all'}", 100 * wrong / words, "%", most=most)
    yield from _long(clips, folder, bench.scratch)


def _long(clips: Sequence[_Clip], folder: Path, scratch: Path) -> Iterator[Figure]:
    """Hears the clips joined, by the stage with its defaults, and cuts the result."""
    order: list[_Clip] = []
    generator = np.random.default_rng(0)
    while sum(clip.seconds for clip in order) < _LONG_S:
        order += [clips[n] for n in generator.permutation(len(clips))]
    while sum(clip.seconds for clip in order[:-1]) >= _LONG_S:
        order.pop()
    wave, text = np.concatenate([clip.wave for clip in order]), " ".join(clip.text for clip in order)
    (place := scratch / "voices").mkdir(parents=True)
    write_wav(place / "long.wav", wave, SAMPLE_RATE)
    config = TranscribeConfig.model_validate({"transcripts": "ignore", "model": PACKAGED, "language": "en"})
    stage = Transcribe(config, Context(place))
    recordings = scan(place).recordings
    ((transcript,),), took = _timed(lambda: stage.process(recordings))
    assert isinstance(transcript, Transcript), transcript
    (outcomes,) = Slice(SliceConfig(), Context(place)).process([transcript])
    cuts = [outcome for outcome in outcomes if isinstance(outcome, Utterance)]
    theirs, their_s = _timed(lambda: _baseline("faster-whisper", folder)(wave))
    seconds = len(wave) / SAMPLE_RATE
    yield Figure("long recording, speech a second", seconds / took, "s", seconds / their_s, "faster-whisper", least=2.0)
    wrong, words, lost = _errors([text], [" ".join(cut.text for cut in cuts)])
    their_wrong, _, their_lost = _errors([text], [theirs])
    yield Figure("word error rate", 100 * wrong / words, "%", 100 * their_wrong / words, "faster-whisper", most=1.0)
    yield Figure("words lost", float(lost), "", float(their_lost), "faster-whisper", most=1.0)
    speech = _speech(order)
    covered = sum(
        max(0, min(end, cut.end_samples) - max(start, cut.start_samples)) for start, end in speech for cut in cuts
    )
    yield Figure("speech in utterances", covered / sum(end - start for start, end in speech), least=0.95)
    borders = [border for cut in cuts for border in (cut.start_samples, cut.end_samples)]
    slack = round(TOLERANCE_S * SAMPLE_RATE)
    inside = sum(any(start + slack < border < end - slack for start, end in speech) for border in borders)
    yield Figure("borders in a pause, within 50 ms", 1 - inside / len(borders), least=1.0)
    yield Figure("utterances", len(cuts))


def _clips(recordings: Path) -> list[_Clip]:
    found = []
    for one in english(recordings):
        wave, rate = read_complete(recordings / path_of(one.id))
        found.append(_Clip(one.group, np.array(resample(wave, rate, SAMPLE_RATE)), text_of(recordings, one)))
    return found


def _baseline(name: str, folder: Path) -> Callable[[Wave], str]:
    """Loads a baseline in float32 with its defaults, English given; returns a function from a wave to its text."""
    if name == "whisperX":
        import whisperx

        model = whisperx.load_model(str(folder), "cpu", compute_type="float32", language="en", threads=1)
        return lambda wave: " ".join(one["text"] for one in model.transcribe(wave, batch_size=8)["segments"])
    from faster_whisper import WhisperModel

    plain = WhisperModel(str(folder), "cpu", compute_type="float32", cpu_threads=1)
    return lambda wave: " ".join(one.text for one in plain.transcribe(wave, language="en")[0])


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Returns a call's result and the CPU seconds of this process that it takes."""
    started = time.process_time()
    return work(), time.process_time() - started


def _text(result: Any) -> str:
    return " ".join(segment["text"] for segment in result.segments)


def _speech(clips: Sequence[_Clip]) -> list[tuple[int, int]]:
    """Returns the speech of joined clips as silero finds it in each clip alone, in samples."""
    starts = np.cumsum([0, *(len(clip.wave) for clip in clips)])
    return [
        (int(start) + first, int(start) + last)
        for clip, start in zip(clips, starts, strict=False)
        for first, last in speech_in(clip.wave)
    ]


@cache
def _normaliser() -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    normalise: Callable[[str], str] = EnglishTextNormalizer({})
    return normalise


def _errors(texts: Sequence[str], heard: Sequence[str]) -> tuple[int, int, int]:
    """Returns the wrong words, all words, and the lost ones, after openai-whisper's normalisation of English."""
    from rapidfuzz.distance import Levenshtein

    wrong = words = lost = 0
    for text, said in zip(texts, heard, strict=True):
        right, found = _normaliser()(text).split(), _normaliser()(said).split()
        edits = Levenshtein.editops(right, found)
        wrong, words = wrong + len(edits), words + len(right)
        lost += sum(edit.tag == "delete" for edit in edits)
    return wrong, words, lost


HEARING = StageBench("hearing", hearing, 11, needs_speech=True)
