"""Opens recordings for `transcribe`: a file as it is, or each of its two channels as a recording of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from stages.audio.files import Decoded, channels_in, listen, unusual
from stages.audio.tape import Samples
from stages.base import Context, Filtered
from stages.errors import AudioError, TextError
from stages.ids import Channel, channel_id
from stages.records import Recording, Segment
from stages.transcripts.script import Script

Channels = Literal["mix", "left", "right", "split"]
"""`transcribe.channels`."""

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
