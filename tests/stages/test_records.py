"""The records on disk: rows of earlier versions are still read correctly."""

import json
from dataclasses import replace

import pytest

from stages.corpora.layouts.table import LAYOUTS
from stages.records import BadSegment, Segment, Taken, Transcript, to_line
from stages.transcripts.table import READERS

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
