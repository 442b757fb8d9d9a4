"""A small dataset in memory, with the interface of `stages.store.Store`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from stages.records import CodecIdentity, Codes

CODEC = CodecIdentity("embedded", 24_000, 75.0, 8, 64, "0" * 12)


@dataclass
class MemoryStore:
    """Rows held as arrays; speakers take turns, the last one has a single utterance."""

    all_codes: list[Codes]
    all_phonemes: list[str]
    speakers: Sequence[str]
    languages: Sequence[str]
    codec: CodecIdentity = CODEC
    fingerprint: str = "memory"
    neighbours: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frames = np.array([codes.shape[1] for codes in self.all_codes], np.int64)
        self.ids = [f"{speaker}/{row}" for row, speaker in enumerate(self.speakers)]
        self.symbols = sorted(set("".join(self.all_phonemes)))

    def __len__(self) -> int:
        return len(self.all_codes)

    def codes(self, index: int) -> Codes:
        return self.all_codes[index]

    def phonemes(self, index: int) -> str:
        return self.all_phonemes[index]

    def similar(self, index: int) -> tuple[int, ...]:
        return self.neighbours.get(index, ())


def memory_store(rows: int = 24, speakers: int = 4, codec: CodecIdentity = CODEC, seed: int = 0) -> MemoryStore:
    rng = np.random.default_rng(seed)
    frames = rng.integers(40, 120, rows)
    codes = [rng.integers(0, codec.codebook_size, (codec.num_codebooks, t)).astype(np.uint16) for t in frames]
    phonemes = ["".join(rng.choice(list("həlˈoʊ wɜːld.,"), int(n))) for n in rng.integers(5, 20, rows)]
    names = [f"g/s{row % (speakers - 1)}" for row in range(rows - 1)] + [f"g/s{speakers - 1}"]
    return MemoryStore(codes, phonemes, names, ["en"] * rows)


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()
