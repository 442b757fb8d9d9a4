"""Encodes speech for whisper without computing the silence that fills its windows.

Whisper hears windows of 30 s; shorter speech is filled up with silence, and the encoder works as long on a second as on
thirty. Here only the speech and two seconds of silence are encoded. What the encoder makes of the rest of the window is
nearly the same for any speech, and is taken from one window of silence: the decoder attends to 1,500 frames, as it was
trained to. (Without that rest it doesn't know when to stop, and invents words.) So that one such window serves all
speech, its features are brought to one peak, which is as if it were equally loud.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.records import Wave

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

SAMPLE_RATE = 16_000
"""Hz, whisper's input."""
WINDOW_S = 30
_HOP = 160
_FRAMES = WINDOW_S * SAMPLE_RATE // _HOP
_STEP = 100
"""Frames; windows are multiples of it, so that several can be encoded together."""
_SILENCE = 200
"""Frames of silence encoded after the speech, at least."""
_REACH = 480
"""Samples of silence that the features of the last frames of speech can reach."""
_PEAK, _RAISED = 1.0, 0.5
"""Peak of the features that are encoded (any level of sound has the same, so that one window of silence serves all),
and most by which they are raised to it: whisper's features take 2.5 for a factor of 10^5 in amplitude."""
_FLOOR = _PEAK - 2.0
"""The features of silence: whisper's are cut 2 below their peak."""

Features = npt.NDArray[np.float32]


class Windows:
    """The features and the encoder of a whisper model.

    Args:
        model: The model whose encoder is used.
        short: Whether to encode only the speech and a little silence. False: windows of 30 s.
    """

    def __init__(self, model: "WhisperModel", *, short: bool) -> None:
        self._model = model
        self.short = short

    def frames(self, samples: int) -> int:
        """Returns the frames of 10 ms that are encoded for a sound; depends on nothing but its length."""
        spoken = -(-samples // _HOP) + _SILENCE
        return min(_FRAMES, -(-spoken // _STEP) * _STEP) if self.short else _FRAMES

    def encode(self, sounds: Sequence[Wave], *, full: bool = False) -> Any:
        """Encodes sounds.

        Args:
            sounds: `[samples]` at 16 kHz each, at most 30 s.
            full: Whether to encode windows of 30 s in any case.

        Returns:
            CTranslate2's `[B, 1500, D]`.
        """
        import ctranslate2

        if full or not self.short:
            return self._model.encode(np.stack([self._whole(sound) for sound in sounds]))
        encoded: dict[int, Features] = {}
        for frames, places in _same([self.frames(len(sound)) for sound in sounds]):
            made = np.array(self._model.encode(np.stack([self._short(sounds[place], frames) for place in places])))
            for place, part in zip(places, made, strict=True):
                encoded[place] = self._silence.copy()
                encoded[place][: len(part)] = part
        return ctranslate2.StorageView.from_array(np.stack([encoded[place] for place in range(len(sounds))]))

    def _spoken(self, sound: Wave, frames: int) -> Features:
        """Returns whisper's features of a sound alone, `[M, frames]` or less."""
        found: Features = self._model.feature_extractor(np.asarray(sound, np.float32), padding=_REACH)[:, :frames]
        return found

    def _whole(self, sound: Wave) -> Features:
        """Returns whisper's features of a sound and the silence after it, `[M, 3000]`."""
        spoken = self._spoken(sound, _FRAMES)
        level = (max(-10.0, float(spoken.max()) * 4 - 12) + 4) / 4
        return _filled(spoken, _FRAMES, level)

    def _short(self, sound: Wave, frames: int) -> Features:
        """Returns a sound's features at the common peak, and the silence after it, `[M, frames]`."""
        spoken = self._spoken(sound, frames)
        raised = spoken + min(_PEAK - float(spoken.max()), _RAISED)
        return _filled(np.maximum(raised, _FLOOR), frames, _FLOOR)

    @cached_property
    def _silence(self) -> Features:
        """The encoded window of silence, `[1500, D]`."""
        features = np.full((1, self._model.model.n_mels, _FRAMES), _FLOOR, np.float32)
        return np.asarray(np.array(self._model.encode(features))[0])


def _filled(spoken: Features, frames: int, level: float) -> Features:
    features = np.full((len(spoken), frames), level, np.float32)
    features[:, : spoken.shape[1]] = spoken
    return features


def _same(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yields each length with the places that have it."""
    places = sorted(range(len(lengths)), key=lambda place: lengths[place])
    for length, group in groupby(places, key=lambda place: lengths[place]):
        yield length, list(group)
