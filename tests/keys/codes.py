"""Proofs for the keys of `encode`, `hdf5` and `metadata`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stages.artefacts.manifest import CODEC, EMBEDDINGS, read_codec
from stages.audio import files as audio
from stages.codecs import table as codecs
from stages.codecs.dac import dac_model
from stages.codecs.embedded import WEIGHTS
from stages.codecs.network import Batch, NetworkCodec, equal_batches
from stages.codecs.table import codec_identity, load_codec
from stages.records import CodecIdentity, to_line
from stages.store.reader import open_store
from tests.keys.world import RATE, Proof, World, encoded, noise, utterance
from tests.stages.genuine_codecs import save_dac
from tests.stages.store.test_reader import CODEC as IDENTITY


def _codes(world: World, **values: Any) -> Any:
    world.wav("ann/one.wav", noise(0.5))
    [found] = world.outcomes("encode", utterance(seconds=0.5), **values)
    return found.codes_KT


def _expected(world: World, weights: Path | None = None) -> Any:
    wave = audio.read_cut(world.folder / "ann/one.wav", 0, RATE // 2, 24_000)
    return load_codec("embedded", weights).encode([torch.tensor(wave)])[0].numpy()


def _codec(world: World) -> None:
    codes_KT = _codes(world, codec="embedded")
    np.testing.assert_array_equal(codes_KT, _expected(world))
    (world.folder / "encode").mkdir()
    world.stage("encode", codec="embedded").finish(world.folder / "encode", [])
    assert read_codec(world.folder).name == "embedded"


def _weights(world: World) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(WEIGHTS, "pt") as file:
        about = file.metadata()
    tensors = {name: tensor.flip(1) if tensor.dim() == 3 else tensor for name, tensor in load_file(WEIGHTS).items()}
    save_file(tensors, world.folder / "other.safetensors", about)
    other = {"codec": "embedded", "weights": str(world.folder / "other.safetensors")}
    codes_KT = _codes(world, **other)
    np.testing.assert_array_equal(codes_KT, _expected(world, world.folder / "other.safetensors"))
    assert (codes_KT != _expected(world)).any()
    (world.folder / "encode").mkdir()
    world.stage("encode", **other).finish(world.folder / "encode", [])
    np.testing.assert_array_equal(np.load(world.folder / "encode" / EMBEDDINGS), tensors["codebooks_KVM"].numpy())
    assert read_codec(world.folder).revision == codec_identity("embedded", other["weights"]).revision
    assert world.context(encode={"weights": "mine"}).weights == "mine", "`mix` encodes by the same"


def _dac_model_in_a_stand_in_for_the_cache(world: World) -> None:
    """Checks which file is looked for; the published models can't be downloaded here."""
    world.patch.setenv("HOME", str(world.folder))
    world.patch.delenv("VALLE_DAC_WEIGHTS", raising=False)
    cache = world.folder / ".cache" / "descript" / "dac"
    cache.mkdir(parents=True)
    for name, rate, release in (("44khz", 44_100, "0.0.1"), ("24khz", 24_000, "0.0.4"), ("16khz", 16_000, "0.0.5")):
        sizes = {"encoder_rates": [2, 4], "n_codebooks": 9, "codebook_size": 1024, "sample_rate": rate}
        path = cache / f"weights_{name}_8kbps_{release}.pth"
        torch.save({"state_dict": {}, "metadata": {"kwargs": sizes}}, path)
    for name, rate in (("16khz", 16_000), ("24khz", 24_000)):
        identity = world.stage("encode", codec="dac", dac_model=name).identity
        assert (identity.sample_rate, identity.frame_rate) == (rate, rate / 8)


def _codebooks(world: World) -> None:
    """One codebook gets from codes to the dataset; the usual number is no setting, so old datasets stay up to date."""
    one = {"codec": "embedded", "codebooks": 1}
    codes_KT = _codes(world, **one)
    wave = audio.read_cut(world.folder / "ann/one.wav", 0, RATE // 2, 24_000)
    [expected_KT] = load_codec("embedded", codebooks=1).encode([torch.tensor(wave)])
    np.testing.assert_array_equal(codes_KT, expected_KT.numpy())
    assert len(codes_KT) == 1
    (world.folder / "encode").mkdir()
    world.stage("encode", **one).finish(world.folder / "encode", [])
    assert read_codec(world.folder) == codec_identity("embedded", codebooks=1)
    assert len(np.load(world.folder / "encode" / EMBEDDINGS)) == 1
    [problem] = world.stage("encode", codec="embedded", codebooks=9).check([])
    assert "must use 1 to 8 codebooks" in problem
    usual, asked = (world.stage("encode", codec="mimi", codebooks=count).config.identity() for count in (None, 8))
    assert usual == asked
    assert "codebooks" not in usual
    assert world.stage("encode", **one).config.identity()["codebooks"] == 1


class _Mean(NetworkCodec):
    """The smallest network codec: its encoder is one matrix product per frame."""

    @classmethod
    def load(cls, weights: Any, device: str, sample_rate: int | None) -> "_Mean":
        identity = CodecIdentity("mean", RATE, RATE / 100, 1, 2, "0" * 12)
        model = torch.nn.Module()
        model.encoder = torch.nn.Conv1d(1, 1, 100, 100, bias=False)
        return cls(model, identity, device)

    def embeddings(self) -> Tensor:
        return torch.zeros(1, 2, 1)

    def _batches(self, frames: Any) -> list[Batch]:
        return equal_batches(frames)

    def _codes(self, wave_B1L: Tensor) -> Tensor:
        latent = self._latent(wave_B1L)
        self.exact = bool((latent == latent.bfloat16()).all())
        return (latent > 0).long()

    def _wave(self, codes_KT: Tensor) -> Tensor:
        return codes_KT.float()


def _precision_by_a_stand_in(world: World) -> None:
    """In bfloat16, all outputs of a one-product network are exact bfloat16 numbers."""
    made = []

    class Row(_Mean):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    world.patch.setitem(codecs.CODECS, "encodec", replace(codecs.CODECS["encodec"], kind=Row, way=""))
    for precision, exact in (("bfloat16", True), ("float32", False)):
        assert _codes(world, codec="encodec", precision=precision).shape == (1, 80)
        assert made[-1].exact == exact


def _exact(world: World) -> None:
    """Exact codes are the library's bit for bit; the latents behind the others differ by rounding."""
    weights = save_dac(world.folder)
    for exact in (True, False):
        stage = world.stage("encode", codec="dac", weights=str(weights), exact=exact)
        stage.setup()
        assert stage._codec.quick is not exact
    assert world.context(encode={"exact": True}).exact, "`mix` encodes in the same way"
    codes_KT = _codes(world, codec="dac", weights=str(weights), exact=True)
    model = dac_model(weights).eval()
    wave = torch.tensor(audio.read_cut(world.folder / "ann/one.wav", 0, RATE // 2, 24_000))
    with torch.no_grad():
        _, expected_1KT, *_ = model.encode(model.preprocess(wave[None, None], 24_000))
    np.testing.assert_array_equal(codes_KT, expected_1KT[0].numpy())


def _batch_size(name: str) -> Proof:
    def proof(world: World) -> None:
        sizes = [size for size, _ in world.batches(name, 7, lambda: None, batch_size=3)]
        assert sizes == [3, 3, 1]

    return proof


def _npy(world: World) -> None:
    item = encoded("ann/one.wav", codes=np.random.default_rng(0).integers(0, 1024, (8, 75)).astype(np.uint16))
    for name in ("encode", "hdf5"):
        (world.folder / name).mkdir()
    (world.folder / "encode" / CODEC).write_text(to_line(IDENTITY.to_json()))
    for npy in (False, True):
        stage = world.stage("hdf5", npy=npy)
        stage.format.write({"h5": world.folder / "hdf5" / "0.h5"}, [item])
        stage.finish(world.folder / "hdf5", ["0"])
        assert len(open_store(world.folder)) == 1
        found = list((world.folder / "hdf5").rglob("*.npy"))
        assert [path.name for path in found] == (["one.wav.npy"] if npy else [])
    np.testing.assert_array_equal(np.load(found[0]), item.codes_KT)


def _splits(world: World, by: Callable[[str, str], str], **values: Any) -> dict[str, set[str]]:
    """Returns id or speaker -> splits, for 8 speakers with 8 utterances each."""
    names = [f"s{speaker}/{number}.wav" for speaker in range(8) for number in range(8)]
    found: dict[str, set[str]] = {}
    for row in world.outcomes("metadata", *map(encoded, names), **values):
        found.setdefault(by(row.id, row.speaker), set()).add(row.split)
    return found


def _split_by(world: World) -> None:
    by_speaker = _splits(world, lambda _, speaker: speaker, split_by="speaker", validation=0.5)
    assert all(len(splits) == 1 for splits in by_speaker.values())
    assert set.union(*by_speaker.values()) == {"train", "validation"}
    torn = _splits(world, lambda _, speaker: speaker, split_by="utterance", validation=0.5)
    assert any(len(splits) == 2 for splits in torn.values())
    said = [encoded(f"s{n}/one.wav", text=f"Text {n % 8}{'!' * (n % 3)}") for n in range(24)]
    by_text: dict[str, set[str]] = {}
    for row in world.outcomes("metadata", *said, split_by="text", validation=0.5):
        by_text.setdefault(row.text.strip("!"), set()).add(row.split)
    assert len(by_text) == 8
    assert all(len(splits) == 1 for splits in by_text.values())
    assert set.union(*by_text.values()) == {"train", "validation"}


def _share(key: str) -> Proof:
    def proof(world: World) -> None:
        shares = []
        for value in (0.0, 0.5, 1.0):
            values = {"validation": 0.0, **{key: value}}
            found = _splits(world, lambda uid, _: uid, **values)
            shares.append(sum(splits == {key} for splits in found.values()) / len(found))
        assert shares == [0.0, pytest.approx(0.5, abs=0.2), 1.0]

    return proof


ENCODE: dict[str, Proof] = {
    "codec": _codec,
    "weights": _weights,
    "dac_model": _dac_model_in_a_stand_in_for_the_cache,
    "codebooks": _codebooks,
    "precision": _precision_by_a_stand_in,
    "exact": _exact,
    "batch_size": _batch_size("encode"),
}
HDF5: dict[str, Proof] = {"npy": _npy}
METADATA: dict[str, Proof] = {
    "split_by": _split_by,
    "validation": _share("validation"),
    "test": _share("test"),
}
MIX_BATCH_SIZE = _batch_size("mix")
