"""The records on disk: rows of earlier versions are still read correctly."""

import json
from dataclasses import replace

import pytest

from stages.corpora.layouts.table import LAYOUTS
from stages.records import BadSegment, Certainty, HeardAgain, Segment, Taken, Transcript, Utterance, to_line
from stages.transcripts.table import READERS
from stages.utterances.cuts import merged

TEXT = Transcript("a.wav", "g", "s", 8_000, 800, "en", "txt", timed=False, segments=(Segment(0, 800, "Hi.", "en"),))
LINE = (
    '{"id":"a.wav","group":"g","speaker":"s","sample_rate":8000,"samples":800,"language":"en","source":"txt",'
    '"timed":false,"segments":[{"start_samples":0,"end_samples":800,"text":"Hi.","language":"en","words":[],'
    '"speaker":""}],"digest":""}'
)


def test_a_transcript_without_misfit_is_written_as_before_the_field() -> None:
    assert to_line(TEXT.to_json()) == LINE


def test_what_was_taken_and_what_is_bad_is_kept() -> None:
    segments = (Segment(0, 400, "Hi.", "en", speaker=None), Segment(400, 800, "Yes.", "en", speaker="b"))
    bad = BadSegment("segments[1]", "must end", start_samples=3), BadSegment("segments[2]", "must start", "BadSegment")
    made = replace(TEXT, segments=segments, taken=(Taken("sounds", 2, ("[Music]",)),), bad=bad)
    assert Transcript.from_json(json.loads(to_line(made.to_json()))) == made


def test_certainty_is_kept_and_no_part_of_what_later_stages_see() -> None:
    sure = Certainty(-0.25, 0.5, 1.5, "en", 0.75)
    heard = replace(TEXT, segments=(Segment(0, 800, "Hi.", "en", certainty=sure),))
    assert Transcript.from_json(json.loads(to_line(heard.to_json()))) == heard
    assert heard.content() != TEXT.content(), "`slice` sees it"
    row = Utterance("a.wav", "a.wav", "g", "s", "en", 0, 800, 8_000, "Hi.")
    full = replace(row, certainty=sure, again=HeardAgain("Hi!", 0.0, 0.25, 1.0))
    assert Utterance.from_json(json.loads(to_line(full.to_json()))) == full
    assert "certainty" not in row.to_json()
    assert full.bare() == row
    assert full.content() == row.content()


def test_pieces_together_are_as_sure_as_the_least_sure() -> None:
    parts = [
        Segment(0, 100, "a", "en", certainty=Certainty(-0.2, 0.1, 1.0, "en", 0.9)),
        Segment(100, 200, "b", "en", certainty=Certainty(-0.9, 0.0, 0.5, "de", 0.4)),
        Segment(200, 300, "c", "en", certainty=Certainty(-0.1, 0.6, 2.0, "en")),
        Segment(300, 400, "d", "en"),
    ]
    assert merged(parts).certainty == Certainty(-0.9, 0.6, 2.0, "de", 0.4)
    assert merged(parts[3:]).certainty is None


@pytest.mark.parametrize("aligner", ["pocketsphinx", "wav2vec2"])
@pytest.mark.parametrize("source", ["txt", "textgrid", "kaldi"])
def test_a_misfit_of_an_older_dataset_stays_one(source: str, aligner: str) -> None:
    old = {**TEXT.to_json(), "source": f"{source}-{aligner}"}
    read = Transcript.from_json(old)
    assert (read.source, read.misfit) == (source, aligner)
    assert read.to_json() == {**old, "source": source, "misfit": aligner}
    assert Transcript.from_json(read.to_json()) == read


@pytest.mark.parametrize("source", ["my-layout", "my-layout+pocketsphinx", "txt+wav2vec2", "a-b-c", "pocketsphinx"])
def test_a_hyphen_in_the_source_is_no_misfit(source: str) -> None:
    read = Transcript.from_json({**TEXT.to_json(), "source": source})
    assert (read.source, read.misfit) == (source, None)


def test_no_source_ends_as_a_misfit_did() -> None:
    names = [*LAYOUTS, *(suffix[1:] for suffix in READERS)]
    assert not [name for name in names if name.endswith(("-pocketsphinx", "-wav2vec2"))]
