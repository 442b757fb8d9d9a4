import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import Segment, Word
from stages.transcripts.script import Script
from stages.transcripts.table import read_transcript
from stages.transcripts.whisperx import from_whisperx

TEN_SECONDS = AudioInfo(44_100, 441_000, 1)


def read(tmp_path, name, content, audio=TEN_SECONDS):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transcript(path, audio)


@pytest.mark.parametrize("name", ["a.txt", "a.TXT", "a.lab"])
def test_plain_text_covers_the_whole_recording(tmp_path, name):
    expected = Script("", (Segment(0, 441_000, "Erste Zeile, zweite.", ""),), timed=False)
    assert read(tmp_path, name, "\ufeffErste Zeile,\r\n  zweite.\n") == expected


def test_whisperx_json_lands_on_whole_samples(tmp_path):
    content = {
        "segments": [
            {"start": 3.0, "end": 12.5, "text": "Second.", "language": "de", "speaker": "S1"},
            {
                "start": 0.001,
                "end": 2.5,
                "text": " Hello  there ",
                "words": [
                    {"word": "Hello", "start": 0.0015, "end": 1.2345, "score": 0.9},
                    {"word": "there", "start": 1.5, "end": 2.5},
                ],
            },
        ],
        "word_segments": [],
        "language": "en",
    }
    hello = (Word("Hello", 66, 54_441), Word("there", 66_150, 110_250))
    assert read(tmp_path, "a.json", json.dumps(content)) == Script(
        "en",
        (Segment(44, 110_250, "Hello there", "", hello), Segment(132_300, 441_000, "Second.", "de", speaker="S1")),
        timed=True,
    )


def test_json_with_a_text_alone_is_untimed(tmp_path):
    expected = Script("fr", (Segment(0, 441_000, "Bonjour.", ""),), timed=False)
    assert read(tmp_path, "a.json", '{"language": "fr", "text": "Bonjour."}') == expected


def test_words_without_times_share_the_gap_by_their_letters():
    words = [{"word": "a"}, {"word": "1984", "start": 2.0, "end": 3.0}, {"word": "bbb"}, {"word": "c", "end": 5.0}]
    segment = {"start": 1.0, "end": 5.0, "text": "a 1984 bbb c", "words": words}
    placed = from_whisperx({"segments": [segment]}, AudioInfo(100, 1000, 1)).segments[0].words
    nan = {"word": "bbb", "start": float("nan"), "end": 4.0}
    again = {**segment, "words": [*words[:2], nan, words[3]]}
    assert from_whisperx({"segments": [again]}, AudioInfo(100, 1000, 1)).segments[0].words == placed
    assert placed == (Word("a", 100, 200), Word("1984", 200, 300), Word("bbb", 300, 450), Word("c", 450, 500))


def test_words_that_spell_another_text_are_dropped():
    segment = {"start": 0.0, "end": 1.0, "text": "seven", "words": [{"word": "7", "start": 0.0, "end": 1.0}]}
    assert from_whisperx({"segments": [segment]}, TEN_SECONDS).segments == (Segment(0, 44_100, "seven", ""),)


def one(**changes):
    return json.dumps({"segments": [{"start": 0.0, "end": 1.0, "text": "a"} | changes]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", " \n", "must hold the text"),
        ("a.txt", b"caf\xe9", "must be UTF-8, but its byte 3 is 0xe9"),
        ("a.txt", "hello".encode("utf-16-le"), "must hold plain text, but holds NUL bytes"),
        ("a.lab", "0 50000 sil\n50000 90000 ax\n", "HTK labels"),
        ("a.json", "{", "must be JSON, but isn't"),
        ("a.json", '{"text": "a"} {"text":', "must be JSON, but isn't"),
        ("a.json", "[]", "`the file` must be a"),
        ("a.json", "{}", "must hold `segments` with text"),
        ("a.json", one(text="  "), "must hold `segments` with text"),
        ("a.json", one(text=None), r"`segments\[0\]\.text` must be a valid string, but is None"),
        ("a.json", one(start=float("nan")), r"`segments\[0\]\.start` must be a finite number, but is nan"),
        ("a.json", one(start=-0.1), r"must be greater than or equal to 0, but is -0\.1"),
        ("a.json", one(start="0"), r"`segments\[0\]\.start` must be a valid number, but is '0'"),
        ("a.json", one(end=0.0), r"`segments\[0\]` must end after its start"),
        ("a.json", one(start=10.0, end=11.0), r"must start within its recording \(10\.000 s\), but starts at 10\.0 s"),
        ("a.json", one(words=[{"start": 0.0}]), r"`segments\[0\]\.words\[0\]\.word` must be given"),
        ("a.json", "[" * 100_000, "must be JSON"),
    ],
)
def test_a_bad_transcript_is_one_clear_line(tmp_path, name, content, message):
    with pytest.raises(TextError, match=message) as caught:
        read(tmp_path, name, content)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_bad_segment_costs_itself_alone(tmp_path):
    good = [{"start": 1.0, "end": 2.0, "text": "one"}, {"start": 3.0, "end": 4.0, "text": "two"}]
    bad = [
        ({"start": 2.5, "end": 2.5, "text": "a"}, "BadTimes", 2.5, r"must end after its start"),
        ({"start": 2.5, "end": 2.0, "text": "a"}, "BadTimes", 2.5, r"must end after its start"),
        ({"start": 2.5, "end": None, "text": "a"}, "BadTimes", 2.5, r"end` must be a valid number, but is None"),
        ({"start": 2.5, "text": "a"}, "BadTimes", 2.5, r"end` must be given"),
        ({"start": float("nan"), "end": 5.0, "text": "a"}, "BadTimes", None, r"start` must be a finite number"),
        ({"start": -1.0, "end": 5.0, "text": "a"}, "BadTimes", None, r"greater than or equal to 0"),
        ({"start": 11.0, "end": 12.0, "text": "a"}, "BadTimes", None, r"must start within its recording"),
        ({"start": 2.5, "end": 3.0, "text": None}, "BadSegment", 2.5, r"text` must be a valid string"),
        ("a", "BadSegment", None, r"must be"),
    ]
    for place, (segment, reason, start, message) in enumerate(bad):
        script = read(tmp_path, f"{place}.json", json.dumps({"segments": [good[0], segment, good[1]]}))
        assert [found.text for found in script.segments] == ["one", "two"]
        [told] = script.bad
        assert (told.name, told.reason) == ("segments[1]", reason)
        assert re.search(message, told.why)
        assert told.start_samples == (None if start is None else round(start * 44_100))


def test_a_transcript_of_another_recording_is_refused(tmp_path):
    segments = [{"start": start, "end": start + 1.0, "text": "a"} for start in (1.0, 11.0, 21.0, 31.0)]
    with pytest.raises(TextError, match="may belong to another recording"):
        read(tmp_path, "a.json", json.dumps({"segments": segments}))
    assert len(read(tmp_path, "b.json", json.dumps({"segments": [*segments[:2], segments[0]]})).bad) == 1


def test_a_link_to_nothing_is_unreadable(tmp_path):
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(TextError, match="can't be read"):
        read_transcript(tmp_path / "a.txt", TEN_SECONDS)


TIMES = st.none() | st.floats(0, 40)
WORDS = st.lists(
    st.fixed_dictionaries({"word": st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=8)})
    | st.fixed_dictionaries({"word": st.sampled_from(["it", " it", "is "]), "start": TIMES, "end": TIMES}),
    min_size=1,
    max_size=8,
)


@st.composite
def segments(draw):
    start = draw(st.floats(0, 25))
    words = draw(WORDS)
    text = draw(st.sampled_from([" ", "  ", ""])).join(word["word"] for word in words)
    return {"start": start, "end": start + draw(st.floats(0.01, 30)), "text": text, "words": words}


@given(st.lists(segments(), min_size=1, max_size=5), st.sampled_from([8_000, 44_100, 48_000]))
def test_times_are_in_order_within_the_file_and_no_text_is_lost(given_segments, sample_rate):
    audio = AudioInfo(sample_rate, 30 * sample_rate, 1)
    found = from_whisperx({"segments": given_segments}, audio, style="as it is").segments
    letters = sorted("".join(segment["text"].split()) for segment in given_segments)
    assert sorted(segment.text.replace(" ", "") for segment in found) == letters
    assert [segment.start_samples for segment in found] == sorted(segment.start_samples for segment in found)
    for segment in found:
        assert 0 <= segment.start_samples < segment.end_samples <= audio.samples
        assert "".join(word.text for word in segment.words) == segment.text.replace(" ", "")
        borders = [border for word in segment.words for border in (word.start_samples, word.end_samples)]
        assert borders == sorted(borders)
        assert segment.start_samples <= borders[0]
        assert borders[-1] <= segment.end_samples
