from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio.files import probe, read, read_cut, write_wav
from stages.audio.silence import quietest, silent_share, snr_db, sound_edges
from stages.base import Context, Filtered, Reject
from stages.config import Config, load_config
from stages.errors import ConfigError
from stages.records import BadSegment, Segment, Transcript, Utterance, Word
from stages.slice import Slice, SliceConfig

RATE = 100
"""Hz; the arithmetic is the same at any rate, and a sample is 10 ms."""


NOWHERE = Path("nowhere")


def slicer(voices: Path = NOWHERE, **config) -> Slice:
    """Returns the stage; without a voices folder it reads no audio."""
    silent = {"measure": False, "finish_s": 0.0} if voices == NOWHERE else {}
    return Slice(SliceConfig(**(silent | config)), Context(voices))


def transcript(segments, samples, *, rate=RATE, timed=True, id_="a/b.wav") -> Transcript:
    return Transcript(id_, "", "a", rate, samples, "en", "json", timed, tuple(segments))


@st.composite
def worded_transcripts(draw):
    """Segments of words `w0 w1 …`, in order, with pauses; some touch, some are in another language."""
    at, number, segments = draw(st.integers(0, 100)), 0, []
    for _ in range(draw(st.integers(1, 8))):
        spoken = []
        for _ in range(draw(st.integers(1, 30))):
            end = at + draw(st.integers(1, 150))
            spoken.append(Word(f"w{number}", at, end))
            number += 1
            at = end + draw(st.sampled_from([0, 0, 3, 10, 40]))
        text = " ".join(word.text for word in spoken)
        language = draw(st.sampled_from(["en", "en", "en", "de"]))
        known = tuple(spoken) if draw(st.booleans()) else ()
        segments.append(Segment(spoken[0].start_samples, spoken[-1].end_samples, text, language, known))
        at += draw(st.sampled_from([5, 30, 100, 300]))
    return transcript(segments, at + draw(st.integers(0, 100)))


configs = st.builds(
    lambda min_s, span_s, join_s, margin_s, gap_s: SliceConfig(
        mode="segments",
        min_s=min_s,
        max_s=min_s + span_s,
        join_s=join_s,
        margin_s=margin_s,
        max_gap_s=gap_s,
        search_s=0.0,
        finish_s=0.0,
        measure=False,
    ),
    *(st.floats(low, high) for low, high in [(0.5, 3), (0.5, 20), (0, 6), (0, 1), (0, 4)]),
)


@given(worded_transcripts(), configs)
def test_cuts_keep_every_word_in_bounds_and_apart(source, config):
    outcomes = Slice(config, Context(NOWHERE)).process([source])[0]
    cuts = [outcome for outcome in outcomes if isinstance(outcome, Utterance)]
    assert all(isinstance(outcome, Utterance | Filtered) for outcome in outcomes)
    spans = [tuple(map(int, outcome.id.rpartition("#")[2].split("-"))) for outcome in outcomes]

    at = 0
    for start, end in spans:
        assert at <= start <= end <= source.samples, "cuts are in order and don't overlap"
        at = end
    for cut in cuts:
        assert round(config.min_s * RATE) <= cut.end_samples - cut.start_samples <= round(config.max_s * RATE)

    heard = {word.text: word for segment in source.segments for word in segment.words}
    covers = {text: segment for segment in source.segments for text in segment.text.split()}
    said = [word for cut in cuts for word in cut.text.split()]
    assert len(said) == len(set(said)), "no word is said twice"
    for cut in cuts:
        for word in cut.text.split():
            span = heard.get(word, covers[word])
            assert cut.start_samples <= span.start_samples <= span.end_samples <= cut.end_samples
            assert cut.language == covers[word].language
    for text, segment in covers.items():
        span = heard.get(text, segment)
        owners = [s for s in spans if s[0] <= span.start_samples and span.end_samples <= s[1]]
        assert len(owners) == 1, "each word is in exactly one outcome"
        assert not any(s[0] < span.end_samples and span.start_samples < s[1] for s in spans if s not in owners)


@given(st.lists(worded_transcripts(), max_size=3))
@settings(max_examples=30)
def test_a_batch_gives_what_its_singles_give(items):
    stage = slicer(mode="segments", max_s=6.0)
    sources = [replace(item, id=f"{i}.wav") for i, item in enumerate(items)]
    assert stage.process(sources) == [stage.process([item])[0] for item in sources]


numbers = st.integers(-50, 3000)
broken_segments = st.builds(
    Segment,
    numbers,
    numbers,
    st.sampled_from(["", " ", "one two three", "eins", "二 三", "“Hi!” (two)"]),
    st.sampled_from(["", "en", "ja"]),
    st.lists(st.builds(Word, st.sampled_from(["one", "two", "", "三", "Hi"]), numbers, numbers), max_size=4).map(tuple),
)


@given(st.lists(broken_segments, max_size=6), st.integers(1, 2500))
def test_no_second_of_speech_is_lost_or_used_twice(segments, samples):
    """Whatever the times are: each spoken sample is in exactly one outcome, and cuts lie apart in the recording."""
    source = transcript(segments, samples)
    outcomes = slicer(mode="segments", search_s=0.0, max_s=5.0).process([source])[0]
    assert outcomes
    cuts = [outcome for outcome in outcomes if isinstance(outcome, Utterance)]
    assert all(0 <= cut.start_samples < cut.end_samples <= samples and cut.text.strip() for cut in cuts)
    assert all(left.end_samples <= right.start_samples for left, right in pairwise(cuts))

    rows = [one if isinstance(one, Utterance) else one.cut for one in outcomes if not isinstance(one, Reject)]
    owners = np.zeros(samples, int)
    for row in filter(None, rows):
        owners[row.start_samples : row.end_samples] += 1
    assert owners.max(initial=0) <= 1
    first = {(one.start_samples, one.end_samples, one.text): one for one in reversed(segments)}
    spoken = [one for one in first.values() if one.text.strip()]
    for one in spoken:
        start, end = max(0, one.start_samples), min(samples, one.end_samples)
        if start >= end:
            assert any(isinstance(left, Reject) and left.reason == "BadTimes" for left in outcomes)
        elif not one.words:
            assert owners[start:end].all(), "each second of a segment is in an outcome"
    said, covered = (
        sorted("".join(texts).replace(" ", ""))
        for texts in ([one.text for one in spoken if _inside(one, samples)], [row.text for row in rows if row])
    )
    assert covered == said


def _inside(segment: Segment, samples: int) -> bool:
    return max(0, segment.start_samples) < min(samples, segment.end_samples)


def words(*timed: tuple[str, float, float]) -> tuple[Word, ...]:
    return tuple(Word(text, round(start * RATE), round(end * RATE)) for text, start, end in timed)


def test_long_segments_split_at_the_long_pause_near_the_middle():
    spoken = words(("“One", 0, 2), ("two”", 2.1, 4), ("(three", 4.6, 6), ("four).", 6.1, 8), ("Five", 8.2, 10))
    text = "“One two” (three four). Five"
    source = transcript([Segment(0, 1000, text, "en", spoken)], 1000)
    assert [
        (cut.text, cut.start_samples, cut.end_samples)
        for cut in slicer(mode="segments", max_s=6.0).process([source])[0]
    ] == [
        ("“One two”", 0, 410),
        ("(three four). Five", 450, 1000),
    ]


def test_text_without_times_is_never_split_off():
    # `1984` has no time: it is spoken somewhere between its neighbours, so no cut may fall there.
    spoken = words(("in", 0, 4), ("came", 6, 9), ("rain", 9.1, 10))
    source = transcript([Segment(0, 1000, "in 1984 came rain", "en", spoken)], 1000)
    assert [cut.text for cut in slicer(mode="segments", max_s=9.5, min_s=0.5).process([source])[0]] == [
        "in 1984 came",
        "rain",
    ]
    japanese = replace(
        source.segments[0], text="「今日は」「雨」", language="ja", words=words(("今日は", 0, 5), ("雨", 6, 10))
    )
    assert [cut.text for cut in slicer(mode="segments", max_s=8.0).process([transcript([japanese], 1000)])[0]] == [
        "「今日は」",
        "「雨」",
    ]


def test_short_segments_join_the_nearer_neighbour():
    def texts(*spans, **config):
        segments = [Segment(round(a * RATE), round(b * RATE), f"{i}", "en") for i, (a, b) in enumerate(spans)]
        outcomes = slicer(mode="segments", **config).process([transcript(segments, 6000)])[0]
        return [outcome.text for outcome in outcomes if isinstance(outcome, Utterance)]

    assert texts((0, 5), (5.2, 6), (6.5, 12)) == ["0 1", "2"]
    assert texts((0, 5), (5.5, 6), (6.2, 12)) == ["0", "1 2"]
    assert texts((0, 5), (5.5, 6), (6.2, 12), max_s=6.2) == ["0 1", "2"]
    assert texts((0, 5), (7, 7.5), (9.5, 12)) == ["0", "2"], "alone behind long pauses, and too short"
    assert texts((0, 1), (1.1, 2), (2.2, 3), (3.3, 4.5), (5, 6)) == ["0 1 2", "3 4"]


def test_reasons():
    def outcome(source, **config):
        (only,) = slicer(**config).process([source])[0]
        return type(only), only.reason, only.message

    timed = transcript([Segment(0, 2500, "a b", "en")], 3000)
    kind, reason, detail = outcome(timed)
    assert (kind, reason) == (Filtered, "TooLong")
    assert "25.00 s" in detail
    assert "transcribe.align_models" in detail
    assert outcome(transcript([Segment(0, 50, "a", "en")], 60))[1] == "TooShort"
    *_, empty = slicer().process([transcript([Segment(0, 200, "a", "en"), Segment(300, 500, " ", "en")], 600)])[0]
    assert (empty.id, empty.reason) == ("a/b.wav#300-500", "NoText")
    short = transcript([Segment(0, 200, "a b", "en")], 200, timed=False)
    assert outcome(replace(short, misfit="pocketsphinx"))[:2] == (Filtered, "Misfit")
    [[whole]] = slicer(measure=False, min_s=0.5, mode="segments").process([replace(short, source="my-layout")])
    assert isinstance(whole, Utterance), "a hyphen in a layout's name says nothing of its texts"
    assert outcome(transcript([], 60))[1] == "NoSpeech"
    assert outcome(transcript([Segment(0, 50, "\n", "en")], 60))[1] == "NoSpeech"
    assert outcome(transcript([Segment(300, 200, "a", "en")], 400))[:2] == (Reject, "BadTimes")
    both = transcript([Segment(0, 300, "a", "en"), Segment(200, 500, "b", "de")], 600)
    assert outcome(both)[:2] == (Filtered, "MixedLanguages")


def test_room_ends_before_speech_without_text():
    def cuts_of(*silent, samples=600):
        rows = slicer(margin_s=0.2).process([transcript([Segment(200, 400, "a", "en"), *silent], samples)])[0]
        return [(row.start_samples, row.end_samples) for row in rows if isinstance(row, Utterance)]

    assert cuts_of() == [(180, 420)]
    assert cuts_of(Segment(100, 190, "", "en"), Segment(406, 500, "", "en")) == [(190, 406)]
    assert cuts_of(Segment(100, 201, "", "en")) == [(180, 420)]  # overlaps the spoken segment


def test_a_repeated_segment_counts_once():
    first, other = Segment(0, 300, "one two", "en"), Segment(400, 700, "one two", "en")
    both = transcript([first, first, Segment(0, 300, "one two ", "en"), other], 800)
    [rows] = slicer(join_s=0).process([both])
    assert [row.text for row in rows] == ["one two", "one two"]
    by_another = transcript([first, replace(first, speaker="b")], 800)
    assert slicer().process([by_another])[0][0].reason == "MixedSpeakers"


def test_max_s_must_be_above_min_s():
    class Root(Config):
        slice: SliceConfig = SliceConfig()

    with pytest.raises(ConfigError, match=r"`slice\.max_s`.*`slice\.min_s` \(5\).*but is 3"):
        load_config(Root, sets=["slice.min_s=5.0", "slice.max_s=3.0"])
    with pytest.raises(ConfigError, match=r"`slice\.max_s`"):
        load_config(Root, sets=["slice.min_s=50.0"])


def tone(seconds: float, rate: int, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_whole_recordings_lose_only_long_silence(tmp_path):
    rate = 16_000
    hiss = np.random.default_rng(0).normal(0, 1e-4, 2 * rate).astype(np.float32)
    write_wav(tmp_path / "a.wav", np.concatenate([hiss, tone(3, rate), hiss]), rate)
    whole = transcript([Segment(0, 7 * rate, "hum", "en")], 7 * rate, rate=rate, timed=False, id_="a.wav")
    (cut,) = slicer(tmp_path).process([whole])[0]
    assert (cut.id, cut.text) == ("a.wav", "hum")
    assert (cut.start_samples, cut.end_samples) == (round(1.5 * rate), round(5.5 * rate))
    timed = replace(whole, timed=True)
    for mode, source, found in (("file", whole, "4.00 s"), ("auto", whole, "7.00 s"), ("auto", timed, "7.00 s")):
        assert slicer(tmp_path, max_s=4.5, mode=mode).process([source]) == [[cut]], "7 s, of which 3 are silence"
        (long,) = slicer(tmp_path, max_s=3.5, mode=mode).process([source])[0]
        assert long.reason == "TooLong"
        assert long.message.startswith(f"{found}, over `slice.max_s` (3.5 s)")
        assert ("to split it by" in long.message) == (mode == "auto")
    (cut,) = slicer(tmp_path, edge_s=9.0).process([whole])[0]
    assert (cut.start_samples, cut.end_samples) == (0, 7 * rate)

    write_wav(tmp_path / "a.wav", np.zeros(7 * rate, np.float32), rate)
    assert slicer(tmp_path).process([whole])[0][0].reason == "NoSpeech"
    (gone,) = slicer(tmp_path).process([replace(whole, id="b.wav")])[0]
    assert (type(gone), gone.reason) == (Reject, "NotThere")
    assert str(tmp_path) not in gone.message


@given(st.integers(1, 4000), st.sampled_from([100, 8000, 44_100]), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_silence_stays_inside_the_wave(samples, rate, seed):
    wave = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    wave[0] = 0.5
    assert 0 <= quietest(wave, rate) <= samples
    assert 0 <= silent_share(wave, rate, silence_db=40.0) <= 1
    assert -20 <= snr_db(wave, rate) <= 100
    start, end = sound_edges(wave, rate, silence_db=40.0)
    assert 0 <= start < end <= samples
    assert sound_edges(np.zeros_like(wave), rate, silence_db=40.0) is None


def test_each_cut_is_brought_to_the_loudness_as_far_as_its_peak_allows(tmp_path, english):
    from pyloudnorm import Meter
    from pyloudnorm.normalize import loudness

    wave, rate = read(english[0])
    write_wav(tmp_path / "a.wav", wave, rate)
    whole = transcript([Segment(0, len(wave), "a", "en")], len(wave), rate=rate, timed=False, id_="a.wav")

    def heard(target):
        (cut,) = slicer(tmp_path, loudness_lufs=target).process([whole])[0]
        bare, _ = read(tmp_path / "a.wav", cut.start_samples, cut.end_samples)
        found = read_cut(tmp_path / "a.wav", cut.start_samples, cut.end_samples, rate, gain_db=cut.gain_db)
        return cut, bare.astype(float), found

    cut, bare, found = heard(-30.0)
    before = Meter(rate).integrated_loudness(bare)
    assert Meter(rate).integrated_loudness(found.astype(float)) == pytest.approx(-30.0, abs=0.01)
    np.testing.assert_allclose(found, loudness(bare, before, -30.0), atol=1e-4)
    assert cut.content() != replace(cut, gain_db=0.0).content(), "the gain is part of what later stages follow"
    cut, bare, found = heard(-3.0)
    assert 0.995 < np.abs(found).max() <= 1.0
    assert Meter(rate).integrated_loudness(found.astype(float)) < -3.0


def columbia(speech: Path) -> Transcript:
    """The segments of a real speech; their borders touch and are in whole seconds, set by a machine."""
    id_ = "longform/columbia/columbia_gwbush_16k.flac"
    info = probe(speech / id_)

    def samples(stamp: str) -> int:
        minutes, seconds = stamp.split(":")
        return round((60 * int(minutes) + float(seconds)) * info.sample_rate)

    rows = [line.split("\t") for line in (speech / "longform/columbia.tsv").read_text().splitlines()]
    segments = [Segment(samples(start), samples(end), text, "en") for start, end, text in rows]
    return transcript(segments, info.samples, rate=info.sample_rate, id_=id_)


def test_a_real_speech_is_cut_at_its_pauses(speech):
    source = columbia(speech)

    def loudest_border_db(stage):
        cuts = [cut for cut in stage.process([source])[0] if isinstance(cut, Utterance)]
        assert " ".join(cut.text for cut in cuts) == " ".join(segment.text for segment in source.segments)
        assert all(1.0 <= cut.duration_s <= 20.0 for cut in cuts)
        half = source.sample_rate // 40
        around = [read(speech / source.id, cut.start_samples - half, cut.start_samples + half)[0] for cut in cuts[1:]]
        return max(10 * np.log10(np.square(wave).mean()) for wave in around)

    assert loudest_border_db(slicer(speech)) < -40.0 < -30.0 < loudest_border_db(slicer(speech, search_s=0.0))


def test_real_clips_stay_whole(recordings, english):
    clips = [*english[:4], *(recordings / "longform").glob("jfk/jfk.flac")]
    sources = []
    for clip in clips:
        info, text = probe(clip), clip.with_suffix(".txt").read_text().strip()
        whole = Segment(0, info.samples, text, "en")
        id_ = str(clip.relative_to(recordings))
        sources.append(transcript([whole], info.samples, rate=info.sample_rate, timed=False, id_=id_))
    for source, (cut,) in zip(sources, slicer(recordings).process(sources), strict=True):
        assert (cut.id, cut.text) == (source.id, source.segments[0].text)
        assert cut.end_samples - cut.start_samples >= source.samples - source.sample_rate


def test_a_bad_segment_costs_itself_alone():
    good = Segment(100, 400, "one", "en"), Segment(500, 900, "two", "en")
    bad = BadSegment("segments[1]", "must end", start_samples=450), BadSegment("segments[3]", "no text", "BadSegment")
    source = replace(transcript(good, 1000), bad=bad)
    found = slicer(mode="segments", join_s=0.0, margin_s=1.0, search_s=0.0).process([source])[0]
    rows, rejects = found[:2], found[2:]
    assert [(row.text, row.start_samples, row.end_samples) for row in rows] == [("one", 0, 450), ("two", 450, 1000)]
    assert [(one.id, one.reason, one.message) for one in rejects] == [
        ("a/b.wav#segments[1]", "BadTimes", "must end"),
        ("a/b.wav#segments[3]", "BadSegment", "no text"),
    ]
    misfit = replace(source, misfit="pocketsphinx")
    assert [one.reason for one in slicer().process([misfit])[0]] == ["Misfit", "BadTimes", "BadSegment"]


def test_an_unknown_word_costs_its_utterance_alone():
    spoken = Segment(0, 200, "one", "en"), Segment(210, 400, "two <unk>", "en"), Segment(410, 600, "three", "en")
    found = slicer(mode="segments", search_s=0.0).process([transcript(spoken, 600)])[0]
    assert [(type(one).__name__, getattr(one, "text", None) or one.reason) for one in found] == [
        ("Utterance", "one"),
        ("Filtered", "UnknownWord"),
        ("Utterance", "three"),
    ]
