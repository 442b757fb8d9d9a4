"""Several texts for `valle synth`: what a list may hold, what is refused, and what comes out."""

import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.cli import main
from model.inference.guards.guard import Guard
from model.inference.lists import Order, read_orders, speak_orders
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.inference.voices import Voice
from model.training.trainer import train
from stages.audio.files import read, write_wav
from stages.codecs.table import codec_identity
from stages.errors import AudioError, UsageError
from tests.model.conftest import make_config, make_store

OUT = Path("out")
DEFAULT = Request("", Path("ref.wav"), "Said.", language="en", seed=7, max_s=0.4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists") / "run"
    config = make_config(trainer__out=str(folder), trainer__max_steps=1, data__max_s=2.0)
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    return folder


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    wave = np.sin(np.arange(24_000) / 20).astype(np.float32)
    write_wav(tmp_path / "ref.wav", wave, 24_000)
    return tmp_path / "ref.wav"


def listed(folder: Path, *rows: object, name: str = "texts.jsonl") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def test_a_line_is_a_text_and_the_files_are_numbered(tmp_path: Path) -> None:
    orders = read_orders(listed(tmp_path, "Hello there.", "", " Bye. ", name="texts.txt"), OUT, DEFAULT)
    assert [(order.request.text, order.out) for order in orders] == [
        ("Hello there.", OUT / "0001.wav"),
        ("Bye.", OUT / "0002.wav"),
    ]
    assert orders[1].line.endswith("texts.txt, line 3")
    first = orders[0].request
    assert (first.prompt, first.prompt_text, first.language, first.seed) == (Path("ref.wav"), "Said.", "en", 7)


def test_a_row_replaces_what_the_command_says(tmp_path: Path, reference: Path) -> None:
    rows = (
        {"text": "One."},
        {"text": "Two.", "ref": "ref.wav", "out": "a/two.wav", "seed": 1, "language": "de"},
        {"text": "Three.", "ref": str(reference), "ref_text": "Hear."},
        {"text": "Four.", "ref_text": "Other."},
        {"text": "Five.", "voice": "anna.safetensors"},
        {"text": "Six.", "voice": "anna.safetensors:0.5"},
    )
    anna = Voice(np.zeros((8, 30), np.uint16), codec_identity("embedded"), "a model", ("Zero.",))
    anna.save(tmp_path / "anna.safetensors")
    one, two, three, four, five, six = read_orders(listed(tmp_path, *rows), OUT, DEFAULT)
    assert one.request == Request("One.", Path("ref.wav"), "Said.", language="en", seed=7, max_s=0.4)
    assert two.request == Request("Two.", tmp_path / "ref.wav", None, language="de", seed=1, max_s=0.4)
    assert (one.out, two.out, three.out) == (OUT / "0001.wav", OUT / "a/two.wav", OUT / "0003.wav")
    assert (three.request.prompt, three.request.prompt_text) == (reference, "Hear.")
    assert (four.request.prompt, four.request.prompt_text) == (Path("ref.wav"), "Other.")
    assert (five.request.prompt, five.request.prompt_text) == (None, None)
    for order in (five, six):
        assert order.request.voice is not None
        assert order.request.voice.texts == ("Zero.",)
        np.testing.assert_array_equal(order.request.voice.codes_KP, anna.codes_KP)


def test_lines_name_voices_of_a_folder(tmp_path: Path, reference: Path) -> None:
    anna = Voice(np.zeros((8, 30), np.uint16), codec_identity("embedded"), "a model")
    anna.save(tmp_path / "kept" / "anna.safetensors")
    rows = {"text": "One.", "voice": "anna"}, {"text": "Two."}, {"text": "Three.", "ref": "ref.wav"}
    default = Request("", voice=anna)
    one, two, three = read_orders(listed(tmp_path, *rows), OUT, default, voices=tmp_path / "kept")
    assert one.request.voice not in {None, anna}
    assert two.request.voice is anna
    assert (three.request.voice, three.request.prompt) == (None, reference)
    with pytest.raises(UsageError, match=r"line 1: `--voice` must name a voice of .* but is `ben`. There are `anna`"):
        read_orders(listed(tmp_path, {"text": "a", "voice": "ben"}), OUT, default, voices=tmp_path / "kept")
    with pytest.raises(UsageError, match=r"line 1: `.*none` must be a voice"):
        read_orders(listed(tmp_path, {"text": "a", "voice": "none"}), OUT, default)
    with pytest.raises(UsageError, match="`ref_text` needs a `ref` on its line"):
        read_orders(listed(tmp_path, {"text": "a", "ref_text": "Said."}), OUT, default)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "must be a JSON object, but isn't JSON"),
        ("[1]", "must be a JSON object such as"),
        (
            {"txt": "a"},
            "`txt` is not a known key (text, ref, ref_text, voice, language, out, seed, retries, best_of). Did you mean"
            " `text`?",
        ),
        ({"ref": "ref.wav"}, "must have a `text`"),
        ({"text": " "}, "`text` must hold something"),
        ({"text": 3}, "`text` must be text, but is `3`"),
        ({"text": "a", "seed": "1"}, '`seed` must be a whole number, but is `"1"`'),
        ({"text": "a", "seed": True}, "`seed` must be a whole number, but is `true`"),
        ({"text": "a", "retries": 99}, "`retries` must be 0 (off) to 20, but is 99."),
        ({"text": "a", "best_of": "2"}, "`best_of` must be a whole number"),
        ({"text": "a", "ref": "none.wav"}, "`ref` must be a recording"),
        ({"text": "a", "ref": "texts.jsonl"}, "`ref` must be a recording"),
        ({"text": "a", "voice": "v", "ref": "ref.wav"}, "`voice` takes the place of `ref`"),
        ({"text": "a", "out": "../a.wav"}, "`out` must be a path below `OUT`"),
        ({"text": "a", "out": "/a.wav"}, "`out` must be a path below `OUT`"),
        ({"text": "a", "out": "a.mp3"}, "that ends in `.wav`"),
        ({"text": "a", "out": "0001.wav"}, "`out` must differ from line to line"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, reference: Path, row: object, message: str) -> None:
    path = listed(tmp_path, {"text": "Good."}, "", row)
    with pytest.raises(UsageError) as raised:
        read_orders(path, OUT, DEFAULT)
    assert str(raised.value).startswith(f"{path}, line 3: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_line_may_have_a_guard_of_its_own(tmp_path: Path) -> None:
    default = replace(DEFAULT, guard=Guard(retries=1, best_by="stt"))
    orders = read_orders(listed(tmp_path, {"text": "a"}, {"text": "b", "retries": 4, "best_of": 3}), OUT, default)
    assert [order.request.guard for order in orders] == [default.guard, Guard(4, 3, "stt")]


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_orders(listed(tmp_path, *["{"] * 12), OUT, DEFAULT)
    told = str(raised.value).splitlines()
    assert len(told) == 11
    assert told[-1] == "… and 2 more lines"


def test_a_list_needs_texts_a_voice_and_a_folder(tmp_path: Path) -> None:
    path = listed(tmp_path, "Hello.", name="a.txt")
    for out in ("out.wav", "-"):
        with pytest.raises(UsageError, match="`OUT` must be a folder"):
            read_orders(path, Path(out), DEFAULT)
    with pytest.raises(UsageError, match="must have a `ref`"):
        read_orders(path, OUT, Request(""))
    with pytest.raises(UsageError, match="is empty"):
        read_orders(listed(tmp_path, " ", name="b.txt"), OUT, DEFAULT)
    with pytest.raises(UsageError, match=r"can't be read.*give `-`"):
        read_orders(tmp_path / "none.txt", OUT, DEFAULT)
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_orders(tmp_path / "c.txt", OUT, DEFAULT)


def test_one_that_can_t_be_spoken_harms_no_other() -> None:
    class Speaker:
        def each(self, requests: Iterable[Request]) -> Iterator[str | AudioError]:
            return (AudioError("broken") if one.text == "bad" else one.text.upper() for one in requests)

    orders = [Order(Request(text), OUT, "") for text in ["a"] * 20 + ["bad"] + ["b"] * 20]
    found = [speech for _, speech in speak_orders(Speaker(), orders)]  # type: ignore[arg-type]
    assert found[:20] + found[21:] == ["A"] * 20 + ["B"] * 20
    assert isinstance(found[20], AudioError)


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command_speaks_a_list(
    run: Path, tmp_path: Path, reference: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ({"text": "Hello there.", "out": "x/hello.wav"}, {"text": "I see. And you?", "seed": 3, "ref": "ref.wav"})
    options = "--model", run, "--device", "cpu", "--max-s", "0.3"
    path, out = listed(tmp_path, *rows), tmp_path / "out"
    assert valle(monkeypatch, "synth", f"@{path}", "-", out, *options) == 2, "the first line has no voice"
    assert not out.exists()
    capsys.readouterr()
    assert valle(monkeypatch, "synth", f"@{path}", reference, out, *options, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["out"], row["line"]) for row in told] == [
        (str(out / "x/hello.wav"), f"{path}, line 1"),
        (str(out / "0002.wav"), f"{path}, line 2"),
    ]
    for row in told:
        wave, rate = read(Path(row["out"]))
        assert row["seconds"] == pytest.approx(len(wave) / rate, abs=1e-3)
    assert valle(monkeypatch, "synth", "I see. And you?", reference, tmp_path / "b.wav", *options, "--seed", "3") == 0
    assert (tmp_path / "b.wav").read_bytes() == (out / "0002.wav").read_bytes(), "as it would be spoken alone"
    capsys.readouterr()
    assert valle(monkeypatch, "synth", f"@{path}", reference, out, *options) == 0
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()] == ["1/2", "2/2"]
    assert f"{path}, line 2: note: cut at 0.29 s: this wasn't said" in shown.err


def test_a_list_is_spoken_in_kept_voices(
    run: Path, tmp_path: Path, reference: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--model", run, "--device", "cpu", "--max-s", "0.3", "--quiet"
    kept, out = tmp_path / "kept", tmp_path / "out"
    assert valle(monkeypatch, "voice", reference, kept / "anna.safetensors", "--model", run, "--quiet") == 0
    path = listed(tmp_path, {"text": "Hello there.", "voice": "anna"}, {"text": "I see.", "ref": "ref.wav"})
    assert valle(monkeypatch, "synth", f"@{path}", "-", out, *options, "--voices", kept) == 0, capsys.readouterr().err
    spoken = [(out / name).read_bytes() for name in ("0001.wav", "0002.wav")]
    texts = listed(tmp_path, "Hello there.", "I see.", name="a.txt")
    for given in ((reference, out), (out, "--voices", kept, "--voice", "anna")):
        assert valle(monkeypatch, "synth", f"@{texts}", *given, *options) == 0
        assert [(out / name).read_bytes() for name in ("0001.wav", "0002.wav")] == spoken
    capsys.readouterr()
    for given, told in {
        (path, "-", out, "--voices", kept, "--input-prompt-length", "0.2"): "are for the voice of the command",
        (path, reference, out, "--voices", kept, "--input-prompt-length", "0.2"): "are for the voice of the command",
        (path, "-", out, "--ref-text", "Said."): "A voice must be given",
    }.items():
        assert valle(monkeypatch, "synth", f"@{given[0]}", *given[1:], *options) == 2
        assert told in capsys.readouterr().err
    assert valle(monkeypatch, "synth", "Hello.", "-", out, *options) == 2
    assert "`-` as REF is for lists" in capsys.readouterr().err


def test_nothing_begins_while_a_line_can_t_be_spoken(
    run: Path, tmp_path: Path, reference: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed(tmp_path, {"text": "Hello."}, {"text": "Hallo.", "language": "de"}, {"text": "[pause]Hm."})
    assert valle(monkeypatch, "synth", f"@{path}", reference, tmp_path / "out", "--model", run, "--device", "cpu") == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert f"{path}, line 2: `language` must be one that" in told[0]
    assert f"{path}, line 3: A pause must be" in told[1]
    assert not (tmp_path / "out").exists()


def test_some_that_fail_make_it_3(
    run: Path, tmp_path: Path, reference: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Synthesizer, "each", lambda _, requests: (AudioError(one.text) for one in requests))
    path = listed(tmp_path, "Hello.", "There.", name="a.txt")
    command = "synth", f"@{path}", reference, tmp_path / "out", "--model", run, "--device", "cpu", "--json"
    assert valle(monkeypatch, *command) == 3
    shown = capsys.readouterr()
    assert [json.loads(line)["error"] for line in shown.out.splitlines()] == ["Hello.", "There."]
    assert "2 of 2 texts couldn't be spoken." in shown.err


class Pipe(io.TextIOWrapper):
    """A standard stream of bytes, as a pipe is."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def test_standard_input_is_spoken_to_standard_output(
    run: Path, tmp_path: Path, reference: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--model", run, "--device", "cpu", "--max-s", "0.3"
    assert valle(monkeypatch, "synth", "Zoo there.\nYes?", reference, tmp_path / "a.wav", *options) == 0
    capsys.readouterr()
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdin", Pipe(b"Zoo there.\nYes?"))
    monkeypatch.setattr(sys, "stdout", pipe)
    assert valle(monkeypatch, "synth", "-", reference, "-", *options) == 0
    assert pipe.buffer.getvalue() == (tmp_path / "a.wav").read_bytes(), "and nothing else"  # type: ignore[attr-defined]
    assert "note: the model guesses symbols" in capsys.readouterr().err
    assert valle(monkeypatch, "synth", "Hello.", reference, "-", *options, "--json") == 2
    assert "leave out `--json`" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Pipe(b"\xff"))
    assert valle(monkeypatch, "synth", "-", reference, tmp_path / "b.wav", *options) == 2
    assert "Standard input must be UTF-8" in capsys.readouterr().err
