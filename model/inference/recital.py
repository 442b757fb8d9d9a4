"""Speaks a text of any length part by part: what to generate next, given what has been spoken.

A part continues the one before (task `tts-c`): the network reads the text and the codes of both, so that voice and pace
hold. A part is spoken after the prompt alone

* if the model wasn't trained to continue a prompt,
* if it begins a paragraph, so that the voice can't wander off over a long text,
* if both parts together would be longer than the utterances of the training set,
* if the part before was cut or faulty, or had fewer or more frames than its text takes: its codes don't say its text.

With a voice that begins its responses (`Voice.prefix`), a part that continues another has the other's codes as the
beginning of its response instead (task `tts`), which models can do that never learnt to continue.

Axes: K codebooks, P prompt frames, T response frames.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Self

import numpy as np

from model.inference.guards.takes import Fault
from model.inference.text.long_text import Part, Script
from model.inference.voices import Voice
from model.inference.wave.joining import joined
from model.sequences.documents import Condition, Mixed
from model.sequences.lengths import Lengths
from stages.records import Codes

if TYPE_CHECKING:
    from model.inference.speech import Speech

_ROOM = 1.25
"""A part only continues another if it may take this many times its expected frames."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """In whose voice, and how, a text is spoken."""

    prompt_KP: Codes
    """The whole prompt."""
    shortened_KP: Codes
    """The prompt of parts that don't continue it, as long as prompts were in training."""
    prompt_text: str | None
    """What the prompt says; None if unknown, so that nothing can continue it."""
    language: str
    tone: str
    continues: bool
    """Whether the model was trained to continue a prompt."""
    prefix: bool = False
    """Whether what a part continues is put before its response, as its beginning; needs `prompt_text`."""
    group: int = 1
    """Frames of the model's groups: a beginning has a whole number of them."""
    mixed: Mixed = ()
    """For a mixture: weights and codes of its prompts, each as long as `shortened_KP`; needs no `prompt_text`."""
    notes: tuple[str, ...] = ()
    """What the user should know of the voice."""

    @classmethod
    def of(cls, voice: Voice, prompt_frames: int, *, language: str, tone: str, continues: bool) -> Self:
        """Returns how a voice speaks; with a text it is cut to `prompt_frames` for parts that don't continue it."""
        spoken = None if voice.texts is None else " ".join(said.strip() for said in voice.texts)
        shown = voice if spoken is None else voice.beginning(prompt_frames)
        known = voice.codes_KP, shown.codes_KP, spoken
        return cls(*known, language, tone, continues, prefix=voice.prefix, mixed=voice.mixed, notes=voice.notes)


@dataclass(frozen=True, slots=True)
class Turn:
    """What to generate next."""

    condition: Condition
    most_frames: int
    seed: int
    phonemes: str
    """Of what is to be said, without what it continues."""


@dataclass(frozen=True, slots=True)
class Said:
    """A part of a text as it was spoken."""

    text: str
    phonemes: str
    frames: int
    """Of its codes."""
    cut: bool
    """Whether it reached its longest length, and so may lack its end."""
    continues: bool
    """Whether it continues the part before it."""
    takes: int = 1
    """As in `Speech`, for this part."""
    faults: tuple[Fault, ...] = ()
    discarded: tuple[Fault, ...] = ()


class Recital:
    """Speaks one text: call `turn`, generate what it asks for, `add` it, and again until `turn` returns None.

    Several recitals can be spoken side by side, since their turns don't depend on each other.

    Args:
        script: The text, divided.
        voice: In whose voice.
        lengths: How long the utterances are that the model was trained on: no turn asks for more.
        read: Returns the phonemes of a text.
        most_frames: Most frames of all parts and pauses together; None for any number.
        frame_rate: Frames per second.
        seed: Seed of the first part; those of the others are derived from it.
    """

    def __init__(
        self,
        script: Script,
        voice: Speaker,
        *,
        lengths: Lengths,
        read: Callable[[str], str],
        most_frames: int | None,
        frame_rate: float,
        seed: int,
    ) -> None:
        self.script = script
        self._voice, self._lengths, self._read, self._seed = voice, lengths, read, seed
        self._rate = frame_rate
        self._left = None if most_frames is None else most_frames - round(script.lead_s * frame_rate)
        self._spoken: list[Speech] = []
        self._said: list[Said] = []
        self._continuing = False

    def turn(self) -> Turn | None:
        """Returns what to generate next; None if all is said, or no frame is left."""
        number = len(self._spoken)
        if number == len(self.script.parts) or (number and self._left is not None and self._left < 1):
            return None
        part, longest = self.script.parts[number], self._lengths.longest_frames
        condition = self._continuation(part)
        self._continuing = condition is not None
        if condition is not None:
            longest -= self._context_frames(condition)
        most = longest if self._left is None else max(1, min(longest, self._left))
        return Turn(condition or self._opening(part), most, _derived(self._seed, number), part.phonemes)

    @property
    def pause_s(self) -> float:
        """Silence after the part of the last turn, in seconds."""
        return self.script.parts[len(self._spoken)].pause_s

    @property
    def is_last(self) -> bool:
        """Whether the part of the last turn is the last of the text."""
        return len(self._spoken) + 1 == len(self.script.parts)

    def add(self, speech: "Speech") -> None:
        """Takes the response to the last turn."""
        part = self.script.parts[len(self._spoken)]
        frames = speech.codes.shape[1]
        self._spoken.append(speech)
        told = speech.takes, speech.faults, speech.discarded
        self._said.append(Said(part.text, part.phonemes, frames, speech.cut, self._continuing, *told))
        if self._left is not None:
            self._left -= frames + round(part.pause_s * self._rate)

    def speech(self) -> "Speech":
        """Returns all that was spoken, joined. Needs at least one response."""
        first, parts = self._spoken[0], self.script.parts[: len(self._spoken)]
        is_whole = len(parts) == len(self.script.parts)
        pauses_s = [part.pause_s for part in parts]
        if not is_whole:
            pauses_s[-1] = 0.0
        waves = [speech.samples for speech in self._spoken]
        return replace(
            first,
            samples=joined(waves, pauses_s, first.sample_rate, lead_s=self.script.lead_s),
            codes=np.concatenate([speech.codes for speech in self._spoken], axis=1),
            phonemes=" ".join(part.phonemes for part in parts),
            unseen="".join(sorted(set().union(*(speech.unseen for speech in self._spoken)))),
            cut=not is_whole or any(said.cut for said in self._said),
            compute_s=sum(speech.compute_s for speech in self._spoken),
            sentences=self.script.sentences,
            parts=tuple(self._said),
            notes=self._voice.notes,
            takes=sum(said.takes for said in self._said),
            faults=tuple(fault for said in self._said for fault in said.faults),
            discarded=tuple(fault for said in self._said for fault in said.discarded),
            unsaid=" ".join(part.text for part in self.script.parts[len(parts) :]),
            layers=reduce(add, [one.layers for one in self._spoken if one.layers]) if first.layers else None,
            passes=None if first.passes is None else sum(speech.passes or 0 for speech in self._spoken),
        )

    def _opening(self, part: Part) -> Condition:
        """Returns the condition of a part that is spoken after the prompt alone."""
        voice = self._voice
        if voice.prompt_text is None:
            read = part.phonemes, voice.language, voice.shortened_KP
            return Condition(*read, "tts", tone=voice.tone, mixed=voice.mixed)
        return self._following(self._read(f"{voice.prompt_text} {part.text}"), part.phonemes, voice.prompt_KP)

    def _following(self, phonemes: str, unsaid: str, codes_KP: Codes) -> Condition:
        """Returns the condition of a part that goes on from codes; the phonemes are of both."""
        voice = self._voice
        if not voice.prefix:
            return Condition(phonemes, voice.language, codes_KP, "tts-c", tone=voice.tone, unsaid=unsaid)
        begun_KT = codes_KP[:, codes_KP.shape[1] % voice.group :]
        read = phonemes, voice.language, voice.shortened_KP
        return Condition(*read, "tts", tone=voice.tone, begun_KT=begun_KT, unsaid=unsaid)

    def _context_frames(self, condition: Condition) -> int:
        """Returns the frames of what a part goes on from."""
        codes_KP = condition.begun() if self._voice.prefix else condition.prompt_KP
        return int(codes_KP.shape[1])

    def _continuation(self, part: Part) -> Condition | None:
        """Returns the condition of a part that continues the one before; None if it can't."""
        if not self._spoken or part.opens or not self._goes_on() or not self._is_sound(self._said[-1]):
            return None
        expected = _ROOM * self._lengths.expected_frames(len(part.phonemes))
        for text, codes_KP in self._contexts():
            phonemes = self._read(f"{text} {part.text}")
            if self._lengths.fits(len(phonemes)) and codes_KP.shape[1] + expected <= self._lengths.longest_frames:
                return self._following(phonemes, part.phonemes, codes_KP)
        return None

    def _goes_on(self) -> bool:
        """Returns whether parts can continue each other: a response that begins with given codes needs no training."""
        return self._voice.continues or self._voice.prefix

    def _contexts(self) -> Iterator[tuple[str, Codes]]:
        """Yields what a part may continue, best first: prompt and last part together, or the last part."""
        text, codes_KP = self._said[-1].text, self._spoken[-1].codes
        if self._voice.prompt_text is not None:
            yield f"{self._voice.prompt_text} {text}", np.concatenate([self._voice.prompt_KP, codes_KP], axis=1)
        yield text, codes_KP

    def _is_sound(self, said: Said) -> bool:
        """Returns whether a part has as many frames as its text takes in the training set."""
        fewest, most = self._lengths.fewest_per_symbol, self._lengths.most_per_symbol
        return not said.cut and not said.faults and fewest <= said.frames / len(said.phonemes) <= most


def _derived(seed: int, number: int) -> int:
    """Returns the seed of a part: that of the text for the first one."""
    if not number:
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=7).digest(), "big")
