"""The records that flow between the stages: frozen dataclasses, stored as one JSON line each.

Audio is named relative to the voices folder, never by an absolute path, so that a dataset can be moved. Positions in
audio are whole samples at the recording's own sample rate.
"""

import dataclasses
import json
import re
import unicodedata
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stages.errors import CodecError

Wave = npt.NDArray[np.float32]
"""Mono audio, `[samples]`, in [-1, 1]."""
Codes = npt.NDArray[np.unsignedinteger[Any]]
"""Codec codes, `[K, T]`, in the smallest unsigned type that holds the codebook."""
UNKNOWN = "<unk>"
"""A word that is spoken, but that the transcript doesn't spell."""


class Record:
    """Base of the records: converts to and from plain JSON values."""

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values, in order; tuples become lists, None is left out."""
        names: tuple[str, ...] = self.__match_args__  # type: ignore[attr-defined]
        values = zip(names, map(getattr, repeat(self), names), strict=True)
        return {n: _plain(v) if isinstance(v, tuple | Record) else v for n, v in values if v is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record from the output of `to_json`; raises `TypeError` on an unknown or missing field."""
        return cls(**data)

    @property
    def duration_s(self) -> float:
        """Seconds of audio; 0 for a record without audio."""
        return 0.0

    def content(self) -> bytes:
        """Returns bytes for fingerprints: equal exactly if the records are equal."""
        return to_line(self.to_json()).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def to_line(data: dict[str, Any]) -> str:
    """Returns values as one JSON line, without the newline; the same bytes for the same values."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def count_phonemes(phonemes: str) -> int:
    """Counts the phonemes in a string of IPA: its letters.

    Modifiers aren't counted (stress, length, ties, tones; Unicode calls most of them letters too), nor is punctuation.
    """
    return sum(symbol.isalpha() and unicodedata.category(symbol) != "Lm" for symbol in phonemes)


@dataclass(frozen=True, slots=True)
class Recording(Record):
    """A source file that the scan of a voices folder found."""

    id: str
    """Path below the voices folder, `/`-separated, with its suffix."""
    group: str
    """The folder above the speaker; "" if there is none."""
    speaker: str
    digest: str
    """SHA-256 of the file."""
    transcript: str = ""
    """Path, below the voices folder, of the transcript beside it or of the table with its row; "" if there is none."""
    transcript_digest: str = ""
    """SHA-256 of the transcript beside it; "" for a table, where only the row in `told` matters."""
    told: str = ""
    """Its row in a corpus's table, as JSON; "" if there is none. `layout` and `table` name the table, `content` is the
    text in whisperX's format, and `problem` says why the row can't be used, else it is ""."""


@dataclass(frozen=True, slots=True)
class Word(Record):
    """A word and its position in the audio."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True, slots=True)
class Certainty(Record):
    """How sure whisper was of what it heard; of several segments together, the worst values of any."""

    avg_logprob: float
    """Mean log-probability of the text's tokens; 0 at best."""
    no_speech_prob: float
    """Probability that nobody speaks, 0 to 1."""
    compression_ratio: float
    """How much shorter zlib makes the text: loops lie above 2.4."""
    language: str
    """Code of the language that it heard, as whisper names it."""
    language_probability: float | None = None
    """Probability of that language, 0 to 1; None if it was given, or if the model knows only one."""


@dataclass(frozen=True, slots=True)
class Segment(Record):
    """A timed piece of a transcript."""

    start_samples: int
    end_samples: int
    text: str
    language: str
    words: tuple[Word, ...] = ()
    speaker: str | None = ""
    """The speaker; "" for the recording's own speaker, None if several speak in it."""
    certainty: Certainty | None = None
    """How sure whisper was of it; None if the text was given."""

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values; the speaker also if it is None, which isn't its default."""
        data = Record.to_json(self)
        return data if self.speaker is not None else {**data, "speaker": None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the segment with its words and its certainty."""
        sure = data.get("certainty") and Certainty.from_json(data["certainty"])
        return cls(**{**data, "words": tuple(Word.from_json(word) for word in data["words"]), "certainty": sure})


@dataclass(frozen=True, slots=True)
class BadSegment(Record):
    """A segment of a transcript that can't be used; the others of its recording can."""

    name: str
    """Its place in the transcript, such as `segments[3]`."""
    why: str
    """What is wrong with it, in one line."""
    reason: str = "BadTimes"
    """The reason under which `slice` counts it."""
    start_samples: int | None = None
    """Where it begins; None if that isn't known, or isn't in the recording."""
    end_samples: int | None = None
    """Where the segment after it begins, if it has no times of its own: it is somewhere before."""


@dataclass(frozen=True, slots=True)
class Taken(Record):
    """What a transcript holds besides speech, of one kind: it was taken out of the texts."""

    kind: str
    """`sounds`, `songs`, `labels` of speakers, `markup`, `repeats` of rolling captions, or `unknown`: words that the
    transcript doesn't spell, which become `<unk>`."""
    count: int
    examples: tuple[str, ...] = ()
    """The most frequent ones, as they were written."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record."""
        return cls(**{**data, "examples": tuple(data["examples"])})


_MISFIT_IN_SOURCE = re.compile("([a-z]+)-(pocketsphinx|wav2vec2)")  # in older datasets, without the field `misfit`


@dataclass(frozen=True, slots=True)
class Transcript(Record):
    """A recording with its text."""

    id: str
    """The recording's id."""
    group: str
    speaker: str
    sample_rate: int
    samples: int
    """Length of the recording; all positions are samples at its rate, in Hz."""
    language: str
    """ISO 639-1 code."""
    source: str
    """Origin of the text: the transcript's suffix, the layout (`ljspeech`, …) or `whisperx`; then `+` and the aligner
    that added the times, if one did."""
    timed: bool
    """Whether the segments have times; False if one text without times covers the whole recording."""
    segments: tuple[Segment, ...] = ()
    digest: str = ""
    """SHA-256 of the recording, so that its utterances are made again when the audio changes."""
    misfit: str | None = None
    """The aligner that found speech missing from the text; None if none did."""
    reading: str | None = None
    """What is unusual in how the sound was read, such as another decoder, a scale or a channel; None if nothing is."""
    taken: tuple[Taken, ...] | None = None
    """What was taken out of the texts; None if nothing was."""
    bad: tuple[BadSegment, ...] | None = None
    """Segments that can't be used; None if all can."""
    guessed: bool | None = None
    """True if the language was detected from a text too short to tell it; None if not."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.samples / self.sample_rate

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the transcript and its segments, also from older datasets, where `source` included the misfit."""
        if "misfit" not in data and (match := _MISFIT_IN_SOURCE.fullmatch(data["source"])):
            data = {**data, "source": match[1], "misfit": match[2]}
        parts: dict[str, Any] = {"segments": tuple(Segment.from_json(segment) for segment in data["segments"])}
        for name, kind in (("taken", Taken), ("bad", BadSegment)):
            if name in data:
                parts[name] = tuple(kind.from_json(part) for part in data[name])
        return cls(**{**data, **parts})


@dataclass(frozen=True, slots=True)
class Measures(Record):
    """Measures of a cut's recorded audio, before any gain; see `stages.utterances.measures`."""

    snr_db: float
    """Estimated signal-to-noise ratio, -20 to 100 dB."""
    clipped: float
    silence: float
    """Share of the 10 ms frames at least 40 dB below the cut's level; before it that of the samples at full scale."""
    peak: float
    """The largest absolute sample; 1 is full scale."""
    hash: str
    """Hash of the samples: equal for equal audio, in whatever lossless format."""
    loudness_lufs: float | None = None
    """Integrated loudness, ITU-R BS.1770-4; None if nothing is louder than the gate (-70 LUFS)."""
    sig: float | None = None
    bak: float | None = None
    ovrl: float | None = None
    """DNSMOS P.835 of the whole, 1 to 5; before it those of the speech and the background. None if not computed."""
    voice: float | None = None
    """Share of a heard cut's time in which silero hears a voice; None if the text was given."""
    bandwidth_hz: float | None = None
    srmr: float | None = None
    """Less with more reverberation; before it the highest frequency with speech, in Hz. None if it can't be told."""
    begins_db: float | None = None
    ends_db: float | None = None
    """Level of the loudest sound at the first and last 50 ms, see `edge_levels`. None if it is background."""
    sketch: str | None = None
    """What near copies have in common, see `stages.utterances.sketch`; None if there is too little sound."""


@dataclass(frozen=True, slots=True)
class HeardAgain(Record):
    """What a second model heard in a cut, compared with the row's text; see `stages.utterances.misheard`."""

    text: str
    """What it heard; "" for nothing."""
    misheard: float
    """Character error rate, counted in the row's text; above 1 if much more was heard."""
    first: float
    last: float
    """The same of the first and last word, with what was heard before and after them, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Utterance(Record):
    """One cut with text: a row of the dataset. Later stages fill the later fields."""

    id: str
    """The recording's id for a whole file, else `recording#start-end` in samples."""
    recording: str
    """The recording's id: the audio's path below the voices folder; of one channel, with `@left` or `@right`."""
    group: str
    speaker: str
    language: str
    start_samples: int
    end_samples: int
    sample_rate: int
    """Hz, of the recording; `start_samples` and `end_samples` are at this rate."""
    text: str
    phonemes: str = ""
    """Filled by `g2p`."""
    frames: int = 0
    """Filled by `encode`: T of the codes `[K, T]`."""
    digest: str = ""
    """SHA-256 of the recording; not kept in the store."""
    gain_db: float = 0.0
    """Gain in dB that is applied whenever the cut is read (`slice.loudness_lufs`)."""
    measures: Measures | None = None
    """Only in the rows of `slice` and those it filtered; for thresholds and reports."""
    reading: str | None = None
    """What is unusual in how the sound was read; None if nothing is. Not kept in the store."""
    certainty: Certainty | None = None
    """How sure whisper was of the text; None if it was given. Kept where the measures are, as `again` is."""
    again: HeardAgain | None = None
    """What `transcribe.verify` heard; None if it wasn't asked, or doesn't know the language."""
    spoken: str | None = None
    """The text as `g2p` says it, in words; None where nothing is said otherwise than it is written."""
    unread: tuple[str, ...] | None = None
    """Letters and signs of the text that `g2p` can't read; None if it reads all. Not kept in the store."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return (self.end_samples - self.start_samples) / self.sample_rate

    def bare(self, **changes: Any) -> Self:
        """Returns the utterance, changed, without what only thresholds and reports use, as later stages keep it."""
        return dataclasses.replace(self, measures=None, certainty=None, again=None, **changes)

    def content(self) -> bytes:
        """Returns bytes for fingerprints, without what later stages don't use: it doesn't make them work again."""
        return to_line({name: value for name, value in self.to_json().items() if name not in ASIDE}).encode()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the utterance and its measures."""
        parts: dict[str, Any] = {name: kind.from_json(data[name]) for name, kind in ASIDE.items() if name in data}
        if (unread := data.get("unread")) is not None:
            parts["unread"] = tuple(unread)
        return cls(**{**data, **parts})


ASIDE: dict[str, type[Record]] = {"measures": Measures, "certainty": Certainty, "again": HeardAgain}
"""The fields of an utterance that only thresholds and reports use, and their types."""


@dataclass(frozen=True, slots=True)
class CodecIdentity(Record):
    """The codec that made some codes; stored beside the codes and in every model trained on them."""

    name: str
    """The codec's name in `CODECS`, for `load_codec`."""
    sample_rate: int
    """Hz of the waves that it encodes."""
    frame_rate: float
    """Frames per second: T = ceil(samples * frame_rate / sample_rate)."""
    num_codebooks: int
    codebook_size: int
    revision: str
    """Short SHA-256 of the encoder's weights."""
    decoded_rate: int | None = None
    """Hz of the waves that it decodes to; None if that is `sample_rate`."""
    licence: str | None = field(default=None, compare=False)
    """The licence of the weights; None if nobody asked. It changes no code, so it isn't compared."""

    def describe(self) -> str:
        """Returns the identity as one line, for tables and messages."""
        shape = f"{self.num_codebooks} x {self.codebook_size} at {self.frame_rate:g} Hz"
        rates = f"{self.sample_rate} Hz" + (f" in, {self.decoded_rate} Hz out" if self.decoded_rate else "")
        return f"{self.name}, {rates}, {shape}, weights {self.revision}"

    def require(self, found: "CodecIdentity", where: str) -> None:
        """Checks that codes of another codec mean the same here.

        The name isn't compared, because `vocos` decodes the codes of `encodec`; `revision` differs for all others.

        Args:
            found: The codec of those codes.
            where: What holds them, for the message.

        Raises:
            CodecError: if a part differs; the message names each.
        """
        parts = ("sample_rate", "frame_rate", "num_codebooks", "codebook_size", "revision")
        pairs = [(part, getattr(self, part), getattr(found, part)) for part in parts]
        wrong = [f"`{part}` must be {mine!r}, but is {theirs!r}" for part, mine, theirs in pairs if mine != theirs]
        if wrong:
            raise CodecError(
                f"`{where}` must agree with the codec {self.describe()}, but was made with {found.describe()}:"
                f" {'; '.join(wrong)}. Give the codec and weights that it was made with, or make it again."
            )


@dataclass(frozen=True, slots=True)
class Encoded(Record):
    """An utterance with its codes, which are stored beside the row."""

    utterance: Utterance
    codes_KT: Codes = field(repr=False)

    @property
    def id(self) -> str:
        """The utterance's id."""
        return self.utterance.id

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.utterance.duration_s

    def content(self) -> bytes:
        """Returns bytes for fingerprints: those of the row, then those of the codes."""
        return Record.content(self.utterance) + self.codes_KT.tobytes()
