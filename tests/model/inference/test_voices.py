"""Kept voices and mixtures: a file holds all of a voice, and speaks as its references do."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors import safe_open

from model.checkpoints.export import export
from model.cli import main
from model.decoding.options import Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import GREEDY
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.inference.voices import Voice, mix, model_identity, parse_choice
from model.sequences.documents import Condition
from stages.audio.files import read
from stages.errors import ArtefactError, CodecError, MissingInputError, UsageError
from tests.model.inference.conftest import RATE, talk
from tests.typed_json import quoted

ONE, OTHER = talk(1.9), talk(1.9, pitch=210.0, seed=1)
GREEDILY = Decoding(ar=GREEDY, unmasking=Unmasking(3, sampling=GREEDY))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for name, wave in {"one": ONE, "other": OTHER}.items():
        soundfile.write(folder / f"{name}.wav", wave, RATE)
    return folder


def asked(able: Synthesizer, text: str, **given: Any) -> Condition:
    """What the network is asked first."""
    turn = able.recital(Request(text, **given)).turn()
    assert turn
    return turn.condition


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("texts", [None, ["One.", "Größer?"]])
def test_a_file_holds_all_of_a_voice(able: Synthesizer, texts: list[str] | None, tmp_path: Path) -> None:
    voice = able.voice([talk(0.8), talk(0.9)], texts)
    voice.save(tmp_path / "new" / "a.safetensors")
    found = Voice.load(tmp_path / "new" / "a.safetensors")
    np.testing.assert_array_equal(found.codes_KP, voice.codes_KP)
    assert (found.texts, found.codec, found.model) == (voice.texts, voice.codec, voice.model)
    assert found.loudness_lufs == voice.loudness_lufs
    assert -40 < found.loudness_lufs < 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.safetensors"], "and nothing is left beside it"
    with safe_open(tmp_path / "new" / "a.safetensors", "np") as file:
        assert list(file.keys()) == ["codes"]
        assert json.loads(file.metadata()["valle.voice"])["codec"]["name"] == "embedded"


def test_what_is_no_voice_is_told(able: Synthesizer, able_run: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="valle voice REF"):
        Voice.load(tmp_path / "none.safetensors")
    path = tmp_path / "a.safetensors"
    able.voice(ONE).save(path)
    content = path.read_bytes()
    other = content.replace(b'\\"format\\": 1', b'\\"format\\": 2')
    assert other != content
    for bad, told in ((content[:50], "can't be read"), (b"", "can't be read"), (other, "must have format 1")):
        path.write_bytes(bad)
        with pytest.raises(ArtefactError, match=told) as raised:
            Voice.load(path)
        assert "\n" not in str(raised.value)
    export(able_run, tmp_path / "model.safetensors", "safetensors")
    with pytest.raises(ArtefactError, match="must be a file of `valle voice`"):
        Voice.load(tmp_path / "model.safetensors")


def test_a_kept_voice_speaks_as_its_references_do(able: Synthesizer, recordings: Path, tmp_path: Path) -> None:
    reference = recordings / "one.wav"
    for text in (None, "Said before."):
        able.voice(reference, text).save(tmp_path / "a.safetensors")
        kept = Voice.load(tmp_path / "a.safetensors")
        spoken = able.speak("Hello.", prompt=reference, prompt_text=text, max_s=0.4)
        again = able.speak("Hello.", voice=kept, max_s=0.4)
        np.testing.assert_array_equal(spoken.codes, again.codes)
        np.testing.assert_array_equal(spoken.samples, again.samples)
        assert again.notes == ()
        assert spoken.phonemes == again.phonemes
    for given in ({}, {"prompt": reference, "voice": kept}, {"voice": kept, "prompt_text": "a"}):
        with pytest.raises(UsageError, match="Either a `prompt`"):
            able.speak("Hello.", **given, max_s=0.4)


def test_a_voice_of_another_codec_is_refused_and_of_another_model_told(
    able: Synthesizer, able_run: Path, tmp_path: Path
) -> None:
    voice = able.voice(ONE)
    foreign = replace(voice, codec=replace(voice.codec, name="encodec", revision="1" * 12))
    with pytest.raises(CodecError, match="`revision` must be"):
        able.speak("Hello.", voice=foreign, max_s=0.4)
    with pytest.raises(CodecError, match=r"must be \[8, P\] codes"):
        able.speak("Hello.", voice=replace(voice, codes_KP=voice.codes_KP[:4]), max_s=0.4)
    speech = able.speak("Hello.", voice=replace(voice, model="step 7, 0123"), max_s=0.4)
    assert len(speech.notes) == 1
    assert "made for another model (step 7, 0123)" in speech.notes[0]
    quiet = replace(able.checkpoint, meta=replace(able.checkpoint.meta, loudness_lufs=-60.0))
    (note,) = Synthesizer(quiet, able.codec).speak("Hello.", voice=voice, max_s=0.4).notes
    assert "learnt -60.0: keep it again" in note
    export(able_run, tmp_path / "model.safetensors", "safetensors")
    exported = Synthesizer.load(tmp_path / "model.safetensors")
    assert exported.identity == voice.model == model_identity(able.checkpoint)
    assert exported.speak("Hello.", voice=voice, max_s=0.4).notes == ()


@pytest.mark.parametrize("mode", ["ar", "nar-len"])
def test_the_whole_weight_of_one_voice_is_that_voice(able: Synthesizer, mode: FirstMode) -> None:
    one, other = able.voice(ONE), able.voice(OTHER)
    decoding = replace(GREEDILY, mode=mode)
    said = "Hello there, all of you."

    def spoken(voice: Voice) -> np.ndarray:
        return able.speak(said, voice=voice, max_s=1.0, decoding=decoding).codes

    np.testing.assert_array_equal(spoken(mix([one, other], [1.0, 0.0])), spoken(one))
    np.testing.assert_array_equal(spoken(mix([other, one], [0.0, 2.0])), spoken(one))
    np.testing.assert_array_equal(spoken(mix([one], [0.3])), spoken(one))


def test_a_mixture_is_made_of_prompts_of_one_length(able: Synthesizer) -> None:
    one, short = able.voice(ONE), able.voice(talk(0.6, pitch=200.0), "Said.")
    mixed = mix([one, short], [3.0, 1.0])
    (first, codes_KP), (second, repeated_KP) = mixed.mixed
    assert (first, second) == (0.75, 0.25)
    np.testing.assert_array_equal(codes_KP, one.codes_KP)
    length = short.codes_KP.shape[1]
    np.testing.assert_array_equal(repeated_KP[:, :length], short.codes_KP)
    np.testing.assert_array_equal(repeated_KP[:, length:], short.codes_KP[:, : 75 - length])
    assert mixed.texts is None
    assert mixed.notes == ("what the mixed voices' references say isn't used",)
    assert asked(able, "Hello.", voice=mixed).task == "tts"
    assert [codes_KP.shape for _, codes_KP in mixed.resized(0.4).mixed] == [(8, 30)] * 2
    assert able.speak("Hello.", voice=mixed, max_s=0.3).notes == mixed.notes


def test_mixtures_that_make_no_sense_are_refused(able: Synthesizer, tmp_path: Path) -> None:
    one, other = able.voice(ONE), able.voice(OTHER)
    nan = float("nan")
    for weights in ([1.0], [0.0, 0.0], [1.0, -0.5], [float("inf"), 1.0], [nan, 1.0], [1.0, nan]):
        with pytest.raises(UsageError, match="must have a weight"):
            mix([one, other], weights)
    with pytest.raises(UsageError, match="must have a weight"):
        mix([], [])
    foreign = replace(other, codec=replace(other.codec, revision="1" * 12))
    with pytest.raises(CodecError, match="`voice 2` must agree"):
        mix([one, foreign], [1.0, 1.0])
    with pytest.raises(UsageError, match="no frames"):
        mix([one, replace(other, codes_KP=other.codes_KP[:, :0])], [1.0, 1.0])
    with pytest.raises(UsageError, match="aren't mixtures"):
        mix([one, mix([one, other], [1.0, 1.0])], [1.0, 1.0])
    with pytest.raises(UsageError, match="can't be kept"):
        mix([one, other], [1.0, 1.0]).save(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("choice", "parsed"),
    [
        ("a.safetensors", ("a.safetensors", 1.0)),
        ("a.safetensors:0.7", ("a.safetensors", 0.7)),
        ("c:/a.safetensors", ("c:/a.safetensors", 1.0)),
        ("c:/a:b:2", ("c:/a:b", 2.0)),
        (":3", (":3", 1.0)),
    ],
)
def test_a_choice_is_a_voice_and_its_weight(choice: str, parsed: tuple[str, float]) -> None:
    assert parse_choice(choice) == parsed


@pytest.mark.parametrize("mode", ["ar", "nar-len"])
def test_the_prompt_can_begin_the_response(able: Synthesizer, mode: FirstMode) -> None:
    decoding = replace(GREEDILY, mode=mode)
    voice = able.voice(ONE, "Hello there.", prefix=True)
    condition = asked(able, "And so on.", voice=voice)
    np.testing.assert_array_equal(condition.begun_KT, voice.codes_KP)
    np.testing.assert_array_equal(condition.prompt_KP, voice.codes_KP[:, :75])
    assert condition.task == "tts", "models that were never taught to continue can do it"
    assert condition.phonemes == able._preparation.phonemes("Hello there. And so on.", "en")[0]
    speech = able.speak("And so on.", voice=voice, max_s=0.4, decoding=decoding)
    assert 1 <= speech.codes.shape[1] <= 30, "without the prompt"
    plain = able.speak("And so on.", voice=replace(voice, prefix=False), max_s=0.4, decoding=decoding)
    assert not np.array_equal(plain.codes, speech.codes)
    with pytest.raises(UsageError, match="needs its text"):
        able.voice(ONE, prefix=True)


def test_keep_and_take_a_voice(
    able_run: Path, recordings: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "--model", able_run, "--device", "cpu"
    for name in ("one", "other"):
        out = tmp_path / "voices" / f"{name}.safetensors"
        assert valle(monkeypatch, "voice", recordings / f"{name}.wav", out, *model, "--json") == 0
        about = json.loads(capsys.readouterr().out)
        assert about["seconds"] == 1.0
        assert not list(quoted(about))
    file, how = tmp_path / "voices" / "one.safetensors", (*model, "--max-s", "0.4", "--quiet")

    def spoken(*arguments: Any) -> bytes:
        assert valle(monkeypatch, "synth", "Hello.", *arguments, *how) == 0, capsys.readouterr().err
        return (tmp_path / "a.wav").read_bytes()

    out = tmp_path / "a.wav"
    said = spoken(recordings / "one.wav", out)
    assert spoken(out, "--voice", file) == said
    named = "--voices", tmp_path / "voices", "--voice"
    assert spoken(out, *named, "one") == said
    assert spoken(out, *named, "one:1", "--voice", "other:0") == said
    mixtures = {spoken(out, *named, "one:0.5", "--voice", "other:0.5"), spoken(out, *named, "other"), said}
    assert len(mixtures) == 3
    further = spoken(recordings / "one.wav", out, "--ref", recordings / "other.wav")
    assert further not in mixtures
    assert spoken(recordings / "one.wav", out, "--input-prompt-length", "0.3") not in {*mixtures, further}
    texts = "--ref-text", "Said."
    continued, begun = (spoken(recordings / "one.wav", out, *texts, *more) for more in ((), ("--input-prompt-prefix",)))
    assert len({continued, begun, said}) == 3
    source = recordings / "other.wav"
    assert valle(monkeypatch, "transform", "vc", source, out, *named, "one", *model, "--quiet") == 0
    by_voice = read(out)[0]
    assert (
        valle(monkeypatch, "transform", "vc", source, out, "--prompt", recordings / "one.wav", *model, "--quiet") == 0
    )
    np.testing.assert_array_equal(read(out)[0], by_voice)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("synth", "Hi.", "one.wav"), "OUT is missing after REF"),
        (("synth", "Hi.", "one.wav", "other.wav", "a.wav"), "Give further recordings of the voice with `--ref`"),
        (("synth", "Hi.", "one.wav", "a.wav", "--voice", "v.safetensors"), "`--voice` takes the place of REF"),
        (("synth", "Hi.", "one.wav", "--voice", "v.safetensors", "--ref-text", "a"), "takes the place of REF"),
        (("synth", "Hi.", "a.wav", "--voices", ".", "--voice", "w"), "is `w`. There are `v`"),
        (("synth", "Hi.", "a.wav", "--voices", "none", "--voice", "v"), "must be a folder of voices"),
        (("synth", "Hi.", "one.wav", "a.wav", "--voices", "."), "name one of its voices with `--voice`"),
        (("synth", "Hi.", "a.wav", "--voice", "v.safetensors:-1"), "must have a weight"),
        (("synth", "Hi.", "a.wav", "--voice", "v.safetensors", "--input-prompt-prefix"), "needs its text"),
        (("synth", "Hi.", "one.wav", "a.wav", "--input-prompt-prefix"), "needs its text"),
        (("synth", "Hi.", "one.wav", "a.wav", "--ref-text", "a", "--ref-text", "b"), "1 references and 2 texts"),
        (("voice", "one.wav", "other.wav"), "OUT must end in `.safetensors`"),
        (
            ("transform", "vc", "one.wav", "a.wav", "--prompt", "one.wav", "--voice", "v.safetensors"),
            "give one of them",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(  # noqa: PLR0917 (fixtures)
    arguments: tuple[str, ...], told: str, able: Synthesizer, able_run: Path, recordings: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(recordings)
    if not Path("v.safetensors").exists():
        able.voice(ONE).save(Path("v.safetensors"))
    before = {path.name: path.read_bytes() for path in recordings.iterdir()}
    assert valle(monkeypatch, *arguments, "--model", able_run, "--device", "cpu") == 2
    shown = capsys.readouterr().err.strip()
    assert told in shown
    assert "\n" not in shown
    assert {path.name: path.read_bytes() for path in recordings.iterdir()} == before
