"""A line whose times can't be read costs its own segment, and no cut reaches into where that may lie."""

from pathlib import Path

import pytest

from stages.audio.files import AudioInfo
from stages.base import Context, Filtered, Reject
from stages.records import BadSegment, Segment, Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.transcripts.script import Script
from stages.transcripts.table import read_transcript

RATE = 1_000
MINUTE = AudioInfo(RATE, 60 * RATE, 1)

SRT = """1
00:00:01,000 --> 00:00:02,000
one

2
{times}
two

3
00:00:05,000 --> 00:00:06,000
three
"""
FORMATS = {
    "a.srt": SRT,
    "a.vtt": f"WEBVTT\n\n{SRT}",
    "a.txt": "1.0\t2.0\tone\n{times}\ttwo\n5.0\t6.0\tthree\n",
    "a.stm": "a 1 s 1.0 2.0 one\n{times} two\na 1 s 5.0 6.0 three\n",
    "a.tsv": "start\tend\ttext\n1000\t2000\tone\n{times}\ttwo\n5000\t6000\tthree\n",
    "a.sbv": "0:00:01.000,0:00:02.000\none\n\n{times}\ntwo\n\n0:00:05.000,0:00:06.000\nthree\n",
    "a.ttml": (
        '<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="1s" end="2s">one</p>'
        '<p begin="{times}" end="4s">two</p><p begin="5s" end="6s">three</p></div></body></tt>'
    ),
    "b.txt": "[00:00:01.000 --> 00:00:02.000] one\n{times} two\n[00:00:05.000 --> 00:00:06.000] three\n",
}


def read(folder: Path, name: str, text: str) -> Script:
    (folder / name).write_text(text, encoding="utf-8")
    return read_transcript(folder / name, MINUTE)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("a.srt", "00:00:0x,000 --> 00:00:04,000"),
        ("a.srt", "00:00:03,000 --> "),
        ("a.srt", "00:00:03,000 -> 00:00:04,000"),  # not an arrow
        ("a.srt", "00.00.03 00.00.04"),
        ("a.vtt", "00:00:0x.000 --> 00:00:04.000"),
        ("a.vtt", "3 --> 4"),
        ("a.txt", "3,o\t4.0"),
        ("a.stm", "a 1 s 3.0"),
        ("a.tsv", "3000\t4s"),
        ("a.sbv", "0:00:0x.000,0:00:04.000"),
        ("a.ttml", "3 o'clock"),
        ("b.txt", "[00:00:0x.000 --> 00:00:04.000]"),
    ],
)
def test_only_that_segment_is_lost(name: str, times: str, tmp_path: Path) -> None:
    script = read(tmp_path, name, FORMATS[name].format(times=times))
    assert [(s.start_samples, s.end_samples, s.text) for s in script.segments] == [
        (1_000, 2_000, "one"),
        (5_000, 6_000, "three"),
    ]
    [bad] = script.bad
    assert (bad.reason, bad.start_samples, bad.end_samples) == ("BadTimes", 2_000, 5_000)
    assert times.split("\t", maxsplit=1)[0][:5] in bad.why
    assert "must" in bad.why


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_a_text_that_may_go_on_after_an_empty_line_is_lost_whole(name: str, tmp_path: Path) -> None:
    text = FORMATS[name].format(times="00:00:03,000 --> 00:00:04,000").replace("two", "two and\n\na half")
    script = read(tmp_path, name, text)
    assert [segment.text for segment in script.segments] == ["one", "three"]
    assert "its text may go on: line" in script.bad[0].why
    assert "`a half`" in script.bad[0].why


def test_without_an_end_the_text_before_is_lost_too(tmp_path: Path) -> None:
    lines = ["[00:01] one", "[00:03] two", "[0x:05] - [00:06] three", "[00:07] four", "[00:09] five"]
    script = read(tmp_path, "a.txt", "\n".join(lines))
    assert [segment.text for segment in script.segments] == ["one", "four", "five"]
    assert [bad.why[:20] for bad in script.bad] == ["its end isn't known:", "line 3 must begin wi"]


def test_at_the_ends_the_room_is_the_recordings(tmp_path: Path) -> None:
    broken = "9\n00:00:0x,000 --> 00:00:04,000\nlost\n\n"
    whole = SRT.format(times="00:00:03,000 --> 00:00:04,000")
    script = read(tmp_path, "a.srt", f"{broken}{whole}\n{broken}")
    assert [(bad.start_samples, bad.end_samples) for bad in script.bad] == [(0, 1_000), (6_000, 60_000)]


@pytest.mark.parametrize(
    ("bad", "texts"),
    [
        (None, ["one. two."]),
        (BadSegment("segments[1]", "why", start_samples=2_500), ["one.", "two."]),
        (BadSegment("segments[1]", "why", start_samples=2_000, end_samples=3_000), ["one.", "two."]),
        (BadSegment("segments[1]", "why"), ["one. two."]),  # nobody knows where
        (BadSegment("segments[1]", "why", start_samples=3_500), ["one. two."]),  # within the second one
        (Segment(2_200, 2_800, "", "en"), ["one.", "two."]),
    ],
)
def test_no_cut_joins_over_speech_without_text(bad: BadSegment | Segment | None, texts: list[str]) -> None:
    said = [Segment(500, 2_000, "one.", "en"), Segment(3_000, 4_500, "two.", "en")]
    said += [bad] if isinstance(bad, Segment) else []
    told = (bad,) if isinstance(bad, BadSegment) else None
    source = Transcript("a.wav", "", "a", RATE, 5_000, "en", "srt", True, tuple(said), bad=told)
    made = Slice(SliceConfig(measure=False, finish_s=0.0), Context(Path("nowhere")))
    [outcomes] = made.process([source])
    rows = [outcome for outcome in outcomes if isinstance(outcome, Utterance)]
    assert [row.text for row in rows] == texts
    assert all(isinstance(outcome, Utterance | Filtered | Reject) for outcome in outcomes)
    if isinstance(bad, BadSegment) and bad.end_samples:
        assert (rows[0].end_samples, rows[1].start_samples) == (2_000, 3_000)
