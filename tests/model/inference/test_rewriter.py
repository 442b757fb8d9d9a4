"""Text to phonemes and back: what was learnt is given back, and mistakes are told in one line."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoints.checkpoint import Checkpoint, Meta
from model.cli import main
from model.data.examples import Examples
from model.data.reading import read_document
from model.data.texts import characters_of, symbols_of
from model.inference.prompts import Preparation
from model.inference.rewriter import Rewriter
from model.inference.synthesizer import Synthesizer
from model.network.packing import collate
from model.training.trainer import Trainer, train
from stages.audio.files import write_wav
from stages.codecs.table import codec_identity, load_codec
from stages.errors import TextError, UsageError
from stages.text.phonemes import phonemize
from tests.model.conftest import MemoryStore, make_config, make_store
from tests.model.data.test_texts import Written

SAID = {
    "en": ("Hello there.", "It cost $5.20!", "Dr. Lee is here.", "No. 7, please", "I read it at 10:30."),
    "de": ("Grüß Gott.", "Das kostet 3 €.", "Am 3. Oktober", "Straße 12", "Jawohl, Herr Schmidt!"),
}
STEPS = 100


def dataset(codec: str = "embedded", texts: tuple[tuple[str, str], ...] = ()) -> Written:
    rows = texts or tuple((code, text) for code, some in SAID.items() for text in some)
    phonemes = [phonemize([text], code)[0] for code, text in rows]
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 64, (8, 40)).astype(np.uint16) for _ in rows]
    languages = [code for code, _ in rows]
    return Written(
        codes, phonemes, ["g/s"] * len(rows), languages, codec_identity(codec), written=tuple(text for _, text in rows)
    )


def checkpoint(trainer: Trainer, store: MemoryStore) -> Checkpoint:
    data = trainer.config.data
    letters = {"languages": ("en", "de"), "characters": characters_of(store, data)}
    meta = Meta(STEPS, store.codec, store.fingerprint, symbols_of(store, data), **letters)  # type: ignore[arg-type]
    return Checkpoint(Path("run"), trainer.config, trainer.tokenizer, meta, trainer.raw_network.eval())


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A model that has learnt ten texts by heart."""
    config = make_config(
        **{"trainer__out": str(tmp_path_factory.mktemp("rewriter") / "run"), "trainer__max_steps": STEPS},
        **{"data__tasks": {"phn": 1.0, "un-phn": 1.0}, "data__validation": 0.0},
        **{"model__width": 96, "model__feedforward": 192, "optimizer__lr": 6e-3, "optimizer__warmup_steps": 10},
    )
    store = dataset()
    trainer = Trainer(config, store, quiet=True)
    found = trainer.stream.examples
    rng = np.random.default_rng(0)
    documents = [read_document(found, found.draw(row, rng, kind)) for row in range(10) for kind in found.kinds]
    batch = collate(documents, 8)
    for step in range(STEPS):
        trainer.progress.step = step
        trainer.train_step([batch])
    return checkpoint(trainer, store)


def test_ten_texts_become_their_phonemes_and_their_phonemes_the_texts(learnt: Checkpoint) -> None:
    reader = Rewriter(learnt)
    for code, texts in SAID.items():
        wanted = phonemize(texts, code)
        for made, expected in (
            (reader.phonemize(texts, language=code), wanted),
            (reader.write(wanted, language=code), list(texts)),
        ):
            assert [one.text for one in made] == expected
            assert all(one.ended and one.language == code and not one.notes for one in made)


def test_what_was_never_read_is_told(learnt: Checkpoint) -> None:
    reader = Rewriter(learnt)
    (folded,) = reader.phonemize(["“Hello” there."], language="en")
    assert folded.notes[:1] == ("the model guesses symbols that its training set lacks: “ ”",)
    (plain,) = reader.phonemize(["Ｈello  there."], language="en")
    assert (plain.text, plain.notes) == (phonemize(["Hello there."], "en")[0], ())
    (strange,) = reader.write(["həlˈoʊ ʘ"], language="en")
    assert "lacks: ʘ" in strange.notes[0]


def test_one_row_of_a_batch_is_read_as_alone(learnt: Checkpoint) -> None:
    reader = Rewriter(learnt)
    texts = [*SAID["en"], *SAID["en"][::-1]] * 2
    assert reader.phonemize(texts, language="en") == [reader.phonemize([text], language="en")[0] for text in texts]


def test_mistakes_are_told(learnt: Checkpoint) -> None:
    reader = Rewriter(learnt)
    with pytest.raises(UsageError, match="phonemes don't tell it, and the model knows en, de"):
        reader.write(["həlˈoʊ"])
    with pytest.raises(UsageError, match="trained on"):
        reader.phonemize(["Bonjour."], language="fr")
    for act, what in ((reader.phonemize, "text"), (reader.write, "phonemes")):
        with pytest.raises(TextError, match=f"`{what}` must hold something to read"):
            act([" "], language="en")
    only = learnt.config.model_copy(update={"data": learnt.config.data.model_copy(update={"tasks": {"phn": 1.0}})})
    with pytest.raises(UsageError, match="never trained on the task `un-phn`, only on `phn`"):
        Rewriter(replace(learnt, config=only)).write(["a"], language="en")


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("text", ["phonemes", "characters"])
def test_the_commands_read_and_write(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recording = tmp_path / "run", tmp_path / "a.wav"
    data: dict[str, Any] = {"data__text": text, "data__tasks": {"tts": 1.0, "phn": 1.0, "un-phn": 1.0}}
    modes = {"data__modes": {"ar": 1.0, "nar": 1.0, "stt": 1.0}, "data__max_s": 2.0, "data__validation": 0.0}
    train(make_config(trainer__out=str(run), trainer__max_steps=1, **data, **modes), dataset(), quiet=True)
    write_wav(recording, np.sin(np.arange(24_000) / 20).astype(np.float32), 24_000)
    capsys.readouterr()

    assert valle(monkeypatch, "phonemize", "Hello Ж", "--model", run, "--language", "en", "--json") == 0
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)) == {"language", "phonemes", "ended"}
    assert "note: the model guesses symbols that its training set lacks: Ж" in shown.err
    assert valle(monkeypatch, "phonemize", "həlˈoʊ", "--back", "--model", run, "--language", "en", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"language", "text", "ended"}
    for more in ([], ["--text"]):
        assert valle(monkeypatch, "transcribe", recording, "--model", run, "--json", *more) == 0
        keys = {"phonemes": {"phonemes", *(["text"] if more else [])}, "characters": {"text"}}[text]
        assert set(json.loads(capsys.readouterr().out)) == {"language", "ended", *keys}

    speech = Synthesizer.load(run).speak("Hello — Ж 5!", prompt=recording, language="en", max_s=0.3)
    if text == "characters":
        assert (speech.phonemes, speech.unseen) == ("Hello — Ж 5!", "Ж—")
    else:
        assert speech.phonemes.startswith("həlˈoʊ")


def test_a_model_without_the_task_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(trainer__out=str(tmp_path / "run"), trainer__max_steps=1, data__modes={"stt": 1.0})
    train(config, make_store(codec=codec_identity("embedded")), quiet=True)
    capsys.readouterr()
    assert valle(monkeypatch, "phonemize", "Hello", "--model", tmp_path / "run") == 2
    assert "never trained on the task `phn`" in capsys.readouterr().err
    assert valle(monkeypatch, "transcribe", tmp_path / "none.wav", "--text", "--model", tmp_path / "run") == 2
    assert "never trained on the task `un-phn`" in capsys.readouterr().err


def test_characters_are_what_a_text_says(learnt: Checkpoint) -> None:
    data = learnt.config.data.model_copy(update={"text": "characters"})
    meta = replace(learnt.meta, symbols=learnt.meta.characters)
    by_characters = replace(learnt, config=learnt.config.model_copy(update={"data": data}), meta=meta)
    prepare = Preparation(by_characters, load_codec("embedded"))
    assert prepare.phonemes("It  cost\n$5.20!", "en") == ("It cost $5.20!", "en")
    assert prepare.phonemes("GRÜẞ", "de")[0] == "Grüß", "capitals that it hasn't read become small letters"
    assert Examples(dataset(), learnt.tokenizer, data, "train").texts.read(1) == "It cost $5.20!"
