"""Stretches in which two speak are left out; what is said beside them is kept."""

from dataclasses import replace
from pathlib import Path

from stages.base import Context, Filtered
from stages.records import Segment, Transcript, Utterance, Word
from stages.slice import Slice, SliceConfig
from stages.utterances.overlaps import marks_of, parted

RATE = 100
WORDS = "One two three. Four five six."


def segment(start: int, text: str, *, words: bool = True, speaker: str | None = "anna") -> Segment:
    """A segment of words of half a second, half a second apart."""
    spoken = text.split()
    placed = tuple(Word(word, start + 100 * n, start + 100 * n + 50) for n, word in enumerate(spoken))
    return Segment(start, placed[-1].end_samples, text, "en", placed if words else (), speaker)


def mark(start: int, end: int) -> Segment:
    return Segment(start, end, "", "en", (), None)


def transcript(*segments: Segment, source: str = "whisperx", timed: bool = True) -> Transcript:
    return Transcript("a.wav", "g", "s", RATE, 4000, "en", source, timed, segments)


def cut(found: Transcript, **config: object) -> list[tuple[str, str]]:
    """Returns the text of each outcome, and why it was left out."""
    shared = {"measure": False, "finish_s": 0.0, "search_s": 0.0, "join_s": 0.0, "min_s": 0.1}
    [outcomes] = Slice(SliceConfig.model_validate({**shared, **config}), Context(Path())).process([found])
    told = []
    for one in outcomes:
        row = one.cut if isinstance(one, Filtered) else one
        assert row is None or isinstance(row, Utterance)
        told.append((row.text if row else "", getattr(one, "reason", "")))
    return told


def test_words_beside_an_overlap_are_kept() -> None:
    said = transcript(segment(0, WORDS), mark(210, 320))
    assert cut(said) == [("One two", ""), ("three. Four", "Overlap"), ("five six.", "")]


def test_an_overlap_in_a_pause_parts_a_segment() -> None:
    [outcomes] = Slice(SliceConfig(measure=False, finish_s=0.0, join_s=9.0, min_s=0.1), Context(Path())).process(
        [transcript(segment(0, WORDS), mark(255, 295))]
    )
    rows = [one for one in outcomes if isinstance(one, Utterance)]
    assert [row.text for row in rows] == ["One two three.", "Four five six."]
    assert rows[0].end_samples <= 255, "no margin reaches into it"
    assert rows[1].start_samples >= 295


def test_a_segment_whose_words_have_no_times_goes_as_a_whole() -> None:
    said = transcript(segment(0, WORDS, words=False), mark(210, 320), segment(700, "Seven eight.", words=False))
    assert cut(said) == [(WORDS, "Overlap"), ("Seven eight.", "")]
    assert cut(replace(said, timed=False), mode="file")[0][1] == "Overlap"


def test_an_overlap_without_text_is_told() -> None:
    assert cut(transcript(segment(0, WORDS), mark(2000, 2100))) == [(WORDS, ""), ("", "Overlap")]


def test_only_heard_recordings_have_marks() -> None:
    """In a given transcript a segment without text is a sound, whoever makes it."""
    said = transcript(segment(0, WORDS), mark(2000, 2100), source="json")
    assert marks_of(said) == []
    assert cut(said) == [(WORDS, ""), ("", "NoText")]


def test_every_word_is_in_one_part() -> None:
    segments = [segment(start, WORDS) for start in range(0, 3000, 600)]
    for step in (70, 130, 410):
        marks = [mark(at, at + 30) for at in range(10, 3000, step)]
        parts = parted(segments, marks)
        assert " ".join(part.text for part in parts) == " ".join([WORDS] * 5)
        assert [word for part in parts for word in part.words] == [word for one in segments for word in one.words]
        for part in parts:
            touched = any(
                one.start_samples < part.end_samples and part.start_samples < one.end_samples for one in marks
            )
            assert (part.speaker is None) == touched
