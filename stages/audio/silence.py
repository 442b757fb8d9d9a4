"""Finds silence: power in frames of 10 ms, relative to the recording's own level."""

import numpy as np
import numpy.typing as npt

from stages.audio.tape import Samples
from stages.records import Wave

FRAME_S = 0.01
EDGE_S = 0.5
"""Seconds of silence that stay at each end of a trimmed recording."""
SILENCE_DB = 40.0
"""dB below a recording's level at which silence begins."""
SPEECH_FLOOR_DB = -65.0
"""dB relative to full scale. A recording with a lower level holds no speech."""

_FRAMES_AT_A_TIME = 6000
_QUIET_FRAMES = 5
_NOISE_FRAMES = 10
_WORST_SNR_DB, _BEST_SNR_DB = -20.0, 100.0
_EDGE_S = 0.05
"""Seconds at each end in which a cut at a pause is quiet. The stop of a consonant is seldom longer."""
_BACKGROUND_S, _QUIETEST = 0.05, 0.05
"""The background is the power under which so large a share of all windows of so many seconds lies."""
_OVER_DB = 10.0
"""What isn't this much louder than the background may be the background."""
_SHORTEST_S = 0.3
"""Seconds of sound in which a background can be told from speech."""
_TINY = 1e-12
DIGITAL = 2e-12
"""Windows of at most this power are digital silence (`_TINY` is added to every frame)."""


def sound_edges(wave: Samples, sample_rate: int, *, silence_db: float) -> tuple[int, int] | None:
    """Finds where sound begins and ends.

    A frame is sound if it is less than `silence_db` below the recording's level. The level is the mean of the frames'
    powers, each weighted by itself: long silences don't lower it. Noise above the threshold counts as sound, so in
    doubt nothing is taken for silence.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.
        silence_db: dB below the level at which silence begins.

    Returns:
        The first sample of sound and one past the last; None if the level is under `SPEECH_FLOOR_DB`.
    """
    power, frame = frame_power(wave, sample_rate)
    level = level_of(power)
    if 10 * np.log10(level) < SPEECH_FLOOR_DB:
        return None
    sound = np.flatnonzero(power > level * 10 ** (-silence_db / 10))
    # An incomplete frame at the end is too short to judge: it counts as its neighbour does.
    end = len(wave) if sound[-1] == len(power) - 1 else int(sound[-1] + 1) * frame
    return int(sound[0]) * frame, end


def trimmed(
    wave: Samples, sample_rate: int, *, silence_db: float = SILENCE_DB, edge_s: float = EDGE_S
) -> tuple[int, int] | None:
    """Finds what is left of a recording without the silence at its ends.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.
        silence_db: dB below the level at which silence begins.
        edge_s: Seconds of silence that stay at each end.

    Returns:
        The first sample and one past the last; None if there is no sound, as `sound_edges` says.
    """
    edges = sound_edges(wave, sample_rate, silence_db=silence_db)
    room = round(edge_s * sample_rate)
    return edges and (max(0, edges[0] - room), min(len(wave), edges[1] + room))


def silent_share(wave: Wave, sample_rate: int, *, silence_db: float) -> float:
    """Returns the share of silent frames, 0 to 1, as `sound_edges` defines them; 1 if there is no speech."""
    power, _ = frame_power(wave, sample_rate)
    level = level_of(power)
    if 10 * np.log10(level) < SPEECH_FLOOR_DB:
        return 1.0
    return float(np.mean(power <= level * 10 ** (-silence_db / 10)))


def snr_db(wave: Wave, sample_rate: int) -> float:
    """Estimates the ratio of speech to background noise.

    The noise is what remains in the pauses: the mean power of the quietest tenth of all windows of 100 ms, without
    those of digital silence. Sounds that come and go with the speech, such as reverberation, don't count as noise. In a
    cut without pauses the noise counts as speech.

    Returns:
        Mean power of the speech over that of the noise, in dB, -20 to 100.

    Source: Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics" (2001).
    """
    power, _ = frame_power(wave, sample_rate)
    width = min(_NOISE_FRAMES, len(power))
    windows = np.convolve(power, np.ones(width) / width, "valid")
    windows = np.sort(windows[windows > DIGITAL])
    if not len(windows):
        return _BEST_SNR_DB
    noise = float(windows[: max(1, len(windows) // 10)].mean())
    speech = max(float(power.mean()) - noise, _TINY)
    return float(np.clip(10 * np.log10(speech / noise), _WORST_SNR_DB, _BEST_SNR_DB))


def edge_levels(wave: Wave, sample_rate: int) -> tuple[float | None, float | None]:
    """Returns how loud a cut is where it begins and where it ends.

    A cut at pauses begins and ends with less sound than one through a word. No words are looked at, so this holds for
    any language; but a cut that falls into the stop of a consonant, or between two words, isn't told.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.

    Returns:
        The level of the loudest 10 ms within the first 50 ms, and within the last, in dB relative to the cut's level
        (see `level_of`). None where that isn't clearly louder than the background, or the cut is shorter than 0.3 s.
    """
    power, frame = frame_power(wave, sample_rate)
    if len(power) < _SHORTEST_S / FRAME_S:
        return None, None
    width = round(_BACKGROUND_S / FRAME_S)
    background = float(np.quantile(np.convolve(power, np.ones(width) / width, "valid"), _QUIETEST))
    least, level = background * 10 ** (_OVER_DB / 10), level_of(power)
    count = round(_EDGE_S / FRAME_S)

    def relative(loudest: float) -> float | None:
        return float(10 * np.log10(loudest / level)) if loudest > least else None

    # The last samples may not fill a frame: these frames are counted from the end.
    last, _ = frame_power(wave[-count * frame :], sample_rate)
    return relative(float(power[:count].max())), relative(float(last.max()))


def quietest(wave: Wave, sample_rate: int) -> int:
    """Returns the middle of the quietest 50 ms, in samples; among equals, the one nearest to the middle of the wave."""
    power, frame = frame_power(wave, sample_rate)
    width = min(_QUIET_FRAMES, len(power))
    windows = np.lib.stride_tricks.sliding_window_view(power, width).max(axis=1)
    distance = np.abs(2 * np.arange(len(windows)) - (len(windows) - 1))
    best = int(np.lexsort((distance, windows))[0])
    return (2 * best + width) * frame // 2


def level_of(power: npt.NDArray[np.float64]) -> float:
    """Returns a recording's level: the mean of its frames' powers, each weighted by itself."""
    return float(np.square(power).sum() / power.sum())


def frame_power(wave: Samples, sample_rate: int) -> tuple[npt.NDArray[np.float64], int]:
    """Returns the mean square of each whole frame, `[frames]`, and the samples in a frame."""
    frame = min(max(1, round(FRAME_S * sample_rate)), len(wave))
    end, step = len(wave) // frame * frame, frame * _FRAMES_AT_A_TIME
    powers = [
        np.square(np.asarray(wave[start : min(start + step, end)], np.float64).reshape(-1, frame)).mean(axis=1)
        for start in range(0, end, step)
    ]
    return np.asarray(np.concatenate(powers) + _TINY), frame
