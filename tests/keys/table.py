"""The table of all configuration keys and the proofs that they work. To add a key's proof, add a row to its section."""

import signal

from pipeline.config import STAGES
from tests.keys.adapting import AHEAD, ALIGN, DISTILL, LORA
from tests.keys.clean import CLEAN
from tests.keys.codes import ENCODE, HDF5, METADATA
from tests.keys.data import DATA
from tests.keys.g2p import G2P
from tests.keys.mix import MIX
from tests.keys.network import MODEL
from tests.keys.optimizer import OPTIMIZER
from tests.keys.running import TRAINER
from tests.keys.similar import SIMILAR
from tests.keys.slice import SLICE
from tests.keys.transcribe import TRANSCRIBE
from tests.keys.world import Proof, World


def _item_timeout_s(name: str) -> Proof:
    """Proves that an alarm is set while a stage processes a batch, and that 0 sets none."""

    def proof(world: World) -> None:
        def left() -> float:
            return signal.getitimer(signal.ITIMER_REAL)[0]

        [(_, seconds)] = world.batches(name, 1, left, item_timeout_s=50_000.0)
        assert 40_000 < seconds <= 50_000
        assert world.batches(name, 1, left, item_timeout_s=0.0) == [(1, 0.0)]

    return proof


_SECTIONS: dict[str, dict[str, Proof]] = {
    "clean": CLEAN,
    "transcribe": TRANSCRIBE,
    "slice": SLICE,
    "g2p": G2P,
    "encode": ENCODE,
    "hdf5": HDF5,
    "metadata": METADATA,
    "similar": SIMILAR,
    "mix": MIX,
    "model": MODEL,
    "data": DATA,
    "optimizer": OPTIMIZER,
    "ahead": AHEAD,
    "align": ALIGN,
    "lora": LORA,
    "distill": DISTILL,
    "trainer": TRAINER,
}

KEYS: dict[str, Proof] = {
    **{f"{section}.{key}": proof for section, proofs in _SECTIONS.items() for key, proof in proofs.items()},
    **{f"{name}.item_timeout_s": _item_timeout_s(name) for name in STAGES},
}
"""`section.key` -> proof. `python -m tests.keys.mutate` shows which places in the code they guard."""
