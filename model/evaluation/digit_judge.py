"""The judges of `model.evaluation.digits`: classifiers of digits and voices, trained on real recordings alone.

Axes: M mel bands, T frames, C coefficients, N vectors, D width of a vector.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from model.evaluation.voices import Vector, similarity
from stages.listeners.whitening import Matrix, whitening
from stages.records import Wave

SAMPLE_RATE = 8000
"""Hz, of the waves that the judge hears: the rate of the Free Spoken Digit Dataset."""

_FRAMES = 24
"""Frames that every digit is resampled to, whatever its length."""
_COEFFICIENTS = 16
_WINDOW, _HOP, _MELS = 256, 80, 40
_QUIET_DB = 35
"""Frames at the beginning and end that are so far below the loudest one are cut off as silence."""
_FLOOR = 1e-5
"""Energies are raised to this share of the greatest, so that faint noise looks like silence."""


def features(wave: Wave) -> npt.NDArray[np.float64]:
    """Computes features of a digit that don't depend on its loudness, speed or surrounding silence.

    Args:
        wave: Mono, `[samples]`, at 8 kHz.

    Returns:
        The mel cepstrum at 24 frames evenly spaced between the silences, and the logarithm of the number of frames.
    """
    import librosa

    wave = np.pad(wave, (0, max(0, _WINDOW - len(wave)))).astype(np.float32)
    power_MT = librosa.feature.melspectrogram(
        y=wave, sr=SAMPLE_RATE, n_fft=_WINDOW, hop_length=_HOP, n_mels=_MELS, fmin=60, fmax=3800
    )
    energy_T = power_MT.sum(axis=0)
    loud = np.flatnonzero(energy_T >= energy_T.max() * 10 ** (-_QUIET_DB / 10))
    power_MT = power_MT[:, loud[0] : loud[-1] + 1]
    log_MT = np.log(np.maximum(power_MT, max(power_MT.max() * _FLOOR, 1e-20)))
    cepstrum_CT = librosa.feature.mfcc(S=log_MT - log_MT.mean(), n_mfcc=_COEFFICIENTS)
    frames = cepstrum_CT.shape[1]
    moments = np.linspace(0, frames - 1, _FRAMES)
    warped = [np.interp(moments, np.arange(frames), row) for row in cepstrum_CT]
    return np.append(np.concatenate(warped), np.log(frames))


class DigitJudge:
    """A support vector machine on the features of whole digits.

    It always names one of its digits, so it is right for one in ten even of noise.
    """

    name = "support vector machine on time-normalised mel cepstra"

    def __init__(self, machine: Any) -> None:
        self._machine = machine

    @classmethod
    def fit(cls, waves: Sequence[Wave], digits: Sequence[str]) -> Self:
        """Trains on recordings at 8 kHz and their digits; deterministic."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        machine = make_pipeline(StandardScaler(), SVC(C=5.0))
        return cls(machine.fit(np.stack([features(wave) for wave in waves]), list(digits)))

    def hear(self, wave: Wave) -> str:
        """Returns the digit said in a wave at 8 kHz."""
        return str(self._machine.predict(features(wave)[None])[0])


class VoiceJudge:
    """Finds the speaker whose mean vector is nearest, after whitening.

    Directions in which a speaker's own vectors differ, by what is said, count for less (`stages.listeners.whitening`,
    with speakers as classes).
    """

    def __init__(self, to_white_DD: Matrix, means: dict[str, Vector]) -> None:
        self._to_white_DD = to_white_DD
        self._means = means

    @classmethod
    def fit(cls, vectors: Mapping[str, Sequence[Vector]]) -> Self:
        """Trains on each speaker's vectors, `[D]` of length 1; at least two per speaker."""
        classes = {speaker: np.stack(found).astype(np.float64) for speaker, found in vectors.items()}
        within_DD = np.mean([np.cov(found_ND.T) for found_ND in classes.values()], axis=0)
        to_white_DD = whitening(within_DD, sum(map(len, classes.values())))
        means = {speaker: found_ND.mean(axis=0) @ to_white_DD for speaker, found_ND in classes.items()}
        return cls(to_white_DD, {speaker: mean_D / np.linalg.norm(mean_D) for speaker, mean_D in means.items()})

    def hear(self, vector: Vector) -> str:
        """Returns the nearest speaker."""
        white_D = vector @ self._to_white_DD
        return max(self._means, key=lambda speaker: similarity(white_D, self._means[speaker]))
