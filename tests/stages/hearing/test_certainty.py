"""Each segment gets the certainty of the stretch in which it was heard."""

from stages.audio.files import AudioInfo
from stages.hearing.certainty import with_certainty, with_unheard
from stages.hearing.heard import Heard
from stages.records import Certainty, Segment
from stages.transcripts.script import Script


def heard(start: float, end: float, score: float, probability: float | None = 0.5) -> Heard:
    return Heard("text", start, end, score, 0.123456, 1.5, "en", probability)


def test_each_segment_gets_that_of_its_stretch() -> None:
    # three sentences in two stretches, the last moved outside both by an aligner
    spans = [(0, 100), (100, 310), (900, 950)]
    script = Script("en", tuple(Segment(start, end, "text", "en") for start, end in spans), timed=True)
    told = [heard(0, 1, -0.1), heard(1, 3, -0.2, None), heard(5, 8, -0.31234567)]
    found = with_certainty(script, told, 100)
    assert [segment.certainty for segment in found.segments] == [
        Certainty(-0.1, 0.1235, 1.5, "en", 0.5),
        Certainty(-0.2, 0.1235, 1.5, "en", None),
        Certainty(-0.3123, 0.1235, 1.5, "en", 0.5),
    ]
    assert [segment.text for segment in found.segments] == ["text"] * 3


def test_without_it_nothing_changes() -> None:
    script = Script("en", (Segment(0, 100, "text", "en"),), timed=True)
    assert with_certainty(script, [], 100) is script


def test_speech_in_which_nothing_was_heard_is_a_segment_without_text() -> None:
    script = Script("en", (Segment(200, 300, "text", "en"),), timed=True)
    audio = AudioInfo(100, 500, 1)
    found = with_unheard(script, [(0.5, 1.5), (4.0, 6.0), (5.0, 6.0)], audio)
    assert [(one.start_samples, one.end_samples, one.text) for one in found.segments] == [
        (50, 150, ""),
        (200, 300, "text"),
        (400, 500, ""),
    ]
    assert with_unheard(script, [], audio) is script
