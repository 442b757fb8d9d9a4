"""`valle-prep decode`: decodes an utterance, a row or a file of codes; anything else is a one-line error."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.audio import files as audio
from stages.codecs.table import load_codec
from stages.store.reader import open_store
from tests.pipeline.conftest import EMBEDDED, prep


def test_an_utterance_sounds_as_its_codes_say(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = open_store(dataset)
    row = len(store) // 2
    expected = load_codec("embedded").decode(torch.from_numpy(store.codes(row).astype(np.int64))).numpy()
    codes = tmp_path / "codes.npy"
    np.save(codes, store.codes(row))
    part = Path(store.ids[row]).name
    unique = sum(part in uid for uid in store.ids) == 1
    for name in (store.ids[row], str(row), str(codes), *([part] if unique else [])):
        out = tmp_path / "new" / f"{abs(hash(name))}.wav"
        assert prep("decode", name, out, "--out", dataset, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        wave, rate = audio.read(out)
        assert (rate, told["frames"], told["codebooks"]) == (24_000, store.frames[row], 8)
        assert told["id"] in {store.ids[row], str(codes)}
        assert told["seconds"] == pytest.approx(len(wave) / rate)
        np.testing.assert_allclose(wave, np.clip(expected, -1, 1), atol=2e-4)


def test_a_mixture_has_an_id_too(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    uid = open_store(dataset).ids[0]
    assert prep("decode", f"{uid}@shifted", tmp_path / "a.wav", "--out", dataset) == 0
    assert f"{uid}@shifted: 8 x " in capsys.readouterr().err
    assert prep("decode", f"{uid}@noisy", tmp_path / "a.wav", "--out", dataset) == 2
    assert "has no `noisy` mixture" in capsys.readouterr().err


def test_a_file_needs_no_dataset_and_few_codebooks_will_do(tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", np.full((2, 30), 7, np.int32))
    nowhere = ("--out", tmp_path / "none", *EMBEDDED)
    assert prep("decode", tmp_path / "codes.npy", tmp_path / "a.wav", *nowhere, "--dry-run") == 0
    assert not (tmp_path / "a.wav").exists()
    assert prep("decode", tmp_path / "codes.npy", tmp_path / "a.wav", *nowhere) == 0
    assert audio.probe(tmp_path / "a.wav").samples == 30 * 320


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        (np.zeros((300, 8), np.int64), "must be [K, T] with 1 to 8 codebooks"),
        (np.full((8, 3), 1024), "must lie in 0 to 1023 for `embedded`, but holds 1024"),
        (np.zeros((8, 3)), "must contain codes, integers [K, T], but contains float64 [8, 3]"),
        (np.array([{"codes": 1}], dtype=object), "it is not an array of numbers"),
        (b"torn", "it is not an array of numbers"),
        (None, "No such file or directory"),
    ],
)
def test_what_are_no_codes_is_told_in_a_line(
    codes: object, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "codes.npy"
    if isinstance(codes, bytes):
        path.write_bytes(codes)
    elif codes is not None:
        np.save(path, codes, allow_pickle=True)
    assert prep("decode", path, tmp_path / "a.wav", "--out", tmp_path / "none", *EMBEDDED) in {1, 2}
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1
    assert not (tmp_path / "a.wav").exists()


def test_a_name_that_says_too_little_or_too_much_is_told_in_a_line(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name, out, problem in (
        ("wav", "a.wav", "must name one recording or utterance, but"),
        ("nobody/there.wav", "a.wav", "no id matches"),
        ("99999", "a.wav", "must be a row of"),
        ("0", "a.mp3", "must end in `.wav`"),
    ):
        assert prep("decode", name, tmp_path / out, "--out", dataset) == 2
        assert problem in capsys.readouterr().err
    assert prep("decode", "0", tmp_path / "a.wav", "--out", tmp_path) == 2
    assert "Run `valle-prep hdf5" in capsys.readouterr().err
    (tmp_path / "folder.wav").mkdir()
    assert prep("decode", "0", tmp_path / "folder.wav", "--out", dataset) == 2
    assert "can't be written" in capsys.readouterr().err


def test_another_codec_than_the_one_that_encoded_is_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from tests.stages.genuine_codecs import save_encodec

    settings = ("--set", "encode.codec=encodec", "--set", f"encode.weights={save_encodec(tmp_path)}")
    assert prep("decode", "0", tmp_path / "a.wav", "--out", dataset, *settings) == 1
    assert "`revision` must be" in capsys.readouterr().err
