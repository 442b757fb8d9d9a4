"""`valle-prep formats` lists every row of the tables."""

import json

import pytest

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.table import LAYOUTS
from stages.transcripts.table import FORMATS, READERS
from tests.pipeline.conftest import prep


def test_it_lists_every_format_layout_and_suffix(capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("formats", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["transcripts"]] == list(FORMATS)
    assert told["order"] == list(READERS)
    assert {row["name"] for row in told["layouts"]} == set(LAYOUTS)
    assert set(told["audio"]) == SUFFIXES
    assert prep("formats") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*FORMATS, *LAYOUTS, *READERS, *SUFFIXES))
