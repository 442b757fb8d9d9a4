"""Hybrid Demucs, which separates voices from music, by torchaudio's own implementation; the weights by path.

The weights are torchaudio's `hdemucs_high_trained.pt` (its pipeline `HDEMUCS_HIGH_MUSDB_PLUS`): a state dict.

Source: https://arxiv.org/abs/2111.03600.
"""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.artefacts.manifest import file_digest
from stages.cleaning.cleaner import CleanerRow, package_version
from stages.errors import WeightsError
from stages.records import Wave

if TYPE_CHECKING:
    from torch import nn

_SOURCES = ("drums", "bass", "other", "vocals")
_HOP, _LEAST = 1024, 1 << 15
"""Lengths that the network takes are multiples of the first; it reflects too much of a very short wave."""


class Demucs:
    """Takes the voices out of a mix, at 44.1 kHz.

    Args:
        weights: The state dict.

    Raises:
        WeightsError: if it is another network's.
    """

    sample_rate = 44_100
    piece_s = 10.0
    context_s = 1.0

    def __init__(self, weights: Path) -> None:
        import torch

        self._network = _network()
        try:
            self._network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except (RuntimeError, OSError, pickle.UnpicklingError, AttributeError, TypeError) as error:
            raise WeightsError(
                f"`clean.weights` must be torchaudio's `hdemucs_high_trained.pt`, but `{weights}` can't be loaded as"
                f" that ({str(error).splitlines()[0]}). Download it again."
            ) from error
        self._network.eval()

    def clean(self, wave: Wave, sample_rate: int) -> Wave:  # noqa: ARG002 (its own)
        """Cleans a mono wave, as `Cleaner` tells."""
        import torch

        mean, spread = float(wave.mean()), float(wave.std()) or 1.0  # as it was trained
        samples = max(_LEAST, -(-len(wave) // _HOP) * _HOP)
        mono = np.pad((wave - mean) / spread, (0, samples - len(wave))).astype(np.float32)
        with torch.inference_mode():
            voices_2T = self._network(torch.from_numpy(mono).expand(1, 2, -1))[0, _SOURCES.index("vocals")]
        return np.asarray(voices_2T.mean(0).numpy()[: len(wave)] * spread, np.float32)


def _network() -> "nn.Module":
    from torchaudio.models import hdemucs_high

    network: nn.Module = hdemucs_high(sources=list(_SOURCES))
    return network


def _file(weights: Path | None) -> Path:
    if weights is None or not weights.is_file():
        found = "isn't set" if weights is None else f"is `{weights}`, which isn't there"
        raise WeightsError(
            "`clean.cleaner` = demucs needs `clean.weights`, the path of torchaudio's `hdemucs_high_trained.pt`, but it"
            f" {found}. Download https://download.pytorch.org/torchaudio/models/hdemucs_high_trained.pt."
        )
    return weights


def _load(weights: Path | None) -> Demucs:
    return Demucs(_file(weights))


def _identify(weights: Path | None) -> str:
    return f"torchaudio {package_version('torchaudio', 'demucs')}, weights {file_digest(_file(weights))[:12]}"


DEMUCS = CleanerRow(
    "demucs",
    "Hybrid Demucs: separates voices from music; needs `clean.weights`",
    "BSD-2-Clause; the published weights were trained on MUSDB, for research only",
    _load,
    _identify,
)
