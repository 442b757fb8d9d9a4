"""The benchmark of a worker's memory, on minutes in place of hours."""

from pathlib import Path

import pytest

from pipeline.bench import memory
from pipeline.bench.figures import Bench
from stages.audio import sound
from stages.audio.files import listen
from stages.audio.tape import Tape


def test_it_works_on_whole_recordings_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_LOOP_S", 20)
    monkeypatch.setattr(memory, "_ENCODED", 1)
    monkeypatch.setattr(sound, "WHOLE_S", 10.0)
    loop = memory._loop(Bench(tmp_path, None))
    folder = memory._recording(tmp_path / "a", loop, 60 / 3600)
    heard = listen(folder / "anna/book.mp3")
    assert isinstance(heard.wave, Tape)
    assert heard.reading is None
    assert len(heard.wave) / heard.sample_rate == pytest.approx(60, abs=0.2)
    memory.work(folder)
    assert memory.peak_mib() > 50
