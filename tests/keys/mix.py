"""Proofs for the keys of `mix`: they look at the waves that a stand-in for the codec gets."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from stages import mix
from stages.records import Wave
from tests.keys.codes import MIX_BATCH_SIZE
from tests.keys.world import RATE, Proof, World, encoded, noise


def _mixed(world: World, name: str = "ann/one.wav", **values: Any) -> dict[str, Wave]:
    """Returns kind -> the mixed wave that the stage makes of an utterance."""
    if not (world.folder / name).is_file():
        world.wav(name, noise(1, seed=7, level=0.05))
    stage, waves = world.stage("mix", **values), []
    assert stage.wanted() == bool(values.keys() & {"noise", "speech"} or values.get("shift")), "else it is left out"

    def encode(given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        waves.extend(wave.numpy() for wave in given)
        return [torch.zeros(8, 75, dtype=torch.int64)] * len(given)

    stage._codec = SimpleNamespace(sample_rate=RATE, codebook_size=1024, encode=encode)  # type: ignore[attr-defined]
    [outcomes] = stage.process([encoded(name)])
    return {one.id.rpartition("@")[2]: wave for one, wave in zip(outcomes, waves, strict=True)}


def _folder(world: World, name: str, files: int = 1) -> str:
    """Writes files of noise, each by another speaker."""
    for number in range(files):
        world.wav(f"{name}/s{number}/{number}.wav", noise(1.5, seed=number + 1))
    return str(world.folder / name)


def _rms(wave: Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


def _noise(world: World) -> None:
    folder = _folder(world, "sounds")
    made = _mixed(world, noise=folder)
    assert made.keys() == {"noisy", "noise"}
    assert _source(made["noise"], Path(folder) / "s0" / "0.wav")
    assert _mixed(world) == {}


def _source(wave: Wave, path: Path) -> bool:
    """Returns whether a wave is part of a recording, at any gain."""
    from stages.audio.files import read

    whole, _ = read(path)
    found = np.abs(np.correlate(whole, wave, "valid")).max()
    return bool(found > 0.9 * _rms(whole) * _rms(wave) * len(wave))


def _speech(world: World) -> None:
    folder = _folder(world, "others")
    made = _mixed(world, speech=folder)
    assert made.keys() == {"overlaid"}
    plain = noise(1, seed=7, level=0.05)
    assert _source(made["overlaid"] - plain, Path(folder) / "s0" / "0.wav")


def _shifts(world: World, **values: Any) -> list[float]:
    """Returns the pitch shifts that the stage asks for; `tests/stages/test_mix.py` measures the result."""
    asked: list[float] = []
    world.patch.setattr(mix, "shifted", lambda wave, _rate, semitones: asked.append(semitones) or wave)
    for number in range(6):
        made = _mixed(world, f"ann/{number}.wav", **values)
        assert made.keys() <= {"shifted"}
    return asked


def _shift(world: World) -> None:
    assert len(_shifts(world, shift=True)) == 6
    assert _shifts(world, shift=False) == []


def _semitones(world: World) -> None:
    asked = _shifts(world, shift=True, semitones=(7.0, 9.0))
    assert all(7 <= abs(one) <= 9 for one in asked)
    assert min(asked) < 0 < max(asked)


def _snr_db(world: World) -> None:
    folder = _folder(world, "sounds")
    for value in (-9.0, 30.0):
        made = _mixed(world, noise=folder, snr_db=(value, value))
        assert 20 * np.log10(_rms(made["noisy"] - made["noise"]) / _rms(made["noise"])) == pytest.approx(
            value, abs=0.01
        )


def _gain(world: World) -> None:
    folder, plain = _folder(world, "others"), noise(1, seed=7, level=0.05)
    for value in (0.1, 2.0):
        made = _mixed(world, speech=folder, gain=(value, value))
        assert _rms(made["overlaid"] - plain) / _rms(plain) == pytest.approx(value, rel=0.01)


def _seed(world: World) -> None:
    folder = _folder(world, "sounds", files=3)
    waves = {seed: _mixed(world, noise=folder, seed=seed)["noise"] for seed in (1, 2, 3)}
    ratios = {round(_rms(wave), 6) for wave in waves.values()}
    assert len(ratios) == 3, "each draws another loudness"
    np.testing.assert_array_equal(_mixed(world, noise=folder, seed=2)["noise"], waves[2])


MIX: dict[str, Proof] = {
    "noise": _noise,
    "speech": _speech,
    "shift": _shift,
    "snr_db": _snr_db,
    "gain": _gain,
    "semitones": _semitones,
    "seed": _seed,
    "batch_size": MIX_BATCH_SIZE,
}
