"""Each format is read from files shaped like the real ones, and refuses a broken one with one clear line."""

import json
import re

import pytest

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.script import Content
from stages.transcripts.table import FORMATS, READERS, format_of, read_transcript
from tests.stages.transcripts import shapes

FIVE_SECONDS = AudioInfo(1_000, 5_000, 1)
CASES = [(name, file, text) for name, files in shapes.SHAPES.items() for file, text in files]
IDS = [f"{name}-{file}-{number}" for number, (name, file, _) in enumerate(CASES)]


def read(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_transcript(path, FIVE_SECONDS)


def test_every_format_has_a_shape():
    assert set(shapes.SHAPES) == set(FORMATS) - {"text"}


@pytest.mark.parametrize(("name", "file", "text"), CASES, ids=IDS)
def test_a_file_as_the_program_writes_it(tmp_path, name, file, text):
    assert format_of(f".{file.rpartition('.')[2].lower()}", Content(text)).name == name
    script = read(tmp_path, file, text)
    assert script.timed
    expected = [(500, 2250, "Well, hello there."), (3000, 4500, "How are you?")]
    if name in shapes.UNPUNCTUATED:
        expected = [(start, end, re.sub("[,.?]", "", said).lower()) for start, end, said in expected]
    if name == "ctm":  # words alone, and no pause of a second between them
        expected = [(500, 4500, " ".join(said for _, _, said in expected))]
    assert [(s.start_samples, s.end_samples, s.text) for s in script.segments] == expected
    assert tuple(s.speaker for s in script.segments) == shapes.NAMED.get(name, ("", ""))[: len(expected)]
    assert script.language == shapes.LANGUAGES.get(name, "")
    assert not script.bad
    if name in shapes.WITH_WORDS and file != "a.srv1":
        words = script.segments[0].words
        assert [word.text for word in words] == script.segments[0].text.split()
        words = words[:3]
        assert [word.start_samples for word in words] == [500, 1000, 1750]
        ends = [1000, 1750, 2250] if name in {"lrc", "youtube json3", "youtube srv"} else [1000, 1500, 2250]
        assert [word.end_samples for word in words] == ends


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_every_suffix_in_either_case(tmp_path, name):
    file, text = shapes.SHAPES[name][0]
    for suffix in FORMATS[name].suffixes:
        text = shapes.SRV1 if suffix == ".srv1" else text
        for form in (suffix, suffix.upper()):
            assert read(tmp_path, f"a{form}", text).segments, (file, form)


XML = "<?xml version='1.0'?><tt><body><p begin='soon' end='1s'>Hello.</p></body></tt>"
BROKEN = {
    "whisperx": [
        ("a.json", '{"segments": [', "must be JSON"),
        ("a.json", '{"pages": 3}', "neither `segments` nor a `text`"),
    ],
    "whisper.cpp": [("a.json", '{"transcription": [{"text": "a"}]}', "`offsets` is missing")],
    "transformers": [("a.json", '{"chunks": [{"text": "a"}]}', "`timestamp` is missing")],
    "vosk": [("a.json", '{"result": [{"word": "a", "start": 1}], "text": "a"}', "`end` is missing")],
    "assemblyai": [("a.json", '{"words": [{"text": "a", "start": 1, "end": 2}, {"text": "b"}]}', "`start` is missing")],
    "aws transcribe": [("a.json", '{"results": {"items": [{"type": "pronunciation"}]}}', "`alternatives` is missing")],
    "google speech": [
        ("a.json", '{"results": [{"alternatives": [{"words": [{"word": "a"}]}]}]}', "has no end .ask for `enableWord")
    ],
    "deepgram": [("a.json", '{"results": {"channels": [{}]}}', "`alternatives` is missing")],
    "azure speech": [("a.json", '{"recognizedPhrases": [{"offset": "PT1S", "duration": "1"}]}', "`nBest` is missing")],
    "rev": [
        (
            "a.json",
            '{"monologues": [{"elements": [{"type": "text", "value": "a", "ts": 1}]}]}',
            r"`segments\[0\]\.end` must be a valid number",
        )
    ],
    "segments": [("a.json", '[{"start": 1, "text": "a"}]', r"`segments\[0\]\.end` must be a valid number")],
    "textgrid": [("a.TextGrid", "words", "must be a TextGrid")],
    "elan": [
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "isn't XML"),
        ("a.eaf", "<x/>", "with `<ANNOTATION_DOCUMENT>` around it, but has `<x>`"),
        ("a.eaf", shapes.EAF.replace(' TIME_VALUE="', ' OTHER="'), "no time slot has one"),
        ("a.eaf", shapes.EAF.replace("<TIER", "<TIR").replace("</TIER", "</TIR"), "must hold a tier"),
    ],
    "ctm": [
        ("a.ctm", "talk 1 0.5 hello", "line 1 must hold `recording channel start length word`"),
        ("a.ctm", "a 1 0.5 0.2 hello\nb 1 0.5 0.2 you\n", "words of one recording, but holds those of 2"),
    ],
    "stm": [
        ("a.stm", "talk 1 anna 0.5", "line 1 must hold `recording channel speaker"),
        ("a.stm", "a 1 x 0.5 0.7 hello\nb 1 x 0.8 0.9 you\n", "segments of one recording"),
    ],
    "webvtt": [("a.vtt", "00:01.000 --> 00:02.000\nHello", "must begin with `WEBVTT`")],
    "subrip": [("a.srt", "1\nHello.", "line 2 must begin a cue")],
    "ass": [
        ("a.ass", "Dialogue: 0,0:00:01.00", "a section `.Events.`"),
        ("a.ass", shapes.ASS.replace("0:00:00.50", "soon"), "must be whole SubStation Alpha"),
    ],
    "ttml": [("a.ttml", XML, "times must be as `00:00:01.500`"), ("a.ttml", "<tt/>", "must hold a `<body>`")],
    "sbv": [("a.sbv", "Hello.", "line 1 must hold `start,end`")],
    "lrc": [
        ("a.lrc", "Hello.", "line 1 must begin with a time"),
        ("a.lrc", "[offset:x]\n[00:01.00]a", "whole milliseconds"),
    ],
    "youtube json3": [
        ("a.json3", '{"events": [{"tStartMs": 1, "segs": [{"utf8": "a"}]}]}', "`dDurationMs` is missing")
    ],
    "youtube srv": [("a.srv3", "<html/>", "must be YouTube's captions")],
    "whisper tsv": [
        ("a.tsv", "word\tpitch\na\t1\n", "must begin with the header"),
        ("a.tsv", "start\tend\ttext\n0.5\t2\ta\n", "line 2 must begin with start and end in milliseconds"),
    ],
    "audacity labels": [("a.txt", "90.5\t91.0\thello\n92.5\t93.0\tyou", "must start within its recording")],
    "clock times": [("a.txt", "[00:01] a\n[00:03] b\n[00:02] c\n", "its times must be in order")],
    "text": [
        ("a.txt", "0.50 2.25 hello there\n3.00 4.50 you\n", "holds a table of times, such as `0.50 2.25 hello there`"),
        ("a.txt", "Anna (00:01): Hello\nBen (00:03): hi\n", "a table of times"),
        ("a.txt", "Speaker 1  0:03\nHello there\nSpeaker 2  0:06\nhi\n", "a table of times"),
        ("a.txt", "0.5,2.25,hello\n3.0,4.5,you\n", "a table of times"),
        ("a.txt", "12 40 hello\n40 71 there\n71 90 you\n", "a table of times"),
        ("a.txt", "1, 2.5, 3.25, hello there\n2, 3.5, 4.25, you\n", "a table of times"),
        ("a.txt", '{"text": "hello"}', "holds JSON. Give it the suffix `.json`"),
        ("a.txt", shapes.TTML, "begins with `<.xml"),
        ("a.lab", r"{\rtf1\ansi hello}", "begins with"),
    ],
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_broken_file_here(name):
    assert name in BROKEN


@pytest.mark.parametrize(("file", "text", "message"), [case for cases in BROKEN.values() for case in cases])
def test_a_broken_file_is_one_clear_line(tmp_path, file, text, message):
    with pytest.raises(TextError, match=message) as caught:
        read(tmp_path, file, text)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "10:30 was the time we met.",
        "1 2 three, go.",
        "3.14 is about pi.",
        "In 1984, 2.5 million came.\nThe year 2000 was next.",
        "[He] said so.",
        "5 3 1\n",
        "Chapter 1\n2001 was a year. 3 of us came.\nThen 12 more.",
        "It was 7:15 or 8:20 when they left.",
        "{not} json",
    ],
)
def test_prose_with_numbers_stays_prose(tmp_path, text):
    [segment] = read(tmp_path, "a.txt", text).segments
    assert segment.text == " ".join(text.split())


STAMPED = [
    "0:01\nhello there\n0:03\nyou\n",
    "0:01 hello there\n0:03 you\n",
    "[00:00:01] hello there\n[00:00:03] you\n",
    "00:01 - 00:03 hello there\n00:03 - 00:05 you\n",
    "(0:01) hello\nthere\n(0:03) you\n",
    "00:00:01:000 --> 00:00:03:000: hello there\n00:00:03.000 --> 00:00:05.000: you\n",
]


@pytest.mark.parametrize("text", STAMPED)
def test_lines_with_clock_times(tmp_path, text):
    found = read(tmp_path, "a.txt", text).segments
    assert [(s.start_samples, s.end_samples, s.text) for s in found] == [
        (1000, 3000, "hello there"),
        (3000, 5000, "you"),
    ]


def test_audacity_s_points_last_until_the_next(tmp_path):
    found = read(tmp_path, "a.txt", "1.000000\t1.000000\thello\n3.000000\t3.000000\tyou\n").segments
    assert [(s.start_samples, s.end_samples, s.text) for s in found] == [(1000, 3000, "hello"), (3000, 5000, "you")]


def test_times_of_ttml_in_ticks_frames_and_nested(tmp_path):
    text = """<tt xmlns="http://www.w3.org/ns/ttml" xmlns:p="http://www.w3.org/ns/ttml#parameter" p:tickRate="10000000"
    p:frameRate="25"><body begin="1s"><div><p begin="5000000t" end="00:00:01:05">one</p>
    <p><span begin="2s" end="2.5s">two</span> <span begin="2.5s" end="3s">three</span></p></div></body></tt>"""
    found = read(tmp_path, "a.ttml", text).segments
    spans = [(s.start_samples, s.end_samples, s.text) for s in found]
    assert spans == [(1500, 2200, "one"), (3000, 3500, "two"), (3500, 4000, "three")]


def test_google_repeats_all_words_with_their_speakers_in_the_last_result(tmp_path):
    def words(tagged):
        return [
            {"startTime": f"{at}s", "endTime": f"{to}s", "word": word}
            | ({"speakerTag": 1 + (at >= 3)} if tagged else {})
            for word, at, to in shapes.WORDS
        ]

    results = [
        {"alternatives": [{"transcript": "Well, hello there. How are you?", "words": words(tagged)}]}
        for tagged in (0, 1)
    ]
    found = read(tmp_path, "a.json", json.dumps({"results": results})).segments
    assert [(s.text, s.speaker) for s in found] == [("Well, hello there.", "1"), ("How are you?", "2")]


def test_words_beside_the_segments_go_into_them(tmp_path):
    """OpenAI's server writes them so, and without punctuation."""
    words = [{"word": word.strip(",.?"), "start": at, "end": to} for word, at, to in shapes.WORDS]
    segments = [{"id": 0, "start": s, "end": e, "text": text} for s, e, text in (shapes.FIRST, shapes.SECOND)]
    for told in ({"segments": segments, "words": words}, {"words": words}):
        data = {"task": "transcribe", "language": "english", "text": "Well, hello there. How are you?", **told}
        found = read(tmp_path, "a.json", json.dumps(data))
        assert [word.text for s in found.segments for word in s.words] == [word for word, _, _ in shapes.WORDS]
        assert found.segments[0].words[2].start_samples == 1750


def test_words_without_times_stay_between_those_that_have_them(tmp_path):
    words = [{"word": "in", "start": 0.5, "end": 1.0}, {"word": "1984"}, {"word": "it", "start": 1.5, "end": 2.5}]
    [segment] = read(tmp_path, "a.json", json.dumps(words)).segments
    assert (segment.text, segment.start_samples, segment.end_samples) == ("in 1984 it", 500, 2500)
    chunks = [{"timestamp": [0.5, 1.0], "text": " Hello"}, {"timestamp": [1.0, None], "text": " there."}]
    [segment] = read(tmp_path, "a.json", json.dumps({"chunks": chunks})).segments
    assert segment.text == "Hello there."
    script = read(tmp_path, "a.json", json.dumps({"chunks": [{"timestamp": [0.5, 1.0], "text": " a b"}, chunks[1]]}))
    assert [found.text for found in script.segments] == ["a b"]
    assert [bad.name for bad in script.bad] == ["segments[1]"]


def test_elan_shares_out_times_that_arent_set(tmp_path):
    text = shapes.EAF.replace(' TIME_VALUE="2250"', "").replace(' TIME_VALUE="3000"', "").replace("4500", "3500")
    found = read(tmp_path, "a.eaf", text).segments
    assert [(s.start_samples, s.end_samples) for s in found] == [(500, 1500), (2500, 3500)]


def test_several_channels_are_several_speakers(tmp_path):
    text = "t A 0.5 0.4 yes\nt B 0.5 0.4 no\n"
    assert sorted((s.text, s.speaker) for s in read(tmp_path, "a.ctm", text).segments) == [
        ("no", "channel B"),
        ("yes", "channel A"),
    ]


def test_the_order_in_which_files_are_believed():
    assert list(READERS) == [
        ".json",
        ".textgrid",
        ".eaf",
        ".ctm",
        ".stm",
        ".vtt",
        ".srt",
        ".ass",
        ".ssa",
        ".ttml",
        ".dfxp",
        ".sbv",
        ".lrc",
        ".json3",
        ".srv3",
        ".srv2",
        ".srv1",
        ".tsv",
        ".txt",
        ".lab",
    ]
