"""Captions that roll, grow or overlap are read once; people who repeat themselves are read twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.audio.files import AudioInfo
from stages.transcripts.rolling import Cue, each_line_once, without_overlap
from stages.transcripts.table import read_transcript

LINES = ["and so my fellow", "ask not what your", "country can do for you", "ask what you can do"]
AT = [0.5, 2.5, 5.0, 8.0, 10.5]
TWELVE_SECONDS = AudioInfo(1_000, 12_000, 1)


def cues(*rows):
    return [Cue(start, end, text) for start, end, text in rows]


def texts(found):
    return [" ".join(cue.text.split()) for cue in found]


def clock(seconds):
    return f"00:00:{seconds:06.3f}"


def youtube_vtt():
    """As yt-dlp saves automatic captions: each line above the next, with a flash between, and words with times."""
    rows, before = ["WEBVTT\nKind: captions\nLanguage: en\n"], " "
    for place, line in enumerate(LINES):
        start, end = AT[place], AT[place + 1] - 0.01
        words = line.split()
        step = (end - start) / len(words)
        timed = words[0] + "".join(f"<{clock(start + n * step)}><c> {word}</c>" for n, word in enumerate(words) if n)
        rows.append(f"{clock(start)} --> {clock(end)} align:start position:0%\n{before}\n{timed}\n")
        rows.append(f"{clock(end)} --> {clock(end + 0.01)} align:start position:0%\n{line}\n \n")
        before = line
    return "\n".join(rows)


def rolling_srt(*, joined):
    """The same as SubRip; some converters join the lines of a caption."""
    rows, before = [], ""
    for place, line in enumerate(LINES):
        start, end = clock(AT[place]), clock(AT[place + 1])
        shown = f"{before}{' ' if joined else chr(10)}{line}".strip()
        rows.append(f"{place + 1}\n{start} --> {end}\n{shown}\n".replace(".", ","))
        before = line
    return "\n".join(rows)


def json3():
    """Events whose windows overlap: each stays under the next."""
    events = []
    for place, line in enumerate(LINES):
        start, end = round(AT[place] * 1000), round(AT[min(place + 2, 4)] * 1000)
        first, *rest = line.split()
        segs = [{"utf8": first}, *({"utf8": f" {word}", "tOffsetMs": 300 * (n + 1)} for n, word in enumerate(rest))]
        events.append({"tStartMs": start, "dDurationMs": end - start, "wWinId": 1, "segs": segs})
        events.append({"tStartMs": end - 10, "dDurationMs": 10, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]})
    return json.dumps({"wireMagic": "pb3", "events": events})


def transcript_api():
    spans = zip(AT, AT[2:] + AT[-1:] * 2, LINES, strict=False)
    return json.dumps([{"text": line, "start": start, "duration": end - start} for start, end, line in spans])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vtt", youtube_vtt()),
        ("a.srt", rolling_srt(joined=False)),
        ("a.srt", rolling_srt(joined=True)),
        ("a.json3", json3()),
        ("a.json", transcript_api()),
    ],
    ids=["vtt", "srt", "srt-joined", "json3", "array"],
)
def test_each_line_once(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    script = read_transcript(tmp_path / name, TWELVE_SECONDS)
    assert [segment.text for segment in script.segments] == LINES
    starts = [segment.start_samples for segment in script.segments]
    assert starts == [500, 2500, 5000, 8000]
    for segment, after in zip(script.segments, [*starts[1:], 10_500], strict=True):
        assert after - 20 <= segment.end_samples <= after
    if name.endswith(("vtt", "json3")):
        assert [word.text for word in script.segments[1].words] == LINES[1].split()
        assert script.segments[1].words[0].start_samples == 2500
    taken = {one.kind: one.count for one in script.taken}
    assert taken == ({} if "js" in name else {"repeats": 7 if name == "a.vtt" else 3})


def test_captions_of_three_lines_and_growing_ones():
    rolled = cues((0, 1, "a b"), (1, 2, "a b\nc d"), (2, 3, "a b\nc d\ne f"), (3, 4, "c d\ne f\ng h"))
    found, repeats = each_line_once(rolled)
    assert texts(found) == ["a b", "c d", "e f", "g h"]
    assert repeats == 3
    grown = cues((0, 1, "and so"), (1, 2, "and so my"), (2, 3, "and so my fellow"), (3, 4, "ask not"))
    assert texts(each_line_once(grown)[0]) == ["and so", "my", "fellow", "ask not"]


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 1, "No."), (1, 2, "No."), (2, 3, "No!"), (3, 4, "Yes.")],
        [(0, 1, "I have a dream today."), (1, 2, "I have a dream today."), (2, 3, "So it is."), (3, 4, "That was it.")],
        [(0, 1, "seven"), (1, 2, "seven"), (2, 3, "seven")],
        [(0, 2, "Ich heiße Anna."), (2, 4, "Ich heiße Anna."), (4, 6, "Wie heißt du?"), (6, 8, "Wie heißt du?")],
        [(0, 1, "He saw the"), (1, 2, "the man."), (2, 3, "And went."), (3, 4, "Home.")],
        [(0, 1, "a b"), (5, 6, "a b\nc d"), (9, 10, "c d\ne f")],
    ],
)
def test_what_people_say_twice_is_kept(rows):
    assert each_line_once(cues(*rows)) == (cues(*rows), 0)


def test_two_people_at_once_keep_their_times():
    talk = [Cue(0, 3, "a", "Anna"), Cue(1, 4, "b", "Ben"), Cue(3.5, 6, "c", "Anna"), Cue(5, 8, "d", "Ben")]
    assert without_overlap(talk) == talk
    once = cues((0, 3, "a"), (2, 4, "b"), (4, 6, "c"), (6, 8, "d"))
    assert without_overlap(once) == once


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=8))
def test_nothing_new_is_lost_whatever_rolls(lines):
    shown = [Cue(n, n + 1.0, "\n".join(lines[max(0, n - 1) : n + 1])) for n in range(len(lines))]
    found, _ = each_line_once(shown)
    said = " ".join(texts(found)).split()
    assert set(" ".join(lines).split()) == set(said)
    assert [cue.start for cue in found] == sorted(cue.start for cue in found)
