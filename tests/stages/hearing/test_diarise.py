"""Where two speak at once, by the turns of a diarisation."""

import pytest

from stages.audio.files import AudioInfo
from stages.hearing.diarise import overlaps, with_overlaps
from stages.records import Segment
from stages.transcripts.script import Script


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([], []),
        ([(0.0, 2.0, "a"), (2.0, 3.0, "b")], []),
        ([(0.0, 2.0, "a"), (1.9, 3.0, "b")], []),  # shorter than 0.2 s
        ([(0.0, 2.0, "a"), (1.5, 3.0, "b")], [(1.5, 2.0)]),
        ([(0.0, 2.0, "a"), (1.0, 3.0, "a")], []),
        ([(0.0, 9.0, "a"), (1.0, 3.0, "b"), (2.0, 5.0, "c")], [(1.0, 5.0)]),
        ([(0.0, 9.0, "a"), (1.0, 2.0, "b"), (4.0, 5.0, "b")], [(1.0, 2.0), (4.0, 5.0)]),
    ],
)
def test_two_speak_where_turns_of_two_overlap(
    turns: list[tuple[float, float, str]], expected: list[tuple[float, float]]
) -> None:
    assert overlaps(turns) == expected


def test_a_script_is_marked_there() -> None:
    script = Script("en", (Segment(0, 500, "text", "en"),), timed=True)
    audio = AudioInfo(100, 800, 1)
    found = with_overlaps(script, [(1.0, 2.004), (7.0, 9.0), (8.5, 9.5)], audio)
    assert [(one.start_samples, one.end_samples, one.text, one.speaker) for one in found.segments] == [
        (0, 500, "text", ""),
        (100, 200, "", None),
        (700, 800, "", None),
    ]
