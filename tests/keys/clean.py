"""Proofs for the keys of `clean`: they look at the sound that the stage makes of a recording."""

from typing import Any

import numpy as np

from stages.audio.files import read
from stages.cleaning.cleaned import Cleaned
from stages.cleaning.cleaner import CleanerRow
from stages.cleaning.table import CLEANERS
from stages.ids import Place
from stages.records import Recording, Wave
from tests.keys.world import Proof, World, noise


class Half:
    """A cleaner that halves a wave."""

    sample_rate = None
    piece_s, context_s = 60.0, 1.0

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        return wave / 2


def _recording(world: World) -> Recording:
    if not (world.folder / "ann" / "one.wav").is_file():
        world.wav("ann/one.wav", noise(1.0, level=0.05))
    return Recording("ann/one.wav", "", "ann", "0" * 64)


def _cleaned(world: World, **values: Any) -> Cleaned:
    world.patch.setitem(CLEANERS, "half", CleanerRow("half", "", "", lambda _: Half(), lambda _: "half 1"))
    stage = world.stage("clean", **{"cleaner": "half", **values})
    stage.setup()
    [[found]] = stage.process([_recording(world)])
    assert isinstance(found, Cleaned)
    return found


def _sound(found: Cleaned) -> Wave:
    assert found.sound is not None
    return read(Place(found.sound))[0]


def _cleaner(world: World) -> None:
    given = read(world.folder / _recording(world).id)[0]
    assert _cleaned(world).cleaner == "half 1"
    assert np.allclose(_sound(_cleaned(world)), given / 2, atol=1e-6)
    assert world.stage("clean", cleaner="half").wanted()
    assert not world.stage("clean").wanted()


def _weights(world: World) -> None:
    """The path goes to the cleaner, which refuses one that isn't there."""
    [problem] = world.stage("clean", cleaner="demucs", weights="gone.pt").check([])
    assert "gone.pt" in problem


def _strength(world: World) -> None:
    given = read(world.folder / _recording(world).id)[0]
    for strength in (1.0, 0.5):
        assert np.allclose(_sound(_cleaned(world, strength=strength)), given * (1 - strength / 2), atol=1e-6)


def _dnsmos(world: World) -> None:
    assert _cleaned(world).before is None
    (world.folder / "wrong.onnx").write_bytes(b"no network")
    problems = world.stage("clean", cleaner="half", dnsmos=str(world.folder / "wrong.onnx")).check([])
    assert "wrong.onnx" in " ".join(problems)


def _min_gain(world: World) -> None:
    class Pleased:
        """Scores what is quiet better."""

        def __init__(self, *_: Any) -> None: ...

        def score(self, wave: Wave) -> dict[str, float]:
            return dict.fromkeys(("sig", "bak", "ovrl"), 3.0 if np.abs(wave).max() < 0.13 else 2.0)

    world.patch.setattr("stages.clean.Dnsmos", Pleased)
    (world.folder / "scores.onnx").write_bytes(b"")
    scored = {"dnsmos": str(world.folder / "scores.onnx")}
    for least, kept in ((0.5, False), (1.5, True)):
        found = _cleaned(world, min_gain=least, **scored)
        assert (found.before, found.after) != (None, None)
        assert (found.kept is not None, found.sound is None, found.digest == "0" * 64) == (kept,) * 3


CLEAN: dict[str, Proof] = {
    "cleaner": _cleaner,
    "weights": _weights,
    "strength": _strength,
    "dnsmos": _dnsmos,
    "min_gain": _min_gain,
}
