"""Where two speak at once, by the turns of a diarisation."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from stages.audio.files import AudioInfo
from stages.errors import WeightsError
from stages.hearing.diarise import Diariser, overlaps, with_overlaps
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


def test_a_pipeline_that_cannot_be_had_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("An error happened while trying to locate the file on the Hub and we cannot\nfind it")

    module = ModuleType("whisperx.diarize")
    module.DiarizationPipeline = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "whisperx", ModuleType("whisperx"))
    monkeypatch.setitem(sys.modules, "whisperx.diarize", module)
    with pytest.raises(WeightsError) as raised:
        Diariser("some/pipeline")
    message = str(raised.value)
    assert "`some/pipeline`, which can't be loaded (no network reaches it)" in message
    assert "https://hf.co/some/pipeline and set `HF_TOKEN`" in message
    assert "`hf download some/pipeline --local-dir FOLDER`" in message
    assert "\n" not in message
    with pytest.raises(WeightsError, match=r"`transcribe.diarize_model` must be a folder .* isn't there"):
        Diariser(str(tmp_path / "missing"))
