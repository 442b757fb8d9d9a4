"""Transcripts as whisperX writes them: reading them again gives the same."""

import json

import pytest

from stages.artefacts.formats import Rows
from stages.artefacts.manifest import part_paths
from stages.audio.files import AudioInfo
from stages.errors import MissingInputError
from stages.exchange.source import Source
from stages.exchange.table import export
from stages.records import Segment, Transcript, Word
from stages.transcripts.table import read_transcript

RATE = 22_050
WORDS = (Word("Guten", 7, 9_001), Word("Tag,", 9_001, 20_011))
SEGMENTS = (
    Segment(7, 20_011, "Guten Tag,", "de", WORDS, "Anna"),
    Segment(30_001, 44_099, "dear all.", "en", (), "a/long:SPEAKER_01"),
)


def test_written_transcripts_are_read_again(tmp_path):
    rows = Rows(Transcript)
    transcripts = [
        Transcript(f"a/{name}", "", "a", RATE, 2 * RATE, "de", "whisperx", True, SEGMENTS)
        for name in ("long.m4a", "long.wav", "b.c.flac")
    ]
    with pytest.raises(MissingInputError, match="Run `valle-prep transcribe VOICES"):
        export("whisperx", Source(tmp_path, None), tmp_path / "out")
    (tmp_path / "transcribe").mkdir()
    rows.write(part_paths(tmp_path / "transcribe", "00000-of-00001", rows.parts), transcripts)
    (tmp_path / "transcribe" / "00000-of-00001.json").write_text("{}")
    assert export("whisperx", Source(tmp_path, None), tmp_path / "out") == 6
    paths = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [path.name for path in paths] == ["b.c.json", "long.json", "long.wav.json"]
    for path in paths:
        script = read_transcript(path, AudioInfo(RATE, 2 * RATE, 1))
        assert script.language == "de"
        assert [segment.language or "de" for segment in script.segments] == ["de", "en"]
        assert [(s.start_samples, s.end_samples, s.text, s.words, s.speaker) for s in script.segments] == [
            (s.start_samples, s.end_samples, s.text, s.words, s.speaker) for s in SEGMENTS
        ]
        assert [word["word"] for word in json.loads(path.read_text())["word_segments"]] == ["Guten", "Tag,"]
