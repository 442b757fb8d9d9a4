"""A small dataset in memory with the interface of `stages.store.reader.Store`, and small configurations."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model.checkpoints.checkpoint import Meta, build
from model.checkpoints.saving import Snapshot
from model.config import TrainConfig
from model.data.stream import BatchStream
from model.network.packing import Batch
from model.sequences.tokenizer import Tokenizer
from stages.ids import MIXTURES, Mixture
from stages.records import CodecIdentity, Codes
from stages.text.characters import characters

CODEC = CodecIdentity("embedded", 24_000, 75.0, 8, 64, "0" * 12)


@dataclass
class MemoryStore:
    all_codes: list[Codes]
    all_phonemes: list[str]
    speakers: Sequence[str]
    languages: Sequence[str]
    codec: CodecIdentity = CODEC
    fingerprint: str = ""
    """Of the codes and texts, unless one is given."""
    loudness_lufs: float | None = None
    mixtures_fingerprint: str = ""
    lexicon: Sequence[str] = ()
    neighbours: dict[int, tuple[int, ...]] = field(default_factory=dict)
    mixtures: dict[tuple[Mixture, int], Codes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frames = np.array([codes.shape[1] for codes in self.all_codes], np.int64)
        self.ids = [f"{speaker}/{row}" for row, speaker in enumerate(self.speakers)]
        self.symbols = sorted(set("".join(self.all_phonemes)))
        if not self.fingerprint:
            content = [repr((self.codec, self.all_phonemes)).encode(), *(codes.tobytes() for codes in self.all_codes)]
            self.fingerprint = hashlib.sha256(b"".join(content)).hexdigest()

    def texts(self) -> list[str]:
        """Three rows or so say the same."""
        return [f"Text {row % 8}{'!' * (row % 3)}" for row in range(len(self.frames))]

    def text(self, index: int) -> str:
        return list(self.texts())[index]

    @property
    def characters(self) -> list[str]:
        return sorted(set("".join(map(characters, self.texts()))))

    def codes(self, index: int) -> Codes:
        return self.all_codes[index]

    def phonemes(self, index: int) -> str:
        return self.all_phonemes[index]

    def similar(self, index: int) -> tuple[int, ...]:
        return self.neighbours.get(index, ())

    def has_mixture(self, kind: Mixture) -> npt.NDArray[np.bool_]:
        return np.array([(kind, row) in self.mixtures for row in range(len(self.frames))])

    def mixture(self, kind: Mixture, index: int) -> Codes:
        return self.mixtures[kind, index]

    def mix(self, *kinds: Mixture) -> None:
        """Makes random mixtures of these kinds of every row."""
        rng = np.random.default_rng(1)
        for kind in kinds:
            for row, codes in enumerate(self.all_codes):
                self.mixtures[kind, row] = rng.integers(0, self.codec.codebook_size, codes.shape).astype(codes.dtype)


def first_epoch(stream: BatchStream) -> list[Batch]:
    """Returns the batches of a stream's first epoch."""
    batches = []
    for batch in stream.batches():
        batches.append(batch)
        if batch.place.epoch:
            break
    return batches


def make_store(rows: int = 24, speakers: int = 4, codec: CodecIdentity = CODEC) -> MemoryStore:
    """Rows of 40 to 120 random frames; the last speaker has one utterance, the others share the rest."""
    rng = np.random.default_rng(0)
    frames = rng.integers(40, 120, rows)
    codes = [rng.integers(0, codec.codebook_size, (codec.num_codebooks, t)).astype(np.uint16) for t in frames]
    phonemes = ["".join(rng.choice(list("həlˈoʊ wɜːld.,"), int(n))) for n in rng.integers(5, 20, rows)]
    names = [f"g/s{row % (speakers - 1)}" for row in range(rows - 1)] + [f"g/s{speakers - 1}"]
    return MemoryStore(codes, phonemes, names, ["en"] * rows, codec)


REAL_CODES = Path(__file__).resolve().parents[3] / "shared" / "encodec_codes"


def task_store(kind: Literal["uneven", "real"] = "uneven") -> MemoryStore:
    """Utterances of 16 speakers in fours, with every mixture: half of an utterance's codes changed.

    The codes are drawn, some much more often than others, or `real`: EnCodec's of half a second of speech each.
    """
    rng = np.random.default_rng(0)
    size = 1024 if kind == "real" else CODEC.codebook_size
    if kind == "real":
        paths = sorted(REAL_CODES.glob("vallex_*.npz"))
        codes = [np.load(path)["audio_tokens"][0, 40 : 80 - n, :].T.astype(np.uint16) for n, path in enumerate(paths)]
    else:
        weights = 1 / np.arange(1, size + 1)
        codes = [rng.choice(size, (8, 40 - n), p=weights / weights.sum()).astype(np.uint16) for n in range(16)]
    phonemes = ["".join(rng.choice(list("həlˈoʊ wɜːld.,"), 8)) for _ in codes]
    speakers = [f"g/s{row // 4}" for row in range(len(codes))]
    store = MemoryStore(codes, phonemes, speakers, ["en"] * len(codes), replace(CODEC, codebook_size=size))
    for mixture in MIXTURES:
        for row, clean in enumerate(codes):
            store.mixtures[mixture, row] = np.where(rng.random(clean.shape) < 0.5, clean, clean[:, ::-1])
    return store


@pytest.fixture
def store() -> MemoryStore:
    return make_store()


def make_config(**values: object) -> TrainConfig:
    """A tiny configuration, with `section__key=value` laid over it."""
    data: dict[str, dict[str, object]] = {
        "model": {"width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "feedforward": 64},
        "data": {"min_s": 0.2, "validation": 0.2, "prompt_s": 0.5, "batch_tokens": 600},
        "optimizer": {"lr": 3e-3, "warmup_steps": 3},
        "trainer": {
            **{"max_steps": 12, "precision": "32-true", "device": "cpu", "threads": 1},
            **{"validate_every": 1000, "save_every": 1000, "log_every": 4},
        },
    }
    for name, value in values.items():
        section, _, key = name.partition("__")
        data.setdefault(section, {})[key] = value
    return TrainConfig.model_validate(data)


TOKENIZER = Tokenizer.default(CODEC.num_codebooks)


def make_snapshot(config: TrainConfig, step: int, validation_loss: float | None = None) -> Snapshot:
    """Returns the snapshot of a small network."""
    network = build(config, TOKENIZER, CODEC)
    network.initialise(torch.Generator().manual_seed(0))
    state = {"optimizer": {"lr": 0.1}, "random": torch.arange(3)}
    meta = Meta(step, CODEC, "fingerprint", ("a", "ˈ"), validation_loss)
    return Snapshot(network.state_dict(), state, config, TOKENIZER, meta)


Configure = Callable[..., TrainConfig]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """`make_config` for a run in the test's own folder, `run`."""
    return partial(make_config, trainer__out=str(tmp_path / "run"))
