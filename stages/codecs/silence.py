"""Finds the codes that a codec gives to silence and to faint noise."""

from typing import TYPE_CHECKING

import numpy as np

from stages.codecs.codec import Codec

if TYPE_CHECKING:
    from stages.records import Wave

_LEVELS_DB = -80.0, -70.0, -60.0
"""Of the noises, relative to full scale: speech is louder by 35 dB or more."""
_SLOPES_DB = -3.0, 0.0, 1.5, 3.0, 4.5, 6.0, 9.0, 12.0
"""Their falls per octave: blue, white, pink, brown noise and steeper ones, such as the rumble of rooms."""
_TOPS_HZ = 12_000.0, 8_000.0, 5_000.0, 3_000.0, 1_500.0, 700.0, 300.0
"""Above them they fall steeply, as the noise of compressed and narrow recordings does."""
_FRAMES = 6
"""Of each noise."""
_LOWEST_HZ = 50.0


def silent_codes(codec: Codec) -> tuple[int, ...]:
    """Returns the codes of codebook 0 that a codec gives to digital silence and to faint noises of many spectra.

    Silence in recordings is the noise of a room and a microphone. The noises are drawn with a fixed seed and encoded in
    one call, about 14 s of audio at 75 Hz and 80 s at 12.5 Hz: it takes as long as encoding such a recording. Call it
    once.

    Returns:
        The codes, ascending, each once.
    """
    import torch

    (codes_KT,) = codec.encode([torch.from_numpy(_noises(codec.sample_rate, codec.frame_rate))])
    return tuple(np.unique(codes_KT[0].numpy()).tolist())


def _noises(sample_rate: int, frame_rate: float) -> "Wave":
    """Returns silence and the noises one after the other, from the faintest."""
    rng = np.random.default_rng(0)
    samples = round(_FRAMES * sample_rate / frame_rate)
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    found = [np.zeros(samples)]
    for level_db in _LEVELS_DB:
        for top in _TOPS_HZ:
            for slope_db in _SLOPES_DB:
                power_fall = slope_db / (10 * np.log10(2))
                gain = np.maximum(hertz, _LOWEST_HZ) ** (-power_fall / 2) / (1 + (hertz / top) ** 8)
                wave = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * gain, samples)
                found.append(wave / wave.std() * 10 ** (level_db / 20))
    return np.concatenate(found).astype(np.float32)
