"""`valle-prep g2p --explain TEXT`."""

import json
from pathlib import Path

import pytest

from pipeline.cli import app
from stages.errors import ExitCode, run_app


def explained(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run_app(app, ["g2p", "--explain", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_text_is_shown_from_writing_to_phonemes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = explained(capsys, "It cost $5. я", "--language", "English", "--json", "--out", tmp_path / "none")
    assert code == ExitCode.DONE
    found = json.loads(out)
    assert found["language"] == "en"
    assert found["spoken"] == "It cost five dollars. я"
    assert found["changes"] == [{"kind": "money", "written": "$5", "spoken": "five dollars"}]
    assert found["unread"] == ["я"]
    assert found["phonemes"].startswith("ɪt kˈɔst fˈaɪv dˈɑːlɚz.")
    assert not (tmp_path / "none").exists()


def test_the_lines_name_what_changed_what(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lexicon = tmp_path / "words.tsv"
    lexicon.write_text("en\tSQL\tsˈiːkwəl\n", encoding="utf-8")
    code, _, err = explained(capsys, "Read 5 lines of SQL.", "--set", f"g2p.lexicon={lexicon}", "--out", tmp_path)
    assert code == ExitCode.DONE
    assert [line.split(maxsplit=1)[0] for line in err.splitlines()] == [
        *("language", "text", "spoken", "lexicon", "cardinal", "phonemes"),
    ]
    assert "5 → five" in err
    assert "sˈiːkwəl." in err


def test_a_text_without_explain_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["g2p", "a text"]) == ExitCode.USAGE
    assert run_app(app, ["g2p", "--language", "de"]) == ExitCode.USAGE
    assert "--explain TEXT" in capsys.readouterr().err
