"""Tests the windows with a perfect aligner, the best path against all paths, and pocketsphinx on real clips."""

import itertools
import re
import socket
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio.files import read_complete, resample, write_wav
from stages.base import Context, Reject
from stages.corpora.scan import scan
from stages.errors import TextError
from stages.hearing import sphinx
from stages.hearing.alignment import SAMPLE_RATE, align
from stages.hearing.timing import Timing
from stages.hearing.wav2vec import Wav2Vec2Aligner, best_path
from stages.records import Utterance
from stages.slice import Slice, SliceConfig
from stages.transcribe import STAGE, TranscribeConfig


class Knowing:
    """A perfect aligner: each word's samples have its number as their value, from 1."""

    name = "knowing"

    def prefix(self, wave, words, *, whole):
        said = [number for number in np.unique(wave[np.r_[np.diff(wave) != 0, True]]) if number]
        found = [np.flatnonzero(wave == number) for number in said]
        spans = [(where[0] / SAMPLE_RATE, (where[-1] + 1) / SAMPLE_RATE) for where in found]
        if whole and len(spans) < len(words):
            return None
        return spans[: len(words)]


@settings(max_examples=12)
@given(st.data())
def test_windows_find_every_word_once(data):
    count = data.draw(st.integers(1, 60))
    pauses = data.draw(
        st.lists(
            st.sampled_from([0, 800, 800, 4_000, 4_000, 16_000, 16_000, 70 * SAMPLE_RATE]),
            min_size=count,
            max_size=count,
        )
    )
    lengths = data.draw(st.lists(st.integers(2_400, 12_000), min_size=count, max_size=count))
    parts = [
        (pause, np.full(length, number + 1.0))
        for number, (pause, length) in enumerate(zip(pauses, lengths, strict=True))
    ]
    wave = np.concatenate([part for pause, word in parts for part in (np.zeros(pause), word)]).astype(np.float32)
    words = [f"w{number}{'.' if number % 7 == 0 else ''}" for number in range(count)]
    segments = align(wave, " ".join(words), "en", Knowing())["segments"]
    placed = [word for segment in segments for word in segment["words"]]
    assert [word["word"] for word in placed] == words
    ends = np.cumsum([pause + length for pause, length in zip(pauses, lengths, strict=True)])
    assert [round(word["end"] * SAMPLE_RATE) for word in placed] == ends.tolist()
    assert [round(word["start"] * SAMPLE_RATE) for word in placed] == (ends - lengths).tolist()
    breaks = sum(pause >= (2_400 if words[n].endswith(".") else 8_000) for n, pause in enumerate(pauses[1:]))
    assert len(segments) == breaks + 1


class Spelling(Wav2Vec2Aligner):
    """wav2vec2's search, on a wave whose samples are the network's symbols, 20 ms each."""

    def __init__(self):
        super().__init__(None, {"dictionary": {"<pad>": 0, "|": 1, "a": 2, "b": 3, "c": 4}, "type": "huggingface"}, "")

    def _scores(self, wave):
        return np.log(np.full((5, 5), 0.01) + 0.95 * np.eye(5)).astype(np.float32)[wave[::320].astype(int)]


def spelt(words):
    """Returns a wave with half a second per word, 40 ms per letter."""
    frames = [
        ([symbol for letter in word for symbol in 2 * [" |abc".index(letter)]] + [1] + 25 * [0])[:25] for word in words
    ]
    return np.repeat(np.concatenate(frames), 320).astype(np.float32)


@pytest.mark.parametrize("before_s", [0, 40])
@pytest.mark.parametrize("between_s", [0, 70])
def test_no_word_is_lost_in_a_silence_longer_than_a_window(before_s, between_s):
    words = [("ab", "bca", "c", "acb")[n % 4] for n in range(100)]
    silences = [np.zeros(seconds * SAMPLE_RATE, np.float32) for seconds in (before_s, between_s)]
    wave = np.concatenate([silences[0], spelt(words[:50]), silences[1], spelt(words[50:])])
    placed = [word for one in align(wave, " ".join(words), "en", Spelling())["segments"] for word in one["words"]]
    starts = [before_s + n / 2 + (between_s if n >= 50 else 0) for n in range(100)]
    assert [word["start"] for word in placed] == pytest.approx(starts)
    assert [word["end"] for word in placed] == pytest.approx(
        [start + 0.04 * len(word) for start, word in zip(starts, words, strict=True)]
    )


def test_a_text_far_too_long_takes_no_memory():
    words, offered = ["abc"] * 30, []

    class Counting(Spelling):
        def prefix(self, wave, words, *, whole):
            offered.append(len(words))
            return super().prefix(wave, words, whole=whole)

    with pytest.raises(TextError, match=r"doesn't fit from `abc abc abc abc abc abc` on \(word 31\)"):
        align(spelt(words), " ".join(words * 1_000), "en", Counting())
    assert offered == [180, 48]
    scores_TV = np.zeros((300, 5), np.float32)
    tracemalloc.start()
    assert best_path(scores_TV, [2, 3] * 50_000, 0, whole=True) is None
    assert best_path(scores_TV, [2, 3] * 50_000, 0, whole=False) is not None
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_a_text_that_is_not_what_is_said():
    wave = np.repeat(np.arange(1.0, 31.0, dtype=np.float32), 8_000)
    with pytest.raises(TextError, match=r"doesn't fit from `w30 w31 w32 w33 w34 w35` on \(word 31\)"):
        align(wave, " ".join(f"w{n}" for n in range(40)), "en", Knowing())
    assert align(wave, " ".join(f"w{n}" for n in range(32)), "en", Knowing())["segments"][-1]["end"] == 15.0
    hurried = np.repeat(np.arange(1.0, 31.0, dtype=np.float32), 800)
    with pytest.raises(TextError, match=r"doesn't fit from `w0 "):
        align(hurried, " ".join(f"w{n}" for n in range(30)), "en", Knowing())


def test_sound_outside_the_words_is_uncovered():
    words = ["ab", "bca", "c", "acb"] * 5
    sound, hiss = np.full(SAMPLE_RATE, 0.9, np.float32), np.full(SAMPLE_RATE, 0.1, np.float32)  # no symbols: both are 0
    wave = np.concatenate([hiss, sound, sound, spelt(words[:10]), *[sound] * 3, spelt(words[10:]), hiss, sound, hiss])
    uncovered = align(wave, " ".join(words), "en", Spelling())["uncovered"]  # a word ends before the sound of its `|`
    assert uncovered == [pytest.approx(span, abs=0.011) for span in [(1, 3), (7.62, 11), (15.62, 18)]]
    assert align(wave[SAMPLE_RATE * 3 : SAMPLE_RATE * 17], " ".join(words), "en", Spelling())["uncovered"] == [
        pytest.approx((4.62, 8), abs=0.011)
    ]
    assert align(wave, " ".join([*words[:10], "1984", *words[10:], "!"]), "en", Spelling())["uncovered"] == [
        uncovered[0],  # what lies between may be the number
        uncovered[2],
    ]


class Deaf(Knowing):
    """An aligner that hears only the first thirty words."""

    def prefix(self, wave, words, *, whole):
        found = super().prefix(wave, words[:30], whole=False)
        return None if whole and len(found) < len(words) else found


def test_words_that_are_not_found_at_the_end_are_not_long_sounds():
    wave = np.repeat(np.arange(1.0, 41.0, dtype=np.float32), 8_000)
    text = " ".join(f"w{n}" for n in range(32))
    with pytest.raises(TextError, match=r"doesn't fit from `w30 w31` on \(word 31\)"):
        align(wave, text, "en", Deaf())
    assert align(wave[: 34 * 8_000], text, "en", Deaf())["segments"][-1]["end"] == 17.0


def test_a_path_fits_until_its_scores_are_low():
    def path(*seconds):  # each with a mean score a frame
        return [sphinx.Part(n % 3 != 2, n * 100, n * 100 + 100, score * 100) for n, score in enumerate(seconds)]

    assert sphinx.fitting_frames([]) == sphinx.fitting_frames(path(-9, -9)) == np.inf
    assert sphinx.fitting_frames(path(-1, -1, -3, -4, -3, -1)) == np.inf
    assert sphinx.fitting_frames(path(-1, -1, -4.5, -4.5, -1, -1)) == np.inf
    assert sphinx.fitting_frames(path(-1, -1, -5, -5, -5, -1)) == 81  # then 1.19 s at -1 and 1.81 s at -5
    assert sphinx.fitting_frames(path(-5, -5, -5, -1, -1)) == 0


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("symbols", [[1], [1, 2], [1, 1], [2, 2, 1]])
def test_the_best_path_is_the_best_of_all(symbols, whole):
    scores_TV = np.log(np.random.default_rng(len(symbols)).dirichlet(np.ones(3), 7)).astype(np.float32)
    wanted = [tuple(symbols[:n]) for n in ([len(symbols)] if whole else range(len(symbols) + 1))]
    _, frames = max(
        (sum(scores_TV[t, s] for t, s in enumerate(path)), path)
        for path in itertools.product(range(3), repeat=7)
        if tuple(s for s, _ in itertools.groupby(path) if s) in wanted
    )
    runs = [list(run) for symbol, run in itertools.groupby(range(7), key=lambda t: frames[t]) if symbol]
    expected = [(run[0], run[-1] + 1) for run in runs]
    assert best_path(scores_TV, symbols, 0, whole=whole) == expected
    assert best_path(scores_TV[:1], [1, 1], 0, whole=True) is None


def test_what_can_place_words_where(monkeypatch, tmp_path):
    assert Timing("none", 20, {}, "cpu").identity is None
    assert Timing("auto", 20, {}, "cpu").identity != Timing("auto", 10, {}, "cpu").identity
    monkeypatch.setattr(sphinx, "version", lambda: "")
    assert "which isn't installed. Run `make setup EXTRAS=dev,align`" in Timing("pocketsphinx", 20, {}, "cpu").problem()
    monkeypatch.setattr(socket, "getaddrinfo", None)
    path = tmp_path / "anna" / "long.wav"
    path.parent.mkdir()
    write_wav(path, np.random.default_rng(0).normal(0, 0.1, 25 * 8_000).astype(np.float32), 8_000)
    path.with_suffix(".txt").write_text("Dieser Text hat keine Zeiten.")
    for times, found in (("auto", "txt"), ("pocketsphinx", "can't place words in `de` here. Give a model")):
        stage = STAGE(TranscribeConfig(times=times), Context(tmp_path))
        ((outcome,),) = stage.process(scan(tmp_path).recordings)
        assert found in (outcome.message if isinstance(outcome, Reject) else outcome.source)


def joined(speech, count, with_text, folder):
    """Joins clips, with the text of those in `with_text`; returns the transcript, all texts and the clips' starts."""
    pytest.importorskip("pocketsphinx")
    clips = sorted((speech / "ljspeech" / "LJ").glob("*.wav"))[:count]
    waves = [resample(*read_complete(clip), SAMPLE_RATE) for clip in clips]
    texts = [clip.with_suffix(".txt").read_text().strip() for clip in clips]
    long = folder / "LJ" / "long.wav"
    long.parent.mkdir()
    write_wav(long, np.concatenate(waves), SAMPLE_RATE)
    long.with_suffix(".txt").write_text(" ".join(texts[n] for n in with_text))
    ((outcome,),) = STAGE(TranscribeConfig(languages={"*": "en"}), Context(folder)).process(scan(folder).recordings)
    return outcome, texts, np.cumsum([0, *map(len, waves)]) / SAMPLE_RATE


def test_no_word_of_joined_clips_is_cut(speech, tmp_path):
    """Six clips of LJ Speech; docs/figures.md has the whole measurement."""
    outcome, texts, joins = joined(speech, 6, range(6), tmp_path)
    assert outcome.source == "txt+pocketsphinx"
    words = [word for segment in outcome.segments for word in segment.words]
    owners = [number for number, text in enumerate(texts) for _ in text.split()]
    assert [word.text for word in words] == " ".join(texts).split()
    for word, owner in zip(words, owners, strict=True):
        assert joins[owner] - 0.1 <= word.start_samples / SAMPLE_RATE
        assert word.end_samples / SAMPLE_RATE <= joins[owner + 1] + 0.05
    (cuts,) = Slice(SliceConfig(max_s=12), Context(tmp_path)).process([outcome])
    assert " ".join(cut.text for cut in cuts) == " ".join(texts)
    assert all(isinstance(cut, Utterance) for cut in cuts)
    for border in {border for cut in cuts for border in (cut.start_samples, cut.end_samples)}:
        assert not any(word.start_samples < border < word.end_samples for word in words)


def test_where_the_text_lacks_speech_nothing_is_cut(speech, tmp_path, caplog):
    outcome, _, _ = joined(speech, 4, [0, 2, 3], tmp_path)
    assert (outcome.source, outcome.misfit, outcome.timed) == ("txt", "pocketsphinx", False)
    assert re.search(r"doesn't fit from .* \(word 2\d\)", caplog.text)
    ((cut,),) = Slice(SliceConfig(), Context(tmp_path)).process([outcome])
    assert cut.reason == "Misfit"


def test_speech_before_the_text_is_passed_over(speech, tmp_path):
    outcome, texts, joins = joined(speech, 4, [1, 2, 3], tmp_path)
    *cuts, before = Slice(SliceConfig(), Context(tmp_path)).process([outcome])[0]
    assert cuts
    assert " ".join(texts[1:]).endswith(" ".join(cut.text for cut in cuts))
    assert (before.reason, before.id.partition("#")[2].partition("-")[0]) == ("NoText", "0")
    words = [word for segment in outcome.segments for word in segment.words]
    owners = [number for number in (1, 2, 3) for _ in texts[number].split()][-len(words) :]
    for word, owner in zip(words, owners, strict=True):
        assert joins[owner] - 0.1 <= word.start_samples / SAMPLE_RATE
        assert word.end_samples / SAMPLE_RATE <= joins[owner + 1] + 0.05


def test_speech_after_the_last_word_is_left_out(speech, tmp_path, caplog):
    outcome, texts, joins = joined(speech, 4, [0, 1, 2], tmp_path)
    (rows,) = Slice(SliceConfig(), Context(tmp_path)).process([outcome])
    *cuts, rest = rows
    assert " ".join(cut.text for cut in cuts) == " ".join(texts[:3])
    assert cuts[-1].end_samples / SAMPLE_RATE <= joins[3] + 0.1
    assert rest.reason == "NoText"
    assert [int(at) / SAMPLE_RATE for at in rest.id.partition("#")[2].split("-")] == pytest.approx(joins[3:], abs=0.3)
    assert "no words can be placed reliably at 16." in caplog.text


def test_no_path_of_pocketsphinx_is_no_path(monkeypatch):
    pytest.importorskip("pocketsphinx")
    aligner = sphinx.SphinxAligner()
    monkeypatch.setattr(sphinx.SphinxAligner, "_grammar", lambda *_, **__: _grammar_without_end(aligner))
    assert aligner.prefix(np.zeros(1600, np.float32), ["hello"], whole=True) is None


def _grammar_without_end(aligner):
    """Returns a grammar that no sound can pass, so that the decoder's `seg()` is None."""
    from pocketsphinx import FsgModel

    grammar = FsgModel("words", aligner._decoder.get_logmath(), 1.0, 3)
    grammar.trans_add(0, 1, 0, grammar.word_add("hello"))
    grammar.set_start_state(0)
    grammar.set_final_state(2)
    return grammar
