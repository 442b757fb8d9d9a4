"""From text and a recording to a wave, with the embedded codec and an untaught model."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.cli import main
from model.decoding.options import FIRST_MODES, Decoding
from model.decoding.samplers.chain import GREEDY
from model.inference.guards.guard import OFF
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.sequences.documents import Condition
from model.training.trainer import train
from stages.audio.files import read, read_at, write_wav
from stages.audio.loudness import loudness_lufs
from stages.codecs.table import codec_identity
from stages.errors import AudioError, CodecError, MissingInputError, TextError, UsageError
from stages.text.lexicon import Lexicon
from tests.model.conftest import make_config, make_store
from tests.typed_json import quoted


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inference") / "run"
    config = make_config(trainer__out=str(folder), trainer__max_steps=2, data__max_s=2.0)
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    return folder


@pytest.fixture(scope="module")
def voice(run: Path) -> Synthesizer:
    return Synthesizer.load(run)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a falling tone, at another rate than the codec's."""
    time_s = np.arange(32_000) / 16_000
    path = tmp_path_factory.mktemp("reference") / "ref.wav"
    write_wav(path, (0.5 * np.sin(2 * np.pi * (300 - 40 * time_s) * time_s)).astype(np.float32), 16_000)
    return path


def test_it_speaks_from_a_path_a_wave_or_codes(voice: Synthesizer, reference: Path) -> None:
    codes_KP = voice.prompt_codes(reference)
    assert codes_KP.shape == (8, 150)
    wave = np.sin(np.arange(24_000) / 20).astype(np.float32)
    for prompt in (reference, str(reference), wave, codes_KP, torch.from_numpy(codes_KP)):
        speech = voice.speak("Hello there.", prompt=prompt, max_s=0.5)
        assert speech.sample_rate == 24_000
        assert speech.samples.dtype == np.float32
        assert np.isfinite(speech.samples).all()
        assert speech.codes.shape[0] == 8
        assert 1 <= speech.codes.shape[1] <= 37
        assert speech.duration_s == pytest.approx(speech.codes.shape[1] / 75)
        assert speech.cut == (speech.codes.shape[1] == 37)
        assert speech.language == "en"


def test_sound_becomes_as_loud_as_what_was_learnt(voice: Synthesizer, reference: Path) -> None:
    meta = replace(voice.checkpoint.meta, loudness_lufs=-30.0)
    levelled = Synthesizer(replace(voice.checkpoint, meta=meta), voice.codec)
    wave = read_at(reference, 24_000)
    gain = 10 ** ((-30.0 - loudness_lufs(wave, 24_000)) / 20)
    expected = voice.prompt_codes(wave * np.float32(gain))
    assert np.mean(levelled.prompt_codes(reference) == expected) > 0.99
    assert np.mean(levelled.prompt_codes(wave / 8) == expected) > 0.99
    assert np.mean(voice.prompt_codes(reference) == expected) < 0.9
    assert np.array_equal(levelled.prompt_codes(expected), expected)
    assert levelled.prompt_codes(np.zeros(24_000, np.float32)).shape == (8, 75)


def test_words_of_the_datasets_lexicon_are_read_as_in_training(voice: Synthesizer) -> None:
    meta = replace(voice.checkpoint.meta, lexicon=("en\tHello\tˈa",), symbols=("ˈ", "a", "."))
    taught = Synthesizer(replace(voice.checkpoint, meta=meta), voice.codec)
    assert taught._preparation.phonemes("Hello.", "en") == ("ˈa.", "en")


def test_japanese_is_read_as_in_training(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.text.kana.split", lambda run: iter([(run, "あ", False)]))
    monkeypatch.setattr("stages.text.phonemes.check_packages", lambda *_: None)
    meta = replace(voice.checkpoint.meta, languages=("en", "ja"))
    plain, taught = (
        Synthesizer(replace(voice.checkpoint, meta=replace(meta, lexicon=tuple(lines))), voice.codec)._preparation
        for lines in ((), Lexicon(japanese="openjtalk").to_text().splitlines())
    )
    assert taught.phonemes("今日", "ja") == plain.phonemes("あ", "ja")
    assert plain.phonemes("今日", "ja") == plain.phonemes("きょう", "ja") != plain.phonemes("あ", "ja")


def test_one_seed_one_wave(voice: Synthesizer, reference: Path) -> None:
    one, two, other = (voice.speak("Hello.", prompt=reference, seed=seed, max_s=0.5) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, two.samples)
    assert not np.array_equal(one.codes, other.codes)
    greedy = [
        voice.speak("Hello.", prompt=reference, seed=seed, max_s=0.5, decoding=Decoding(ar=GREEDY)).codes
        for seed in (1, 2)
    ]
    assert np.array_equal(*greedy)


def asked(voice: Synthesizer, text: str, **given: Any) -> Condition:
    """What the network is asked first."""
    turn = voice.recital(Request(text, **given)).turn()
    assert turn
    return turn.condition


def test_text_is_read_as_it_was_in_preparation(voice: Synthesizer, reference: Path) -> None:
    condition = asked(voice, "Hello, world!", prompt=reference)
    assert condition.task == "tts"
    assert condition.prompt_KP.shape[1] == 38, "as long as prompts were in training (0.5 s)"
    assert "ˈ" in condition.phonemes
    assert "," in condition.phonemes
    continued = asked(voice, "world!", prompt=reference, prompt_text="Hello,")
    assert continued.task == "tts-c"
    assert continued.phonemes == condition.phonemes
    assert continued.prompt_KP.shape[1] == 150
    zoo = voice.speak("zoo", prompt=reference, language="en", max_s=0.1)
    assert zoo.unseen == "".join(sorted(set(zoo.phonemes) - set(voice.checkpoint.meta.symbols)))
    assert "z" in zoo.unseen


TEXT = "Hello there. I see you. [pause 1s] And who is she?\n\nShe is my friend."


def test_every_sentence_of_a_longer_text_is_spoken(voice: Synthesizer, reference: Path) -> None:
    speech = voice.speak(TEXT, prompt=reference)
    assert speech.sentences == 4
    longest = voice.checkpoint.lengths.longest_frames
    assert max(said.frames for said in speech.parts) <= longest
    assert speech.cut == any(said.cut for said in speech.parts)
    assert " ".join(said.text for said in speech.parts) == TEXT.replace("[pause 1s] ", "").replace("\n\n", " ")
    assert speech.codes.shape == (8, sum(said.frames for said in speech.parts))
    assert speech.duration_s > speech.codes.shape[1] / 75 - 1, "the pauses are there; silence of the parts may go"
    assert speech.unsaid == ""
    short = voice.speak(TEXT, prompt=reference, max_s=0.4, guard=OFF)
    assert short.cut
    assert short.unsaid.endswith("She is my friend.")
    assert short.duration_s == pytest.approx(0.4, abs=1 / 75)
    speech = voice.speak(TEXT, prompt=reference, guard=OFF)
    assert np.array_equal(short.codes[0], speech.codes[0, : short.codes.shape[1]]), "one seed, one speech"


def test_a_batch_is_what_its_texts_alone_are(voice: Synthesizer, reference: Path) -> None:
    requests = [Request(TEXT, reference, seed=3, max_s=2.0), Request("Hello.", reference, language="en", max_s=0.3)]
    together = voice.batch(requests)
    for request, speech in zip(requests, together, strict=True):
        alone = voice.speak(
            request.text, prompt=reference, seed=request.seed, max_s=request.max_s, language=request.language
        )
        assert np.array_equal(alone.samples, speech.samples)
    assert voice.batch([]) == []
    with pytest.raises(UsageError, match="Either a `prompt`"):
        voice.batch([Request("Hello.")])


def test_wrong_requests_are_told(voice: Synthesizer, reference: Path, tmp_path: Path) -> None:
    with pytest.raises(TextError, match="`text` must hold something to say"):
        voice.speak("  ", prompt=reference)
    with pytest.raises(TextError, match="`text` must hold something to say"):
        voice.speak("… !", prompt=reference)
    with pytest.raises(TextError, match="must be a supported language"):
        voice.speak("Hello", prompt=reference, language="klingon")
    with pytest.raises(UsageError, match=r"`language` must be one that `.*` was trained on \(en\), but is `de`"):
        voice.speak("Hello", prompt=reference, language="German")
    with pytest.raises(AudioError, match="can't be read"):
        voice.speak("Hello", prompt=tmp_path / "none.wav")
    with pytest.raises(CodecError, match=r"must be \[8, P\] codes"):
        voice.speak("Hello", prompt=np.zeros((4, 10), np.int64))
    with pytest.raises(CodecError, match="up to 5000"):
        voice.speak("Hello", prompt=np.full((8, 10), 5000))
    for max_s in (0.001, 0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="at least one frame"):
            voice.speak("Hello", prompt=reference, max_s=max_s)
    with pytest.raises(UsageError, match="`tone` must be left out, but is `calm`: the model knows none"):
        voice.speak("Hello", prompt=reference, tone="calm")
    with pytest.raises(MissingInputError, match="valle train"):
        Synthesizer.load(tmp_path)


def taught(voice: Synthesizer, **data: object) -> Synthesizer:
    """The same model, as if it had been trained on this."""
    config = voice.checkpoint.config
    config = config.model_copy(update={"data": config.data.model_copy(update=data)})
    return Synthesizer(replace(voice.checkpoint, config=config), voice.codec)


MASKED = {"nar-len": 1.0, "len": 1.0}


@pytest.mark.parametrize(
    ("data", "asked", "told"),
    [
        ({"modes": {"ar": 1.0}}, {}, "was never trained in the mode `nar`, only in `ar`."),
        ({"modes": MASKED}, {"decoding": Decoding("nar-len")}, "in the mode `nar`, only in `nar-len`, `len`."),
        ({}, {"decoding": Decoding(guidance=2.0)}, "`guidance` must be 1 (off), but is 2: `"),
        ({"tasks": {"ns": 1.0}}, {}, "was never trained on the task `tts`, only on `ns`."),
        ({"continuation_probability": 0.0}, {"prompt_text": "Say"}, "was never trained to continue a prompt"),
        ({"continuation_probability": 1.0}, {}, "was only trained to continue a prompt"),
    ],
)
def test_what_it_was_never_trained_for_is_refused(
    voice: Synthesizer, reference: Path, data: dict[str, object], asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        taught(voice, **data).speak("Hello", prompt=reference, max_s=0.1, **asked)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_guidance_is_for_models_that_can_do_without(voice: Synthesizer, reference: Path) -> None:
    modes = {**MASKED, "nar": 1.0, "ar": 1.0, "all": 1.0}
    plain, able = taught(voice, modes=modes), taught(voice, modes=modes, unconditional_probability=0.1)
    found = [model.settled(Decoding(mode)).guidance for model in (plain, able) for mode in FIRST_MODES]
    assert found == [1.0, 1.0, 1.0, 1.0, 2.5, 2.0]
    assert able.settled(Decoding("nar-len", guidance=1.0)).guidance == 1.0
    assert str(able.settled(Decoding(guidance=3))) == "ar, guidance 3, temperature 1"
    free, off, strict = (
        able.speak("Hello", prompt=reference, max_s=0.2, decoding=Decoding(ar=GREEDY, guidance=guidance)).codes
        for guidance in (None, 1.0, 30.0)
    )
    assert np.array_equal(free, off)
    assert not np.array_equal(free, strict)


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_synth_writes_the_same_file_for_the_same_seed(
    run: Path, reference: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "synth", "Hello there.", reference
    options = "--model", run, "--device", "cpu", "--max-s", "0.4", "--top-k", "20", "--json"
    for name in ("a.wav", "b.wav"):
        assert valle(monkeypatch, *command, tmp_path / name, *options) == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    about = json.loads(capsys.readouterr().out.splitlines()[-1])
    wave, rate = read(tmp_path / "b.wav")
    assert rate == 24_000
    assert not list(quoted(about))
    assert about["seconds"] == pytest.approx(len(wave) / rate, abs=1e-3)
    assert (about["takes"], about["faults"], about["discarded"]) == (1, [], [])
    assert valle(monkeypatch, *command, tmp_path / "d.wav", *options, "--best-of", "3", "--retries", "0") == 0
    about = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (about["takes"], about["faults"]) == (3, [])
    for refused, told in (
        (("--best-of", "0"), "`best_of` must be 1 (off) to 64, but is 0."),
        (("--retries", "-1"), "`retries` must be 0 (off) to 20, but is -1."),
        (("--best-by", "ear"), "`best_by` must be logprob, stt or whisper:FOLDER, but is `ear`."),
        (("--best-of", "2", "--temperature", "0"), "`best_of` must be 1, but is 2: nothing is drawn"),
        (("--best-of", "2", "--best-by", "stt"), "was never trained in the mode `stt`"),
    ):
        assert valle(monkeypatch, *command, tmp_path / "c.wav", *options, *refused) == 2
        assert told in capsys.readouterr().err
    assert valle(monkeypatch, *command, tmp_path / "c.wav", *options, "--temperature", "-1") == 2
    assert "`temperature` must be 0 or more" in capsys.readouterr().err
    assert valle(monkeypatch, *command, tmp_path / "c.wav", *options, "--guidance", "2") == 2
    assert "`guidance` must be 1 (off), but is 2" in capsys.readouterr().err


def test_synth_tells_how_many_layers_early_exit_left_out(
    run: Path, reference: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "synth", "Hello there. How are you?", reference, tmp_path / "a.wav", "--model", run, "--device", "cpu"
    options = "--max-s", "0.6", "--json", "--layer-skip", "--layer-skip-exit-layer", "1"
    thresholds = "--layer-skip-entropy-threshold", "99", "--layer-skip-varentropy-threshold", "99"
    assert valle(monkeypatch, *command, *options, *thresholds) == 0
    told = capsys.readouterr()
    about = json.loads(told.out.splitlines()[-1])
    assert about["layers"] > 20
    assert about["layers_saved"] == about["layers"] / 2, "one of two layers in each step"
    assert f"early exit left out {about['layers_saved']:,} of {about['layers']:,} layers (50%)" in told.err
    assert valle(monkeypatch, *command, *options[:3]) == 0
    assert "layers" not in json.loads(capsys.readouterr().out.splitlines()[-1])
    assert valle(monkeypatch, *command, *options, *thresholds, "--layer-skip-exit-layer", "2") == 2
    assert "must be less than the model's number of layers (2), but is 2" in capsys.readouterr().err


def test_transcribe_tells_in_json_and_in_words_whether_it_ended(
    reference: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(trainer__out=str(tmp_path / "run"), trainer__max_steps=1, data__modes={"stt": 1.0})
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    command = "transcribe", reference, "--model", tmp_path / "run", "--device", "cpu"
    assert valle(monkeypatch, *command, "--json") == 0
    heard = json.loads(capsys.readouterr().out)
    assert heard["ended"] in {True, False}
    assert isinstance(heard["ended"], bool)
    assert not list(quoted({name: heard[name] for name in ("language", "ended")}))
    assert valle(monkeypatch, *command) == 0
    assert f"ended     {json.dumps(heard['ended'])}" in capsys.readouterr().out


def test_a_model_that_does_not_fit_the_codec_is_one_clear_line(
    run: Path, reference: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Synthesizer.load(run).checkpoint.folder
    other = tmp_path / "model"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    meta = json.loads((other / "meta.json").read_text())
    meta["codec"]["revision"] = "123456789abc"
    (other / "meta.json").write_text(json.dumps(meta))
    assert valle(monkeypatch, "synth", "Hello.", reference, tmp_path / "x.wav", "--model", other) == 1
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0
    assert "`revision` must be" in told
    assert not (tmp_path / "x.wav").exists()
