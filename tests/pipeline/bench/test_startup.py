"""The benchmark of start-up: what it runs, and that a run that fails isn't a figure."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.bench.figures import Bench
from pipeline.bench.stages import benches
from pipeline.bench.startup import Tree, _clips, _compared, _cpu_s
from stages.audio.files import write_wav


def test_it_takes_four_clips_of_six_seconds_with_their_texts(tmp_path: Path) -> None:
    for number, seconds in enumerate([6.0, 3.0, 6.2, 5.8, 6.0, 9.0, 6.1]):
        path = tmp_path / "speech" / "g" / "s" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.zeros(round(seconds * 1000), np.float32), 1000)
        if number:
            path.with_suffix(".txt").write_text("Words.")
    found = _clips(Bench(tmp_path / "scratch", tmp_path / "speech"))
    assert sorted(path.name for path in found.rglob("*.wav")) == ["2.wav", "3.wav", "4.wav", "6.wav"]
    assert len(list(found.rglob("*.txt"))) == 4
    assert "startup" in benches()


def test_a_program_that_fails_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("def main(): raise SystemExit('out of order')")
    with pytest.raises(RuntimeError, match="the baseline: `wrong run` failed:\nout of order"):
        Tree("the baseline", tmp_path).call("wrong", "run", environment={})


def test_a_figure_is_the_least_of_several_runs_beside_the_baselines() -> None:
    costs = iter([3.0, 8.0, 2.0, 10.0])
    figure = _compared("work", lambda _: next(costs), lambda: None, lambda: None, most=0.3)
    assert figure.line().endswith("0.25 x f8e627e (8 s)  ≤ 0.3")
    assert _cpu_s(lambda: None) == pytest.approx(0, abs=1e-6)
