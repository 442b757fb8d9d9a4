"""The preflight runs the real stages on a two-second sample and reports what fails before any long work."""

import shutil
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.config import STAGES, PrepConfig, build_stage
from pipeline.runner import estimate, shard
from pipeline.runner.preflight import Sample, try_sample
from stages.artefacts.manifest import CODEC
from stages.base import Context
from stages.codecs.table import codec_identity
from stages.config import load_config
from stages.errors import WeightsError
from stages.g2p import G2p
from stages.hearing.asr import weights
from stages.hearing.whisper import Result
from stages.records import Recording, to_line
from stages.transcribe import Transcribe
from tests.pipeline.conftest import EMBEDDED, prep


def sample(name: str, folder: Path, *sets: str) -> Sample:
    config = load_config(PrepConfig, None, [EMBEDDED[1], *sets])
    stage = build_stage(name, config, Context(folder, folder))
    return Sample(name, stage.config.model_dump_json(), stage.context)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_takes_the_sample(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = type(build_stage(name, PrepConfig(), Context(tmp_path)))
    honest, outcomes = stage.process, []
    monkeypatch.setattr(stage, "process", lambda self, items: outcomes.extend(found := honest(self, items)) or found)
    (tmp_path / "encode").mkdir()
    (tmp_path / "encode" / CODEC).write_text(to_line(codec_identity("embedded").to_json()))
    assert try_sample(sample(name, tmp_path, "slice.min_s=0.5", "mix.shift=true", "clean.cleaner=gate")) == []
    assert len(outcomes) == 1
    assert not hasattr(outcomes[0][0], "reason"), "the sample is a sound one"


def test_what_can_t_run_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(error: Exception) -> None:
        def process(*_: object) -> None:
            raise error

        monkeypatch.setattr(G2p, "process", process)

    raises(ImportError("No module named 'phonemizer'"))
    [problem] = try_sample(sample("g2p", tmp_path))
    assert problem.startswith("`g2p` needs a package that can't be imported: No module named 'phonemizer'")
    raises(WeightsError("no weights"))
    assert try_sample(sample("g2p", tmp_path)) == ["`g2p`: no weights"]
    raises(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError) as raised:
        try_sample(sample("g2p", tmp_path))
    assert "while `g2p` was tried on a two-second sample" in raised.value.__notes__[0]


def test_without_whisperx_what_to_install_is_told_where_something_is_to_be_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "whisperx"]:
        monkeypatch.delitem(sys.modules, name)  # of a test before
    monkeypatch.setitem(sys.modules, "whisperx", None)
    monkeypatch.setattr(weights, "find_model", lambda *_, **__: tmp_path)
    (tmp_path / "model.bin").touch()
    told = replace(sample("transcribe", tmp_path), config='{"vad": "pyannote"}')
    assert try_sample(told) == []
    [problem] = try_sample(replace(told, textless=True))
    assert problem.startswith("`transcribe`: `whisperx` is needed to transcribe and to align, but can't be loaded (")
    assert problem.endswith("run `pip install --no-deps -r .setup/nodeps.txt`.")


def test_the_sample_is_without_text_where_a_recording_is(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_be_heard(stage: Transcribe, items: list[Recording]) -> list[object]:
        if any(map(stage.hears, items)):
            raise WeightsError("whisperX can't hear")
        return [None for _ in items]

    monkeypatch.setattr(Transcribe, "process", to_be_heard)
    some = Path(shutil.copytree(voices, tmp_path / "voices"))
    next(some.rglob("*.txt")).unlink()
    assert prep("transcribe", some, "--out", tmp_path / "new", "--scheduler", "sync", "--quiet") == 1
    assert not list((tmp_path / "new").glob("transcribe/*")), "nothing was rejected for it"


def test_problems_of_stages_that_have_something_to_do_stop_the_run(
    voices: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(*_: object) -> None:
        raise ImportError("broken")

    monkeypatch.setattr(G2p, "process", process)
    shared = ("--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("run", voices, "--out", tmp_path / "new", *shared) == 1
    assert "`g2p` needs a package" in capsys.readouterr().err
    assert not list((tmp_path / "new").glob("transcribe/*.json")), "nothing long ran"
    assert prep("run", voices, "--out", copy, *shared) == 0, "nothing to do, nothing to try"


def test_too_little_room_is_told_before(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30, 2**30 - 2**16, 2**16))
    monkeypatch.setattr(estimate, "bytes_per_item", lambda *_: 2**20)
    assert prep("run", voices, "--out", tmp_path / "new", "--scheduler", "sync", "--quiet", *EMBEDDED) == 1
    line = capsys.readouterr().err
    assert "needs about 154 MiB for this run, but its disk has 0 MiB free" in line


def test_what_the_first_stage_loads_for_the_sample_serves_its_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    decoder = SimpleNamespace(multilingual=True)

    def load(self: Transcribe) -> None:
        if not self._recogniser:
            loaded.append(self.context.device)
            self._recogniser = SimpleNamespace(
                transcribe=lambda waves, _: [Result(None, [])] * len(waves), decoder=decoder
            )

    monkeypatch.setattr(Transcribe, "_load", load)
    made = replace(sample("transcribe", tmp_path), textless=True)
    context = replace(made.context, voices=tmp_path / "others")
    for first, device, expected in ((True, "cpu", 1), (False, "cpu", 2), (True, "cuda", 2)):
        loaded.clear()
        shard._ready_stage.cache_clear()
        assert try_sample(replace(made, first=first)) == []
        stage = shard._ready_stage("transcribe", made.config, replace(context, device=device), "")
        stage._load()
        assert len(loaded) == expected
        assert not shard._tried, "nothing is kept any longer than it is needed"
    shard._ready_stage.cache_clear()
