"""NeuCodec from recordings to speech: one codebook of 65,536, 16 kHz in and 24 kHz out, and its weights' licence."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from model.cli import app as valle_app
from model.inference.guards.guard import OFF
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from pipeline.cli import app as prep_app
from stages.artefacts.manifest import read_codec
from stages.audio import files as audio
from stages.codecs.table import load_codec
from stages.errors import run_app
from stages.store.reader import open_store
from tests.stages.genuine_codecs import save_neucodec

CARD = "---\nlicense: apache-2.0\n---\n# A small NeuCodec\n"


def prep(*arguments: object) -> int:
    return run_app(prep_app, [str(argument) for argument in arguments])


def valle(*arguments: object) -> int:
    return run_app(valle_app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_neucodec(tmp_path_factory.mktemp("weights") / "neucodec")
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture(scope="module")
def voices(english: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips with their texts."""
    folder = tmp_path_factory.mktemp("voices")
    for number, clip in enumerate(english[:4]):
        speaker = folder / f"s{number % 2}"
        speaker.mkdir(exist_ok=True)
        for path in (clip, clip.with_suffix(".txt")):
            shutil.copy(path, speaker)
    return folder


@pytest.fixture(scope="module")
def dataset(voices: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "dataset"
    asked = ("--set", "encode.codec=neucodec", "--set", f"encode.weights={weights}", "--set", "similar.feature=codec")
    assert prep("run", voices, "--out", out, "--scheduler", "sync", "--quiet", *asked) == 0
    return out


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config: dict[str, Any] = {
        "model": {"width": 32, "layers": 2, "heads": 2, "feedforward": 64},
        "data": {"store": str(dataset), "modes": {"ar": 1.0}, "min_s": 0.2, "prompt_s": 0.5, "batch_tokens": 1200},
        "optimizer": {"lr": 1e-3, "warmup_steps": 1},
        "trainer": {"out": str(folder / "out"), "max_steps": 3, "precision": "32-true", "device": "cpu", "threads": 1},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert valle("train", folder / "config.yaml") == 0
    return folder / "out"


def test_the_dataset_holds_the_librarys_codes_of_its_cuts(dataset: Path, voices: Path, weights: Path) -> None:
    store, codec = open_store(dataset), load_codec("neucodec", weights)
    assert len(store) >= 2
    row = store.row(0)
    cut = (row.start_samples, row.end_samples, codec.sample_rate)
    wave = audio.read_cut(voices / row.recording, *cut, gain_db=row.gain_db)
    [codes_1T] = codec.encode([torch.tensor(wave)])
    codes = store.codes(0)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes, codes_1T.numpy())
    assert max(store.codes(index).max() for index in range(len(store))) > 32_767
    assert prep("validate", "--out", dataset, "--deep", "--quiet") == 0


def test_the_licence_goes_with_the_codes_to_the_model_and_its_export(dataset: Path, run: Path, tmp_path: Path) -> None:
    told = "apache-2.0 (by its README.md)"
    assert read_codec(dataset).licence == open_store(dataset).codec.licence == told
    assert valle("export", run, tmp_path / "hf", "--format", "hf") == 0
    assert json.loads((tmp_path / "hf" / "valle.json").read_text())["meta"]["codec"]["licence"] == told
    card = (tmp_path / "hf" / "README.md").read_text()
    assert f"Their licence: {told}." in card
    assert "neucodec, 16000 Hz in, 24000 Hz out, 1 x 65536 at 50 Hz" in card
    assert prep("report", "--out", dataset, "--quiet") == 0
    assert told in (dataset / "report.html").read_text()


def test_it_is_decoded_at_the_rate_of_its_decoder(dataset: Path, weights: Path, tmp_path: Path) -> None:
    store, target = open_store(dataset), tmp_path / "out.wav"
    assert prep("decode", 0, target, "--out", dataset, "--set", f"encode.weights={weights}", "--quiet") == 0
    info = audio.probe(target)
    assert (info.sample_rate, info.samples) == (24_000, 480 * int(store.frames[0]))


def test_a_model_of_it_speaks_at_24_khz_whole_and_in_a_stream(run: Path, weights: Path, voices: Path) -> None:
    synthesizer = Synthesizer.load(run, codec_weights=weights)
    [clip, *_] = sorted(voices.rglob("*.wav"))
    request = Request("Hello.", clip, language="en", max_s=0.8, seed=1, guard=OFF)
    [speech] = synthesizer.batch([request])
    assert speech.sample_rate == 24_000
    assert speech.codes.shape[0] == 1
    assert len(speech.samples) == 480 * speech.codes.shape[1]
    streamed = np.concatenate([*synthesizer.stream(request)])
    assert len(streamed) == len(speech.samples)
    # Each sample depends on all frames: a chunk passes from one decoding into the next, so it is only like the whole.
    assert np.isfinite(streamed).all()


def test_the_command_writes_a_file_of_that_rate(run: Path, weights: Path, voices: Path, tmp_path: Path) -> None:
    [clip, *_] = sorted(voices.rglob("*.wav"))
    out = tmp_path / "out.wav"
    given = ("--model", run, "--codec-weights", weights, "--language", "en", "--max-s", 0.5)
    assert valle("synth", "Hello.", clip, out, *given) == 0
    assert audio.probe(out).sample_rate == 24_000
