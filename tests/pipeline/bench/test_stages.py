"""The benchmarks of the stages: their table and the line of a figure."""

from pathlib import Path

import pytest

from pipeline.bench import stages as bench_stages
from pipeline.bench import store as bench_store
from pipeline.bench.figures import Figure


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        (Figure("reads", 115_800, "/s", 2_000, "groups", least=20), "57.9 x groups (2,000 /s)  ≥ 20"),
        (Figure("reads", 30_000, "/s", 2_000, "groups", least=20), "15 x groups (2,000 /s)  NOT ≥ 20"),
        (Figure("opening", 0.1, "s", most=0.5), "0.1 s        ≤ 0.5"),
        (Figure("opening", 0.6, "s", most=0.5), "0.6 s        NOT ≤ 0.5"),
        (Figure("precision", 0.71, least=0.68), "0.71          ≥ 0.68"),
        (Figure("speed", 14.0, "s/s"), "14 s/s"),
    ],
)
def test_a_figure_says_whether_it_is_what_it_must_be(figure: Figure, told: str) -> None:
    assert figure.line().endswith(told)


def test_the_table_is_run_by_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    for name, value in {"_UTTERANCES": 200, "_READS": 100, "_MANY": 300, "_ROUNDS": 1}.items():
        monkeypatch.setattr(bench_store, name, value)
    bench_stages.main(["store", "encode"])
    told = capsys.readouterr().out
    assert "random reads of 200 utterances" in told
    assert "opening 300 utterances in a new process" in told
    assert "not measured: it needs recordings" in told
    with pytest.raises(SystemExit):
        bench_stages.main(["nothing"])


def test_make_bench_runs_it() -> None:
    makefile = (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")
    assert "-m pipeline.bench.stages --speech $(SPEECH)" in makefile
