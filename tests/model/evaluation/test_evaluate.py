"""`valle eval` with a genuine untaught model and the embedded codec, on real recordings or tones."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

import model.inference.ensemble
from model.cli import main
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY
from model.evaluation.evaluate import RESYNTHESIS, SYSTEMS, TRUTH, evaluate, summarise, table
from model.evaluation.judges import JUDGES, SAMPLE_RATE, Column, Judge
from model.evaluation.metrics import Interval
from model.evaluation.protocols import Trial, read_trials
from model.inference.synthesizer import Synthesizer
from model.option_groups import with_options
from model.options import JudgeOptions
from model.training.trainer import train
from stages.artefacts.lock import EXCLUSIVE, take
from stages.audio.files import probe, read, read_at, write_wav
from stages.codecs.table import codec_identity
from stages.errors import ArtefactError, LockedError, StoppedError, UsageError, WeightsError
from stages.listeners.resemblyzer import Resemblyzer
from stages.records import Wave
from tests.model.conftest import make_config, make_store
from tests.model.inference.test_synthesizer import taught
from tests.typed_json import quoted

SENTENCES = {
    "1-1-0000": "Good morning to you all.",
    "1-1-0001": "It's late, isn't it?",
    "1-1-0002": "Nobody knows the time.",
    "2-1-0000": "Here is another voice.",
    "2-1-0001": "And it says two things.",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    modes = dict.fromkeys(("ar", "nar", "nar-len", "len"), 1.0)
    data = {"data__max_s": 0.8, "data__modes": modes, "data__unconditional_probability": 0.1}
    config = make_config(trainer__out=str(folder), trainer__max_steps=2, **data)
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    return folder


@pytest.fixture(scope="module")
def voice(run: Path) -> Synthesizer:
    return Synthesizer.load(run)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of 4.5 s in LibriSpeech's tree, each of its own, with the lists of the LibriSpeech protocols."""
    root = tmp_path_factory.mktemp("corpus")
    time_s = np.arange(int(4.5 * SAMPLE_RATE)) / SAMPLE_RATE
    for number, name in enumerate(SENTENCES):
        tone = 0.3 * np.sin(2 * np.pi * (200 + 30 * number) * time_s * (1 + 0.1 * time_s))
        write_wav(root / name[0] / name[2] / f"{name}.wav", tone.astype(np.float32), SAMPLE_RATE)
    pairs = [("1-1-0001", "1-1-0000"), ("1-1-0000", "1-1-0002"), ("2-1-0001", "2-1-0000")]
    lines = [f"{ref}\t4.5\t{SENTENCES[ref]}\t{name}\t4.5\t{SENTENCES[name]}\n" for ref, name in pairs]
    (root / "ls-pc.lst").write_text("".join(lines), encoding="utf-8")
    plain = "".join(f"{name} {text.upper().strip('.?')}\n" for name, text in SENTENCES.items())
    for protocol in ("ls-valle", "ls-valle-continual"):
        (root / f"{protocol}.lst").write_text(plain, encoding="utf-8")
    return root


class Knowing:
    """A recogniser that knows the recordings, and of every other wave says that it hears nothing."""

    name = "knows the recordings"

    def __init__(self, trials: list[Trial]) -> None:
        self._texts = {read_at(trial.truth, SAMPLE_RATE).tobytes(): trial.text for trial in trials if trial.truth}

    def check(self, languages: Iterable[str]) -> None:
        if strange := set(languages) - {"en"}:
            raise WeightsError(f"it knows only English, not {min(strange)}")

    def hear(self, wave: Wave, language: str) -> str:
        assert language == "en"
        return self._texts.get(wave.tobytes(), "")


class Listing:
    """A speaker verifier that remembers what it was given."""

    name = "remembers"

    def __init__(self) -> None:
        self.waves: list[Wave] = []

    def embed(self, wave: Wave) -> Any:
        self.waves.append(wave)
        return np.array([1, 0], np.float32)


@pytest.mark.parametrize("protocol", ["ls-pc", "ls-valle", "ls-valle-continual"])
def test_the_truth_is_right_and_silence_is_all_wrong(
    protocol: str, voice: Synthesizer, corpus: Path, tmp_path: Path
) -> None:
    trials = read_trials(protocol, corpus / f"{protocol}.lst", limit=3)
    report = evaluate(voice, protocol, trials, {"recogniser": Knowing(trials), "speaker": Resemblyzer()}, out=tmp_path)
    assert report["utterances"] == 3
    assert tuple(report["systems"]) == SYSTEMS
    for system, wrong in zip(SYSTEMS, (0, 1, 1), strict=True):
        summary = report["systems"][system]
        for rate in ("wer", "cer", "per"):
            assert summary[rate] == {"mean": wrong, "low": wrong, "high": wrong}, (system, rate)
        assert summary["wer_corpus"] == wrong
        assert -1 <= summary["sim_o"]["low"] <= summary["sim_o"]["high"] <= 1
    assert report["systems"][RESYNTHESIS]["sim_o"]["mean"] <= report["systems"][TRUTH]["sim_o"]["mean"] + 0.3
    model = report["systems"]["model"]
    assert model["rtf"] > 0
    assert "rtf" not in report["systems"][TRUTH]
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["id"], row["system"]) for row in rows] == [(one.id, system) for one in trials for system in SYSTEMS]
    assert json.loads((tmp_path / "report.json").read_text()) == report
    waves = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav")}
    assert waves == {f"{system}/{one.id}.wav" for one in trials for system in SYSTEMS}
    assert model["cut"] == sum(row["cut"] for row in rows if row["system"] == "model")
    own_s = {row["id"]: row["duration_s"] for row in rows if row["system"] == "model"}
    for one in trials:
        info = probe(tmp_path / "model" / f"{one.id}.wav")
        prompt_s = 3.0 if one.continues else 0.0
        assert info.samples / info.sample_rate == pytest.approx(prompt_s + own_s[one.id], abs=0.02)


def test_the_voice_of_a_continuation_is_judged_after_its_prompt(voice: Synthesizer, corpus: Path) -> None:
    (trial,) = read_trials("ls-valle-continual", corpus / "ls-valle-continual.lst", limit=1)
    assert trial.truth is not None
    judge = Listing()
    evaluate(voice, "ls-valle-continual", [trial], {"speaker": judge})
    truth, rate = read(trial.truth)
    prompt, resynthesised, own_truth, own_resynthesis, own_model = judge.waves
    assert np.array_equal(prompt, truth[: 3 * rate])
    assert np.array_equal(own_truth, truth[3 * rate :])
    assert len(resynthesised) == pytest.approx(3 * rate, abs=rate // 75)
    assert len(own_resynthesis) == pytest.approx(1.5 * rate, abs=rate // 75)
    script, _ = voice.script(trial.text, "en")
    longest_s = len(script.parts) * voice.checkpoint.lengths.longest_frames / 75
    pauses_s = sum(part.pause_s for part in script.parts)
    assert len(own_model) <= (longest_s + pauses_s) * rate + 1, "as long as the model may speak"


def test_what_was_never_taught_is_refused_before_anything_is_spoken(
    voice: Synthesizer, corpus: Path, tmp_path: Path
) -> None:
    trials = read_trials("ls-valle-continual", corpus / "ls-valle-continual.lst", limit=1)
    with pytest.raises(UsageError, match="was never trained to continue a prompt"):
        evaluate(taught(voice, continuation_probability=0.0), "ls-valle-continual", trials, {}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_seed_one_report(voice: Synthesizer, corpus: Path, tmp_path: Path) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst", limit=2)
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        evaluate(voice, "ls-pc", trials, {}, seed=seed, out=tmp_path / name)
    waves = {name: (tmp_path / name / "model/1-1-0000.wav").read_bytes() for name in "abc"}
    assert waves["a"] == waves["b"] != waves["c"]
    alone, greedily = [replace(trials[0], truth=None)], Decoding(ar=GREEDY)
    for seed in (1, 2):
        evaluate(voice, "ls-pc", alone, {}, seed=seed, decoding=greedily, out=tmp_path / str(seed))
    greedy = [next((tmp_path / name / "model").iterdir()).read_bytes() for name in "12"]
    assert greedy[0] == greedy[1], "speaks as it is told to"
    evaluate(voice, "ls-pc", trials[1:], {}, seed=1, out=tmp_path / "d")
    again = (tmp_path / "d/model/1-1-0002.wav").read_bytes()
    assert again == (tmp_path / "a/model/1-1-0002.wav").read_bytes(), "whatever stands before it"


def test_without_recordings_the_model_stands_alone(voice: Synthesizer, corpus: Path, tmp_path: Path) -> None:
    lines = "one|It's late.|1/1/1-1-0000.wav|Say this.\ntwo|It's late.|1/1/1-1-0000.wav|And this.\n"
    (tmp_path / "meta.lst").write_text(lines)
    trials = read_trials("seed-tts", tmp_path / "meta.lst", root=corpus)
    report = evaluate(voice, "seed-tts", trials, {})
    assert list(report["systems"]) == ["model"]
    assert "no rows for ground truth and resynthesis: 2 of 2 recordings" in report["notes"][1]
    assert report["notes"][0] == (
        "not measured: error rates (--asr), speaker similarity (--speaker), DNSMOS (--dnsmos)"
    )


def test_weights_in_8_bits_are_told(run: Path, corpus: Path) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst")[:1]
    report = evaluate(Synthesizer.load(run, quantize="int8"), "ls-pc", trials, {})
    assert report["decoding"] == "ar, temperature 1, int8"
    assert "1 utterances, ar, temperature 1, int8, seed 0" in table(report)


def test_mistakes_are_told_before_anything_is_spoken(voice: Synthesizer, corpus: Path, tmp_path: Path) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst")
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(UsageError, match="without an evaluation"):
        evaluate(voice, "ls-pc", trials, {}, out=tmp_path)
    mute = Trial("mute", "?!", "en", trials[0].prompt, "", None)
    with pytest.raises(UsageError, match=r"`mute` must have words to be recognised, but its text is `\?!`"):
        evaluate(voice, "ls-pc", [*trials, mute], {"recogniser": Knowing(trials)}, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


class Stopping(Listing):
    """A speaker verifier at which somebody presses Ctrl-C when it is given its `after`-th wave."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def embed(self, wave: Wave) -> Any:
        if len(self.waves) == self.after:
            raise KeyboardInterrupt
        super().embed(wave)
        return np.array([np.cos(wave.sum()), np.sin(wave.sum())], np.float32)


WAVES = 5
"""That the verifier is given of an utterance: two of the prompt, one a system."""


@pytest.fixture
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """All takes no time, so that two runs tell the same seconds of computing."""
    monkeypatch.setattr(model.inference.ensemble, "time", SimpleNamespace(perf_counter=lambda: 0.0))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("timeless")
def test_an_interrupted_evaluation_goes_on_and_ends_as_an_uninterrupted_one(
    voice: Synthesizer, corpus: Path, tmp_path: Path
) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst")
    whole = evaluate(voice, "ls-pc", trials, {"speaker": Stopping(-1)}, out=tmp_path / "whole")
    out = tmp_path / "again"
    for after, done in ((0, 0), (WAVES + 4, 1), (WAVES, 2)):
        with pytest.raises(StoppedError) as stop:
            evaluate(voice, "ls-pc", trials, {"speaker": Stopping(after)}, out=out)
        told = f"interrupted after {done} of 3 utterances: they are kept in `{out}`. Run the same command to continue."
        assert str(stop.value) == told
    with (out / "rows.jsonl").open("ab") as file:
        file.write(b'{"system": "ground-truth", "id": "1-1-00')
    judge = Stopping(-1)
    report = evaluate(voice, "ls-pc", trials, {"speaker": judge}, out=out)
    assert len(judge.waves) == WAVES, "the two that are there aren't judged again"
    assert table(report) == table(whole)
    assert report == whole
    assert files_of(out) == files_of(tmp_path / "whole")
    assert evaluate(voice, "ls-pc", trials, {"speaker": Stopping(0)}, out=out) == whole, "nothing is left to do"


@pytest.mark.usefixtures("timeless")
def test_rows_of_another_evaluation_are_refused_or_removed(
    voice: Synthesizer, run: Path, corpus: Path, tmp_path: Path
) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst")
    out = tmp_path / "out"
    evaluate(voice, "ls-pc", trials, {}, out=out)
    before = files_of(out)
    changed: dict[str, dict[str, Any]] = {
        "seed: 0 -> 1": {"seed": 1},
        "decoding: ar, temperature 1": {"decoding": Decoding(ar=GREEDY)},
        "judges: none, none, none -> none, remembers, none": {"judges": {"speaker": Listing()}},
        "utterances: ": {"trials": trials[1:]},
        "protocol: ls-pc -> seed-tts": {"protocol": "seed-tts"},
    }
    for told, other in changed.items():
        asked = {"protocol": "ls-pc", "trials": trials, "judges": {}, **other}
        with pytest.raises(UsageError, match=rf"must hold the same evaluation .*\({told}.*start over with `--fresh`"):
            evaluate(voice, out=out, **asked)
    with pytest.raises(UsageError, match=r"\(device: cpu, torch.float32 -> cpu, torch.float32, int8\)"):
        evaluate(Synthesizer.load(run, quantize="int8"), "ls-pc", trials, {}, out=out)
    shutil.copytree(run, tmp_path / "taught")
    weights = next((tmp_path / "taught").rglob("model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UsageError, match=r"\(model: "):
        evaluate(Synthesizer.load(tmp_path / "taught"), "ls-pc", trials, {}, out=out)
    assert files_of(out) == before
    (out / "mine.txt").write_text("kept")
    evaluate(voice, "ls-pc", trials[:1], {}, out=out, fresh=True)
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        *("mine.txt", "rows.jsonl", "report.json", "identity.json"),
        *(f"{system}/{trials[0].id}.wav" for system in SYSTEMS),
    }


def test_damaged_rows_and_a_second_evaluation_are_told(voice: Synthesizer, corpus: Path, tmp_path: Path) -> None:
    trials = read_trials("ls-pc", corpus / "ls-pc.lst")
    evaluate(voice, "ls-pc", trials, {}, out=tmp_path)
    rows = (tmp_path / "rows.jsonl").read_bytes()
    first, second = rows.splitlines(keepends=True)[:2]
    for damaged, told in ((b"{\n" + rows, "line 1 can't be read as a row"), (second + first, "line 1 is of 1-1-0000")):
        (tmp_path / "rows.jsonl").write_bytes(damaged)
        with pytest.raises(ArtefactError, match=told):
            evaluate(voice, "ls-pc", trials, {}, out=tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(rows)
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"identity.json` must hold an evaluation's identity"):
        evaluate(voice, "ls-pc", trials, {}, out=tmp_path)
    lock = take(tmp_path / ".eval.lock", EXCLUSIVE)
    assert lock is not None
    with pytest.raises(LockedError, match="is being written to"):
        evaluate(voice, "ls-pc", trials, {}, out=tmp_path, fresh=True)
    os.close(lock)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="`--out` must be a folder that can be written to"):
        evaluate(voice, "ls-pc", trials, {}, out=tmp_path / "file")


def test_numbers_and_table_are_those_of_the_rows() -> None:
    rows = [
        {
            "wer": 0.5,
            "cer": 0.1,
            "per": 0.2,
            "words": 2,
            "word_errors": 1,
            "compute_s": 3.0,
            "duration_s": 1.0,
            "cut": True,
        },
        {
            "wer": 0.0,
            "cer": 0.1,
            "per": 0.2,
            "words": 8,
            "word_errors": 0,
            "compute_s": 1.0,
            "duration_s": 1.0,
            "cut": False,
        },
    ]
    summary = summarise(rows)
    assert summary["wer"]["mean"] == 0.25, "of utterances"
    assert summary["wer_corpus"] == 0.1, "of words"
    assert (summary["rtf"], summary["cut"]) == (2.0, 1)
    assert Interval(**summary["cer"]) == Interval(*[pytest.approx(0.1)] * 3)
    report = {
        **{"protocol": "ls-pc", "utterances": 2, "seed": 0, "model": "run", "notes": ["all is well"]},
        "decoding": str(Decoding()),
        "judges": {"recogniser": "ears"},
        "systems": {"model": summary},
    }
    lines = table(report).splitlines()
    assert lines[0] == "ls-pc: 2 utterances, ar, temperature 1, seed 0, run"
    assert lines[1].split("  ")[-1] == "RTF"
    assert lines[2].startswith("model  25.0 [0.0, 50.0]  10.0 [10.0, 10.0]  20.0 [20.0, 20.0]  2.00")
    assert lines[-2:] == ["recogniser: ears", "note: all is well"]


class Loudness:
    """A judge of quality that scores the loudest sample."""

    name = "loudness"

    def __init__(self, factor: str) -> None:
        self.factor = float(factor)

    def score(self, wave: Wave) -> dict[str, float]:
        return {"peak": self.factor * float(np.abs(wave).max())}


def test_a_new_judge_is_a_row_of_the_table(
    voice: Synthesizer, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Judge(
        *("loudness", "quality"),
        **{"measures": "loudness", "option": "loud_by", "kind": str, "default": "none", "help": "A factor, or none."},
        columns={"peak": Column("PEAK %", 100, 0)},
        load=lambda value, device: None if value == "none" else Loudness(value),
    )
    ears = replace(JUDGES["recogniser"], name="more ears", option="more_ears", prefix="more_", load=lambda *_: None)
    for one in (row, replace(ears, columns={"wer": Column("WER again %", 100, 1)})):
        monkeypatch.setitem(JUDGES, one.name, one)
    app, loaded = typer.Typer(), []

    @app.command()
    @with_options
    def score(*, scored: JudgeOptions) -> None:
        loaded.append(scored.load("cpu"))

    monkeypatch.setattr(sys, "argv", ["score", "--asr", "none", "--loud-by", "0.5"])
    with pytest.raises(SystemExit):
        app()
    (judges,) = loaded
    assert list(judges) == ["loudness"]
    trials = read_trials("ls-pc", corpus / "ls-pc.lst", limit=1)
    judges = {"recogniser": Knowing(trials), "more ears": Knowing([]), **judges}
    report = evaluate(voice, "ls-pc", trials, judges, out=tmp_path)
    assert report["judges"] == {**dict.fromkeys(("recogniser", "more ears"), Knowing.name), "loudness": "loudness"}
    truth = report["systems"][TRUTH]
    assert truth["peak"]["mean"] == pytest.approx(0.15, abs=0.01)
    assert (truth["wer"]["mean"], truth["more_wer"]["mean"]) == (0, 1)
    assert (truth["wer_corpus"], truth["more_wer_corpus"]) == (0, 1)
    heads, first = table(report).splitlines()[1:3]
    assert " ".join(heads.split()).endswith("PER % PEAK % WER again % RTF")
    assert "15 [15, 15]" in first
    assert json.loads((tmp_path / "identity.json").read_text())["judges"] == (
        f"{Knowing.name}, none, none, loudness, {Knowing.name}"
    )
    assert report["notes"] == ["not measured: speaker similarity (--speaker), DNSMOS (--dnsmos)"]


@pytest.fixture
def valle(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return call


def test_the_command_shows_a_table_or_json(
    valle: Callable[..., int], run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "eval", "--list", corpus / "ls-pc.lst", "--protocol", "ls-pc", "--model", run, "--device", "cpu"
    how = "--mode", "nar-len", "--steps", 2, "--guidance", 1.5, "--temperature", 0.5, "--top-k", 9, "--top-p", 0.9
    assert valle(*words, "--asr", "none", "--speaker", "resemblyzer", "--limit", 2, *how, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["decoding"] == "nar-len, 2 steps, guidance 1.5, temperature 0.5, top-k 9, top-p 0.9"
    assert report["utterances"] == 2
    assert not list(quoted(report))
    assert "stand-in" in report["judges"]["speaker"]
    (tmp_path / "list").write_bytes((corpus / "ls-pc.lst").read_bytes())
    moved = "eval", "--list", tmp_path / "list", *words[3:], "--asr", "none", "--limit", 1
    assert valle(*moved, "--root", corpus, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[2:5]] == list(SYSTEMS)
    assert (tmp_path / "out/report.json").is_file()
    assert valle(*moved) == 2
    assert "--root FOLDER" in capsys.readouterr().err
    assert valle(*words, "--asr", "none", "--speaker", tmp_path) == 1
    assert "`--speaker` must be" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(  # noqa: PLR0917 (fixtures)
    valle: Callable[..., int], run: Path, corpus: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    words = "eval", "--list", corpus / "ls-pc.lst", "--protocol", "ls-pc", "--model", run, "--device", "cpu"
    options = *words, "--asr", "none"
    speak, spoken = Synthesizer.speak, []

    def stopped(self: Synthesizer, text: str, **given: Any) -> Any:
        spoken.append(text)
        if len(spoken) == 2:
            raise KeyboardInterrupt
        return speak(self, text, **given)

    monkeypatch.setattr(Synthesizer, "speak", stopped)
    assert valle(*options) == 130
    told = "interrupted after 1 of 3 utterances: nothing is kept without `--out FOLDER`."
    assert capsys.readouterr().err == f"{told} With it, the same command continues later.\n"
    for more, again in (((), "the same command"), (("--fresh",), "the same command without `--fresh`")):
        spoken.clear()
        assert valle(*options, "--out", tmp_path, *more) == 130
        told = f"interrupted after 1 of 3 utterances: they are kept in `{tmp_path}`. Run {again} to continue.\n"
        assert capsys.readouterr().err == told
        (tmp_path / "identity.json").unlink()
        assert valle(*options, "--out", tmp_path) == 2
        assert "or with one that has `identity.json`" in capsys.readouterr().err
    spoken.append("two")
    assert valle(*options, "--out", tmp_path, "--fresh") == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 9
    capsys.readouterr()
    assert valle(*options, "--out", tmp_path) == 0
    assert capsys.readouterr().err == "3 of 3 utterances are done already\n"


def test_a_recogniser_of_another_language_is_refused_before_anything_is_spoken(
    voice: Synthesizer, corpus: Path, tmp_path: Path
) -> None:
    trials = [replace(trial, language="zh") for trial in read_trials("ls-pc", corpus / "ls-pc.lst")]
    judges = {"recogniser": Knowing([])}
    with pytest.raises(WeightsError, match="knows only English, not zh"):
        evaluate(voice, "ls-pc", trials, judges, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
