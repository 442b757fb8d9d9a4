"""Measures long recordings heard with the defaults and cut by `slice`, beside faster-whisper with the same weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench
from pipeline.bench.hearing.clips import TOLERANCE_S, speech_in, text_of, words_in
from pipeline.bench.hearing.speech import Clip, Errors, baseline, clips_in, errors, timed
from stages.audio.files import read_complete, resample, write_wav
from stages.base import Context
from stages.corpora.scan import scan
from stages.hearing.asr.weights import PACKAGED, find_model
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.ids import path_of
from stages.records import Recording, Transcript, Utterance, Wave
from stages.slice import Slice, SliceConfig
from stages.transcribe import Transcribe, TranscribeConfig

_JOINED_S = 1200.0
"""Length of the joined recording."""
_LONGFORM = "longform"
"""The group of long recordings; what they hold twice is left out."""
_TWICE = ".wma"
_MACHINE_MADE = "columbia.tsv"
"""Start, end and text of the segments of one of them, by a larger model: good enough to count lost words, not wrong
ones."""

Regions = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Long:
    recording: Recording
    wave: Wave
    """`[samples]` at 16 kHz."""
    text: str
    by_people: bool
    """Whether people wrote the text."""
    speech: Regions
    """Where somebody speaks, in samples at 16 kHz."""
    words: Regions | None = None
    """Where each word is spoken, in samples at 16 kHz; None where that isn't known."""


def long(bench: Bench) -> Iterator[Figure]:
    """Hears twenty minutes of clips joined, and the long recordings.

    CPU seconds of this process: start it with OMP_NUM_THREADS=1. The loading of the models counts, and so does the
    decoding of the files, which faster-whisper is spared.

    A border cuts a word where silero hears somebody speak more than 50 ms to both sides, and where a word lies so, too:
    each clip's own text is placed on that clip alone. For silero a loud breath is speech.
    """
    yield from _measured(_joined(clips_in(bench.recordings), bench.scratch), bench.scratch, "twenty minutes joined")
    yield from _measured(_longform(bench.recordings), bench.recordings, _LONGFORM)


def _measured(longs: Sequence[_Long], voices: Path, name: str) -> Iterator[Figure]:
    config = TranscribeConfig.model_validate({"transcripts": "ignore", "model": PACKAGED, "language": "en"})
    stage = Transcribe(config, Context(voices))
    done, took = timed(lambda: stage.process([one.recording for one in longs]))
    transcripts = [outcome for (outcome,) in done]
    assert all(isinstance(one, Transcript) for one in transcripts), transcripts
    found = Slice(SliceConfig(), Context(voices)).process(transcripts)
    cuts = [[one for one in outcomes if isinstance(one, Utterance)] for outcomes in found]
    folder = find_model(PACKAGED, download=False)
    theirs, their_s = timed(lambda: list(map(baseline("faster-whisper", folder), [one.wave for one in longs])))
    seconds = sum(len(one.wave) for one in longs) / SAMPLE_RATE
    ours = [" ".join(cut.text for cut in mine) for mine in cuts]
    yield Figure(
        f"{name} ({len(longs)}, {seconds:.0f} s): speech a second",
        seconds / took,
        "s",
        seconds / their_s,
        "faster-whisper",
        least=2,
    )
    heard = [" ".join(segment.text for segment in one.segments) for one in transcripts]
    yield from _words(longs, heard, theirs, f"{name}, heard")
    yield from _words(longs, ours, theirs, f"{name}, in utterances")
    total = sum(end - start for one in longs for start, end in one.speech)
    covered = sum(_covered(one, mine) for one, mine in zip(longs, cuts, strict=True))
    yield Figure(f"{name}: speech in utterances", covered / total, least=0.95)
    borders = [(one, border) for one, mine in zip(longs, cuts, strict=True) for border in _borders(mine)]
    cutting = [(one, border) for one, border in borders if _within(border, one.speech)]
    yield Figure(
        f"{name}: of {len(borders)} borders, in a pause within 50 ms", 1 - len(cutting) / len(borders), least=1
    )
    cutting = [(one, border) for one, border in cutting if one.words is None or _within(border, one.words)]
    yield Figure(f"{name}: of {len(borders)} borders, within a word by over 50 ms", len(cutting), most=0)
    yield Figure(f"{name}: utterances", sum(map(len, cuts)))
    left_out = sum(not isinstance(one, Utterance) for outcomes in found for one in outcomes)
    yield Figure(f"{name}: pieces left out", left_out)


def _words(longs: Sequence[_Long], ours: Sequence[str], theirs: Sequence[str], name: str) -> Iterator[Figure]:
    """Yields wrong and lost words, beside faster-whisper's; the first only of texts that people wrote."""
    written = [n for n, one in enumerate(longs) if one.by_people]
    mine, others = (errors([longs[n].text for n in written], [one[n] for n in written]) for one in (ours, theirs))
    them = "faster-whisper"
    yield Figure(f"{name}: word error rate, of {mine.words} words", mine.rate, "%", others.rate, them, most=1)
    yield Figure(f"{name}: wrong words of those written", _wrong(mine), "%", _wrong(others), them, most=1)
    mine, others = (errors([one.text for one in longs], one) for one in (ours, theirs))
    yield Figure(f"{name}: words lost, of {mine.words} words", mine.lost, "", others.lost, them, most=1)


def _wrong(found: Errors) -> float:
    """Returns the share of the words that are wrong, in %, lost ones left aside."""
    return 100 * (found.wrong - found.lost) / (found.words - found.lost)


def _joined(clips: Sequence[Clip], voices: Path) -> list[_Long]:
    """Writes the clips joined, in an order drawn again each time they are used up."""
    order: list[Clip] = []
    generator = np.random.default_rng(0)
    while sum(clip.seconds for clip in order) < _JOINED_S:
        order += [clips[n] for n in generator.permutation(len(clips))]
    while sum(clip.seconds for clip in order[:-1]) >= _JOINED_S:
        order.pop()
    wave = np.concatenate([clip.wave for clip in order])
    write_wav(voices / "joined" / "long.wav", wave, SAMPLE_RATE)
    starts = np.cumsum([0, *(len(clip.wave) for clip in order)])
    speech = [
        (int(start) + first, int(start) + last)
        for clip, start in zip(order, starts, strict=False)
        for first, last in speech_in(clip.wave)
    ]
    [recording] = scan(voices).recordings
    placed = {id(clip): words_in(clip.wave, clip.text) for clip in clips}
    words = [
        (int(start) + first, int(start) + last)
        for clip, start in zip(order, starts, strict=False)
        # of a clip whose text can't be placed all speech is one word
        for first, last in placed[id(clip)] or speech_in(clip.wave)
    ]
    return [_Long(recording, wave, " ".join(clip.text for clip in order), True, speech, words)]


def _longform(voices: Path) -> list[_Long]:
    """Reads the long recordings."""
    found = []
    for one in scan(voices).recordings:
        if one.group == _LONGFORM and not one.id.endswith(_TWICE):
            wave, rate = read_complete(voices / path_of(one.id))
            wave = np.array(resample(wave, rate, SAMPLE_RATE))
            text = text_of(voices, one) if one.transcript else _machine_made(voices / _LONGFORM / _MACHINE_MADE)
            found.append(_Long(one, wave, text, bool(one.transcript), speech_in(wave)))
    return found


def _machine_made(table: Path) -> str:
    return " ".join(line.split("\t")[-1] for line in table.read_text(encoding="utf-8").splitlines())


def _covered(one: _Long, cuts: Sequence[Utterance]) -> int:
    return sum(
        max(0, min(end, stop) - max(start, begin)) for start, end in one.speech for begin, stop in map(_at_16, cuts)
    )


def _at_16(cut: Utterance) -> tuple[int, int]:
    """Returns where a cut lies in its recording at 16 kHz."""
    return round(cut.start_samples * SAMPLE_RATE / cut.sample_rate), round(
        cut.end_samples * SAMPLE_RATE / cut.sample_rate
    )


def _borders(cuts: Sequence[Utterance]) -> Iterator[int]:
    for cut in cuts:
        yield from _at_16(cut)


def _within(border: int, regions: Regions) -> bool:
    slack = round(TOLERANCE_S * SAMPLE_RATE)
    return any(start + slack < border < end - slack for start, end in regions)


LONG = StageBench("long", long, 12, needs_speech=True)
