"""What forced alignment is worth: real clips joined into long recordings, each known to begin and end at a join."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure
from stages.audio.files import read_complete, resample, write_wav
from stages.base import Context
from stages.corpora.scan import scan
from stages.ids import path_of, speaker_key
from stages.records import Recording, Transcript, Utterance, Wave
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig

GROUPS = ("ljspeech", "librispeech-test-other", "vctk")
"""Of read English, with the text of every clip."""
TOLERANCE_S = 0.05
_RATE = 16_000


@dataclass
class _AlignmentCounts:
    """What is counted over all recordings."""

    words: int = 0
    near: int = 0
    """Words within `TOLERANCE_S` of their clip."""
    kept: int = 0
    """Words in an utterance."""
    untimed: int = 0
    """Words in an utterance where nothing gives times."""
    joins: int = 0
    """Borders of utterances where a clip begins or ends."""
    sound: int = 0
    """Of these, those in the pause there, give or take `TOLERANCE_S`."""
    pauses: list[float] = field(default_factory=list)
    """Seconds between the words around every other border."""
    seconds: float = 0.0
    took: float = 0.0


def alignment(bench: Bench) -> Iterator[Figure]:
    """Joins the clips of each speaker and their texts, and cuts them again.

    Where speech begins and ends in a clip is silero's word, on that clip alone.
    """
    found = _AlignmentCounts()
    clips = [one for one in scan(bench.recordings).recordings if one.group in GROUPS and one.transcript]
    for key, group in groupby(clips, key=lambda one: speaker_key(one.group, one.speaker)):
        _measure(list(group), bench.recordings, bench.scratch / key, found)
    yield Figure("recordings of joined clips", found.seconds, "s")
    yield Figure("words within 50 ms of their clip", found.near / found.words, least=0.99)
    yield Figure("words in utterances", found.kept / found.words, least=1.0)
    yield Figure("words in utterances, without times", found.untimed / found.words)
    yield Figure("borders at joins, in the pause there ± 50 ms", found.sound / found.joins, least=1.0)
    yield Figure("shortest pause at another border", min(found.pauses, default=0.0), "s", least=0.15)
    yield Figure("speed", found.seconds / found.took, "× real time")


def _measure(clips: Sequence[Recording], voices: Path, folder: Path, found: _AlignmentCounts) -> None:
    waves, texts = [], []
    for clip in clips:
        wave, rate = read_complete(voices / path_of(clip.id))
        waves.append(resample(wave, rate, _RATE))
        texts.append(" ".join((voices / path_of(clip.transcript)).read_text(encoding="utf-8").split()))
    joins = np.cumsum([0, *map(len, waves)])
    speech = [(start + first, start + last) for start, (first, last) in zip(joins, map(_speech, waves), strict=False)]
    folder.mkdir(parents=True)
    write_wav(folder / "long.wav", np.concatenate(waves), _RATE)
    (folder / "long.txt").write_text(" ".join(texts), encoding="utf-8")
    started = time.perf_counter()
    told = _transcript(folder, "auto")
    found.took += time.perf_counter() - started
    found.seconds += len(np.concatenate(waves)) / _RATE
    found.untimed += sum(len(cut.text.split()) for cut in _cuts(folder, _transcript(folder, "none")))
    owners = [number for number, text in enumerate(texts) for _ in text.split()]
    words = [word for segment in told.segments for word in segment.words]
    found.words += len(owners)
    slack = round(TOLERANCE_S * _RATE)
    for word, owner in zip(words, owners, strict=False):
        found.near += joins[owner] - slack <= word.start_samples and word.end_samples <= joins[owner + 1] + slack
    at = 0
    for cut in _cuts(folder, told):
        said = len(cut.text.split())
        found.kept += said
        for border, left, right in ((cut.start_samples, at - 1, at), (cut.end_samples, at + said - 1, at + said)):
            before = owners[left] if left >= 0 else -1
            after = owners[right] if right < len(owners) else len(texts)
            if before != after:
                found.joins += 1
                earliest = speech[before][1] - slack if before >= 0 else 0
                latest = speech[after][0] + slack if after < len(texts) else joins[-1]
                found.sound += bool(earliest <= border <= latest)
            else:
                found.pauses.append((words[right].start_samples - words[left].end_samples) / _RATE)
        at += said


def _transcript(folder: Path, times: str) -> Transcript:
    config = TranscribeConfig.model_validate({"times": times, "languages": {"*": "en"}})
    ((outcome,),) = Transcribe(config, Context(folder)).process(scan(folder).recordings)
    assert isinstance(outcome, Transcript), outcome
    return outcome


def _cuts(folder: Path, told: Transcript) -> list[Utterance]:
    (outcomes,) = Slice(SliceConfig(), Context(folder)).process([told])
    return [one for one in outcomes if isinstance(one, Utterance)]


def _speech(wave: Wave) -> tuple[int, int]:
    """Returns the first sample of speech in a clip, and the one past its last."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=50, speech_pad_ms=0, min_speech_duration_ms=60)
    spans = get_speech_timestamps(np.array(wave), options)
    return spans[0]["start"], spans[-1]["end"]
