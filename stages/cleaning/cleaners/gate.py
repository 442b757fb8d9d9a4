"""Spectral gating by noisereduce: whatever stays near the noise floor of its band is turned down. Has no weights.

Source: https://doi.org/10.5281/zenodo.3243139 (non-stationary: the floor of each band follows the recording).
"""

from pathlib import Path

import numpy as np

from stages.cleaning.cleaner import CleanerRow, package_version, without_weights
from stages.records import Wave

_WINDOW_S = 0.032
"""Length of a frame. Its samples are a power of two."""


class Gate:
    """Wraps `noisereduce.reduce_noise`, whose floor follows the last two seconds and the next two."""

    sample_rate = None
    piece_s = 60.0
    context_s = 8.0

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        """Cleans a mono wave, as `Cleaner` tells."""
        from noisereduce import reduce_noise

        size = 2 ** max(6, round(np.log2(_WINDOW_S * sample_rate)))
        # Its own pieces have too little around them; `stages.cleaning.overlapped` makes better ones.
        whole = {"chunk_size": len(wave), "padding": 4 * size}
        found = reduce_noise(y=wave.astype(np.float64), sr=sample_rate, stationary=False, n_fft=size, **whole)
        return np.asarray(found, np.float32)


def _load(weights: Path | None) -> Gate:
    _identify(weights)
    return Gate()


def _identify(weights: Path | None) -> str:
    without_weights(weights, "gate")
    return f"noisereduce {package_version('noisereduce', 'gate')}"


GATE = CleanerRow(
    "gate",
    "turns down what stays near the noise floor of its band (noisereduce); no weights",
    "MIT",
    _load,
    _identify,
)
