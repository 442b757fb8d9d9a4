"""Opens recordings for `transcribe`: a file as it is, or each of its two channels as a recording of its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

import numpy as np

from stages.audio.files import Decoded, channels_in, listen, unusual
from stages.audio.silence import frame_power, level_of
from stages.audio.tape import Samples
from stages.base import Context, Filtered
from stages.errors import AudioError, TextError
from stages.ids import Channel, channel_id
from stages.records import Recording, Segment
from stages.transcripts.script import Script

Channels = Literal["mix", "left", "right", "split"]
"""`transcribe.channels`."""

SOME, _HEARD = 64, 4
CALLS = (
    "{} of the recordings looked at hold another voice in each of two channels, such as `{}`: their mix would become"
    " one speaker, and words said at once are lost. `--set transcribe.channels=split` hears each channel alone."
)
"""The advice about such recordings."""
_LOUD = 10**-2.5
"""A frame is loud if it is less than 25 dB below its channel's level."""
_TOGETHER = 0.5
"""Two channels of one recording of a voice are loud together nearly always, those of a call seldom."""
_TAKES_PART = 0.1
"""Both speak for at least this share of the call."""

_NAMES: tuple[tuple[Channel, re.Pattern[str]], ...] = (
    ("left", re.compile(r"(left|l|a|(channel|chan|ch)[ _-]?[1a])", re.IGNORECASE)),
    ("right", re.compile(r"(right|r|b|(channel|chan|ch)[ _-]?[2b])", re.IGNORECASE)),
)


def marks(recording: Recording, channels: Channels, context: Context, *, mixes: bool) -> list[list[str]]:
    """Returns what is unusual in how a recording is read; empty for most, which keep the fingerprint they always had.

    Args:
        recording: The file.
        channels: What is wanted.
        context: Where it lies.
        mixes: Whether several channels are unusual too.
    """
    found = unusual(context.place(recording.id), mixes=mixes) + ([] if channels == "mix" else [channels])
    return [found] if found else []


@dataclass(frozen=True, slots=True)
class Part:
    """A file that was read, or one of its channels."""

    recording: Recording
    heard: Decoded
    channel: Channel = "mix"
    both: Mapping[Channel, Samples] = field(default_factory=dict)
    """The waves of both channels if each is a recording of its own."""

    def unused(self) -> Filtered | None:
        """Filters a channel without sound. Raises `AudioError` if a whole file can't hold speech."""
        if self.both and self.heard.silent:
            return Filtered(self.recording.id, "NoSpeech", "this channel is silent")
        self.heard.check_speakable()
        return None

    def own(self, script: Script) -> Script | Filtered:
        """Returns what is spoken in this part, with the part's speaker.

        Where the speakers' names are those of channels (`left`, `A`, `channel 1`), these count. Else each segment
        belongs to the channel that is louder while it is spoken.

        Raises:
            TextError: if neither tells.
        """
        if not self.both:
            return script
        named = [_named(segment.speaker or "") for segment in script.segments]
        if not all(named) and not script.timed:
            raise TextError("its text must have times, or name each line's channel, since it has two, but does neither")
        owners = named if all(named) else [_louder(segment, self.both) for segment in script.segments]
        pairs = zip(script.segments, owners, strict=True)
        mine = tuple(
            replace(segment, speaker=None if segment.speaker is None else "")
            for segment, owner in pairs
            if owner == self.channel
        )
        if not mine:
            return Filtered(self.recording.id, "NoSpeech", "none of the text is spoken in this channel")
        return replace(script, segments=mine)


def parts_of(recording: Recording, channels: Channels, context: Context) -> list[Part]:
    """Reads a file.

    Args:
        recording: The file.
        channels: What is wanted.
        context: Where it lies.

    Returns:
        The file itself if it has one channel or the mix of all is wanted; else each wanted channel, with its own id
        and, of `split`, its own speaker: in each file they are other people.

    Raises:
        AudioError: if it can't be read, or if one of more than two channels is wanted.
    """
    place, table = context.place(recording.id), recording.transcript
    count = 1 if channels == "mix" else channels_in(place)
    if count == 1:
        return [Part(recording, listen(place, named_by=table))]
    if count > 2:
        raise AudioError(
            f"`{place.path}` must have one or two channels for `transcribe.channels: {channels}`, but has {count}."
            " Set it to `mix`.",
            "NoChannel",
        )
    if channels != "split":
        heard = listen(replace(place, channel=channels), named_by=table)
        return [Part(replace(recording, id=channel_id(recording.id, channels)), heard, channels)]
    both: dict[Channel, Decoded] = {side: listen(replace(place, channel=side)) for side in ("left", "right")}
    waves = {side: heard.wave for side, heard in both.items()}
    return [Part(_speaking(recording, side), heard, side, waves) for side, heard in both.items()]


def apart(recordings: Iterable[Recording], context: Context) -> list[str]:
    """Returns which of the first recordings with two channels hold another voice in each, as a telephone call does.

    In them mostly one channel at a time is loud. At most `SOME` recordings are opened, and `_HEARD` decoded; what
    can't be read is left to the stage.
    """
    found, heard = [], 0
    for recording in islice(recordings, SOME):
        place = context.place(recording.id)
        try:
            if heard == _HEARD or channels_in(place) != 2:
                continue
            heard += 1
            left, right = (listen(replace(place, channel=side)) for side in ("left", "right"))
        except AudioError:
            continue
        if _alternate(left, right):
            found.append(recording.id)
    return found


def _alternate(left: Decoded, right: Decoded) -> bool:
    if left.silent or right.silent:
        return False
    powers = [frame_power(one.wave, one.sample_rate)[0] for one in (left, right)]
    loud = [power > level_of(power) * _LOUD for power in powers]
    both, either = float(np.sum(loud[0] & loud[1])), float(np.sum(loud[0] | loud[1]))
    return bool(both < _TOGETHER * either and min(np.sum(one) for one in loud) > _TAKES_PART * either)


def _speaking(recording: Recording, channel: Channel) -> Recording:
    stem = recording.id.rpartition(".")[0]
    return replace(recording, id=channel_id(recording.id, channel), speaker=f"{stem}:{channel}")


def _named(speaker: str) -> Channel | None:
    return next((channel for channel, pattern in _NAMES if pattern.fullmatch(speaker.strip())), None)


def _louder(segment: Segment, waves: Mapping[Channel, Samples]) -> Channel:
    powers = {}
    for channel, wave in waves.items():
        piece = wave[max(0, segment.start_samples) : max(0, segment.end_samples)]
        powers[channel] = float(np.dot(piece, piece))
    return max(powers, key=lambda channel: powers[channel])
