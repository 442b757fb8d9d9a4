"""Measures reverberation: the speech-to-reverberation modulation energy ratio (SRMR)."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stages.records import Wave

SAMPLE_RATE = 16_000
"""Hz, its input."""
_CHANNELS, _LOWEST_HZ = 23, 125.0
_EAR_Q, _LEAST_HZ = 9.26449, 24.7
"""Glasberg and Moore's: an equivalent rectangular bandwidth is `f / _EAR_Q + _LEAST_HZ`."""
_MODULATIONS, _SLOWEST_HZ, _FASTEST_HZ, _Q = 8, 4.0, 128.0, 2.0
_SPEECH_MODULATIONS = 4
"""The slowest modulation bands, which are speech's; reverberation and noise add to the others."""
_ENVELOPE_HZ = 2000
"""Least rate at which an envelope is made."""
_SHORTEST_S = 0.512
_LONGEST_S = 30.0
"""Longer waves are measured in pieces of this length, whose energies are added, so that memory doesn't grow."""
_GAMMATONE = 1e-3
"""What lies where a channel lets less than this pass isn't computed."""

Floats = npt.NDArray[np.float64]


def srmr(wave: Wave) -> float | None:
    """Returns the speech-to-reverberation modulation energy ratio: dry speech has more, about 5 to 20.

    Compare recordings of some seconds; it also depends on the speaker and the noise. As in the first publication, over
    the whole wave instead of the mean of frames, and with filters of infinite length applied to the spectrum.

    Args:
        wave: `[samples]` at 16 kHz.

    Returns:
        The ratio, above 0; None if the wave is shorter than 0.5 s or silent.

    Source: Falk, Zheng and Chan, "A non-intrusive quality and intelligibility measure of reverberant and dereverberated
    speech" (IEEE TASLP 18(7), 2010).
    """
    if len(wave) < _SHORTEST_S * SAMPLE_RATE or not wave.any():
        return None
    longest = round(_LONGEST_S * SAMPLE_RATE)
    energy_CM = np.sum([_energy(wave[at : at + longest]) for at in range(0, len(wave), longest)], axis=0)
    share_C = energy_CM.sum(axis=1)
    loudest = int(np.flatnonzero(np.cumsum(share_C) > 0.9 * share_C.sum())[0])
    bandwidth = _centres()[loudest] / _EAR_Q + _LEAST_HZ
    last = max(_SPEECH_MODULATIONS + 1, int(np.count_nonzero(_lower_edges() <= bandwidth)))
    fast = energy_CM[:, _SPEECH_MODULATIONS:last].sum()
    return float(energy_CM[:, :_SPEECH_MODULATIONS].sum() / fast) if fast > 0 else None


def _energy(wave: Wave) -> Floats:
    """Returns the energy of each channel's envelope in each modulation band, `[C, M]`."""
    # The silence after the end keeps it from the beginning: the spectrum is that of a circle.
    size = _fast(len(wave) + SAMPLE_RATE // 8)
    spectrum = np.fft.rfft(wave, size)
    return np.array([_modulations(spectrum, size, centre) for centre in _centres()])


@lru_cache(1)
def _centres() -> Floats:
    """Returns the centre frequencies of the channels in Hz, lowest first, equally far apart in bandwidths."""
    low, high = (math.log(edge + _EAR_Q * _LEAST_HZ) for edge in (_LOWEST_HZ, SAMPLE_RATE / 2))
    return np.asarray(np.exp(low + (high - low) * np.arange(_CHANNELS) / _CHANNELS) - _EAR_Q * _LEAST_HZ)


@lru_cache(1)
def _modulation_centres() -> Floats:
    return np.geomspace(_SLOWEST_HZ, _FASTEST_HZ, _MODULATIONS)


def _lower_edges() -> Floats:
    """Returns the lower 3 dB edges of the modulation bands in Hz."""
    centres = _modulation_centres()
    return np.asarray(centres - np.tan(np.pi * centres / SAMPLE_RATE) / _Q * SAMPLE_RATE / (2 * np.pi))


def _modulations(spectrum: npt.NDArray[np.complexfloating], size: int, centre: float) -> Floats:
    """Returns the energy of a channel's envelope in each modulation band, `[M]`."""
    width = 1.019 * (centre / _EAR_Q + _LEAST_HZ)
    reach = width * math.sqrt(_GAMMATONE ** (-1 / 2) - 1)
    step = SAMPLE_RATE / size
    first, end = max(0, math.floor((centre - reach) / step)), min(len(spectrum), math.ceil((centre + reach) / step))
    # The gammatone's response near its centre (Holdsworth et al. 1988), for positive frequencies only: what comes back
    # is the analytic signal, whose magnitude is the envelope.
    detuned = np.square(1 + 1j * (np.arange(first, end) * step - centre) / width)
    band = spectrum[first:end] / np.square(detuned)
    count = _fast(max(len(band), math.ceil(_ENVELOPE_HZ / step)))
    envelope = np.abs(np.fft.ifft(band, count)) * (count / size)
    power = np.square(np.abs(np.fft.rfft(envelope)))[: math.ceil(_ENVELOPE_HZ / 2 / step)] / count**2
    return np.asarray(_responses(len(power), step) @ power)


@lru_cache(4)
def _responses(bins: int, step: float) -> Floats:
    """Returns the power response of each modulation filter, a resonance of the second order, `[M, bins]`."""
    frequencies = np.maximum(np.arange(bins) * step, 1e-9)
    detuned = _Q * (frequencies / _modulation_centres()[:, None] - _modulation_centres()[:, None] / frequencies)
    return np.asarray(1 / (1 + np.square(detuned)))


def _fast(size: int) -> int:
    """Returns the next size whose only factors are 2, 3 and 5: its Fourier transform is fast."""
    best = 1 << (size - 1).bit_length()
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(0, -(-size // threes) - 1).bit_length())
            threes *= 3
        fives *= 5
    return best
