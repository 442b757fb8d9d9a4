import pytest

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.table import read_transcript

MINUTE = AudioInfo(1_000, 60_000, 1)

SRT = """1
00:00:00,500 --> 00:00:02,250
<i>Hello</i> there,
general.

2
00:00:02.250 --> 00:00:04,000 X1:40 Y1:20
[SPEAKER_01]: Tom &amp; I {\\an8}left.


3
00:00:05,000 --> 00:00:06,000

"""

VTT = """WEBVTT - a title
Kind: captions

NOTE
not said --- at all

STYLE
::cue { color: red }

intro
00:00.500 --> 00:02.250 align:start position:0%
<i>Hello</i><00:00:01.000><c.yellow> there</c>,
general.

00:00:02.250 --> 00:00:04.000
<v.loud SPEAKER_01>Tom &amp; I left.</v>
"""


def read(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_transcript(path, MINUTE)


@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.SRT", SRT.replace("\n", "\r\n")), ("a.vtt", VTT)])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_cues_become_segments(tmp_path, name, text, encoding):
    script = read(tmp_path, name, text.encode(encoding))
    assert script.timed
    assert [(s.start_samples, s.end_samples, s.text, s.speaker) for s in script.segments] == [
        (500, 2_250, "Hello there, general.", ""),
        (2_250, 4_000, "Tom & I left.", "SPEAKER_01"),
    ]


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_cue_ends_where_the_next_begins_also_without_a_blank_line(tmp_path, suffix, number):
    cues = ["00:00:00,5 --> 00:00:02,0\nhello\n1984", "00:00:02,0 --> 00:00:04,0\nto --> fro", "0:4,0 --> 0:5,0\nbye"]
    lines = "\n".join(f"{n}\n{cue}" if number else cue for n, cue in enumerate(cues, 1))
    text = f"WEBVTT\n\n{lines}" if suffix == "vtt" else lines
    [bad] = read(tmp_path, f"a.{suffix}", text).bad
    assert f"line {text[: text.index('0:4')].count(chr(10)) + 1} must hold `start --> end`" in bad.why
    script = read(tmp_path, f"a.{suffix}", text.replace("0:4,0 --> 0:5,0", "00:04,0 --> 00:05,0"))
    assert [(s.start_samples, s.end_samples, s.text) for s in script.segments] == [
        (500, 2_000, "hello 1984"),
        (2_000, 4_000, "to --> fro"),
        (4_000, 5_000, "bye"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.srt", "1\n00:00 --> 00:02\nyes", "line 2 must hold `start --> end`"),
        (
            "a.srt",
            "1\n00:00:01,0 --> 00:00:02,0\nyes\n\nno times",
            "its text may go on: line 5 must begin a cue with its",
        ),
        ("a.vtt", SRT, "must begin with `WEBVTT`"),
        ("a.vtt", "WEBVTT\n", "must hold `segments` with text"),
        ("a.srt", "1\n00:00:02,0 --> 00:00:01,0\nyes", r"must end after its start \(2\.0 s\)"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, name, text, message):
    with pytest.raises(TextError, match=message):
        read(tmp_path, name, text)
