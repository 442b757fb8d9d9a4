"""Opens recordings for `transcribe`: a file as it is, or each of its two channels as a recording of its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from stages.audio.files import Decoded, channels_in, listen, resampled, unusual
from stages.audio.silence import frame_power, level_of
from stages.audio.tape import Samples
from stages.base import Context, Filtered
from stages.errors import AudioError, TextError
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.ids import Channel, channel_id
from stages.records import Recording, Segment, Wave
from stages.transcripts.script import Script

Booleans = npt.NDArray[np.bool_]
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
_MINE_DB, _SMOOTH = 10.0, 20
"""A frame is one channel's voice if it is so much louder there, relative to the channels' levels, than in the other;
powers are averaged over so many frames. A microphone also hears, more quietly, who speaks into the other."""
_ALTERNATING = 0.5
"""At least this share of the loud frames of a call are one channel's; of one voice in both channels hardly any are."""
_TAKES_PART = 0.1
"""Both speak for at least this share of the call."""
_MUTED = 10**-2
"""Factor of the other's voice in what is heard of a channel."""

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

    def to_hear(self) -> Wave:
        """Returns what whisper hears, `[samples]` at 16 kHz: of a channel, without the voice of the other one."""
        wave = np.asarray(self.heard.resampled(SAMPLE_RATE)[:])
        others = [one for side, one in self.both.items() if side != self.channel]
        if not others or not all(np.any(one[:]) for one in others):
            return wave
        [other] = others
        return without_the_other(wave, np.asarray(resampled(other, self.heard.sample_rate, SAMPLE_RATE)[:]))

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
    return not (left.silent or right.silent) and _takes_turns(*_owners(left.wave, right.wave, left.sample_rate))


def _takes_turns(mine: Booleans, others: Booleans, loud: int) -> bool:
    """Returns whether each channel has a voice of its own: mostly one of them is loud, now this, now that."""
    alone = int(mine.sum()), int(others.sum())
    return sum(alone) > _ALTERNATING * loud and min(alone) > _TAKES_PART * loud


def _owners(wave: Samples, other: Samples, sample_rate: int) -> tuple[Booleans, Booleans, int]:
    """Returns which frames are a channel's voice and which the other's, and how many are loud in either."""
    relative = [(power := frame_power(one, sample_rate)[0]) / level_of(power) for one in (wave, other)]
    # Where both channels are digitally silent neither is louder.
    smooth = [np.convolve(one, np.ones(_SMOOTH) / _SMOOTH, "same")[: len(one)] + 1e-12 for one in relative]
    difference = 10 * np.log10(smooth[0] / smooth[1])
    loud = (relative[0] > _LOUD) | (relative[1] > _LOUD)
    return loud & (difference > _MINE_DB), loud & (difference < -_MINE_DB), int(loud.sum())


def without_the_other(wave: Wave, other: Wave) -> Wave:
    """Returns a channel in which the other's voice is made quiet; as it is, if they don't take turns.

    Args:
        wave: `[samples]` at 16 kHz.
        other: The other channel, as long.
    """
    mine, others, loud = _owners(wave, other, SAMPLE_RATE)
    if not _takes_turns(mine, others, loud):
        return wave
    frame = frame_power(wave, SAMPLE_RATE)[1]
    centres = (np.arange(len(others)) + 0.5) * frame
    gain = np.interp(np.arange(len(wave)), centres, np.where(others, _MUTED, 1.0)).astype(np.float32)
    return wave * gain


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
