from stages.records import Segment, Transcript, Word
from stages.utterances.bounds import clear_of, cropped, is_apart

RECORDING = Transcript("a.wav", "", "a", 100, 500, "en", "json", timed=True)


def spoken(start: int, end: int, *words: Word, language: str = "") -> Segment:
    return Segment(start, end, "a", language, words)


def test_segments_are_cropped_to_the_recording_and_lose_words_outside_it() -> None:
    inside, late = Word("a", 0, 100), Word("a", 450, 501)
    segments = [spoken(-10, 100, inside), spoken(400, 600, late, language="de"), spoken(500, 600), spoken(-5, 0)]
    kept, rejects = cropped(RECORDING, segments)
    assert kept == [spoken(0, 100, inside, language="en"), spoken(400, 500, language="de")]
    assert [(reject.id, reject.reason) for reject in rejects] == [
        ("a.wav#500-600", "BadTimes"),
        ("a.wav#-5-0", "BadTimes"),
    ]


def test_margins_end_at_other_segments_and_pieces_stay_whole() -> None:
    piece = spoken(200, 300)
    assert clear_of([], (180, 320), piece) == (180, 320)
    assert clear_of([spoken(100, 190), spoken(305, 400)], (180, 320), piece) == (190, 305)
    assert clear_of([spoken(100, 210), spoken(290, 400)], (180, 320), piece) == (180, 320)
    assert is_apart(piece, [spoken(100, 200), spoken(300, 400)])
    assert not is_apart(piece, [spoken(299, 400)])
