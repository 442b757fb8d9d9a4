"""A wave and its sample rate."""

from dataclasses import dataclass

from model.evaluation.protocols import Clip
from stages.records import Wave


@dataclass(frozen=True, slots=True)
class Sound:
    """A wave with its sample rate."""

    wave: Wave
    """Mono, `[samples]`."""
    rate: int
    """Hz."""

    @classmethod
    def read(cls, clip: Clip) -> "Sound":
        """Reads a recording; raises `AudioError` if it can't be read."""
        from stages.audio.files import read

        wave, rate = read(clip.path)
        return cls(wave, rate).cut(clip.start_s, clip.length_s)

    def cut(self, start_s: float, length_s: float | None = None) -> "Sound":
        """Returns the part from `start_s` on, `length_s` seconds or to the end."""
        start = round(start_s * self.rate)
        return Sound(self.wave[start : None if length_s is None else start + round(length_s * self.rate)], self.rate)

    def at(self, rate: int) -> Wave:
        """Returns the wave resampled to a rate in Hz."""
        from stages.audio.files import resample

        return resample(self.wave, self.rate, rate)
