from pathlib import Path

import pytest

from pipeline.cli import app
from stages.errors import run_app
from tests.stages.corpora.stand_in_voice import write_voice


def prep(*arguments: object) -> int:
    return run_app(app, [str(one) for one in arguments])


def test_a_list_is_spoken_and_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voice, texts = write_voice(tmp_path / "voice"), tmp_path / "texts.tsv"
    texts.write_text("one\tThe dog saw him.\ntwo\tGo home.\n")
    command = ["voices", tmp_path / "out", "--voice", "piper", "--texts", texts, "--weights", voice, "--seed", 3]
    assert prep(*command) == 0
    assert "2 recordings made in" in capsys.readouterr().err
    waves = sorted((tmp_path / "out").glob("*/*.wav"))
    assert [wave.stem for wave in sorted(waves, key=lambda one: one.stem)] == ["one", "two"]
    waves[0].unlink()
    assert prep(*command) == 0
    assert "1 recordings made, 1 were there in" in capsys.readouterr().err
    assert prep(*command[:-1], 4) == 2
    assert "made otherwise" in capsys.readouterr().err


def test_without_a_list_it_says_the_demo_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voice = write_voice(tmp_path / "voice")
    assert prep("voices", tmp_path / "out", "--voice", "piper", "--weights", voice, "--quiet") == 0
    assert len(list((tmp_path / "out").glob("*/demo-*.txt"))) == 10
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", [("--texts", "a.tsv"), ("--weights", "a.onnx"), ("--seed", "1"), ("--jobs", "2")])
def test_options_of_piper_alone_are_refused_for_espeak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    assert prep("voices", tmp_path / "out", *option) == 2
    assert "go with `--voice piper`" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
