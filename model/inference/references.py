"""Opens references: recordings of a voice, without silence at their ends, and the best stretch of a long one.

Axes: N references.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.errors import AudioError
from stages.records import Wave

LEAST_S = 0.5
"""Seconds. A voice needs this much sound, and each of several references gives at least as much to the prompt."""
_CONTEXT_S = 1.0
"""Seconds before and after a stretch that are encoded with it: in training, prompts are cut from longer codes."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A recording of a voice, checked, without the silence at its ends."""

    name: str
    """What messages call it."""
    wave: Wave
    """Mono, `[samples]`."""
    sample_rate: int
    """Hz; the recording's own."""
    notes: tuple[str, ...] = ()
    """What the user should know of it."""

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return len(self.wave) / self.sample_rate

    def quality(self, length_s: float) -> float:
        """Returns the quality of the best stretch of this length, 0 to 1."""
        from stages.audio.stretch import best_stretch

        return best_stretch(self.wave, self.sample_rate, length_s).quality

    def stretch(self, length_s: float) -> tuple[Wave, float]:
        """Returns the best stretch with a second around it, and how many seconds of that come before it."""
        from stages.audio.stretch import best_stretch

        found = best_stretch(self.wave, self.sample_rate, length_s)
        room = round(_CONTEXT_S * self.sample_rate)
        start = max(0, found.start - room)
        return self.wave[start : found.end + room], (found.start - start) / self.sample_rate


def open_reference(
    prompt: str | Path | npt.NDArray[Any], sample_rate: int, name: str, *, shortest_s: float
) -> Reference:
    """Opens a reference, and takes off the silence at both ends as `slice` does.

    Args:
        prompt: A recording's path, or a mono wave `[samples]` in [-1, 1].
        sample_rate: Hz of a wave; a recording has its own.
        name: What messages call a wave.
        shortest_s: Seconds of sound that it must hold.

    Raises:
        AudioError: if it can't be read, breaks off, isn't mono or finite, is silent or is too short.
    """
    from stages.audio.files import channels_cancel, read_complete
    from stages.audio.silence import SILENCE_DB, sound_edges, trimmed

    notes: tuple[str, ...] = ()
    if isinstance(prompt, str | Path):
        name, path = str(prompt), Path(prompt)
        wave, sample_rate = read_complete(path)
        if channels_cancel(path):
            notes = (f"the channels of `{name}` cancel each other (one has the opposite phase): one of them is taken",)
    else:
        wave = np.asarray(prompt, np.float32)
        if wave.ndim != 1 or not len(wave) or not np.isfinite(wave).all():
            raise AudioError(
                f"`{name}` must be a mono wave `[samples]`, finite and not empty, but is {list(wave.shape)}"
                f"{'' if np.isfinite(wave).all() else ' with NaN or infinity'}. Mix its channels down, or mend it."
            )
    length_s = len(wave) / sample_rate
    left, sound = trimmed(wave, sample_rate), sound_edges(wave, sample_rate, silence_db=SILENCE_DB)
    if left is None or sound is None:
        raise AudioError(
            f"`{name}` must hold a voice, but there is no voice in it: its {length_s:.2f} s are silent. Give a"
            " recording of someone who speaks, 3 s or longer.",
            "NoSpeech",
        )
    sound_s = (sound[1] - sound[0]) / sample_rate
    if sound_s < shortest_s:
        raise AudioError(
            f"`{name}` must hold at least {shortest_s:g} s of a voice, but there is no voice in it: it has"
            f" {sound_s:.2f} s of sound. Give a recording of someone who speaks, 3 s or longer.",
            "TooShort",
        )
    return Reference(name, wave[left[0] : left[1]], sample_rate, notes)


def shares(available: Sequence[int], total: int) -> list[int]:
    """Shares out `total` frames: equally, and what a shorter reference leaves goes to the others.

    Args:
        available: Frames of each reference, `[N]`.
        total: Frames to share out.
    """
    given = [0] * len(available)
    left = total
    for place, index in enumerate(sorted(range(len(available)), key=available.__getitem__)):
        given[index] = min(available[index], left // (len(available) - place))
        left -= given[index]
    return given
