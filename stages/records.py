"""What flows between the stages: plain frozen records that turn into one JSON line each and back.

A record never holds an absolute path: audio is named relative to the voices folder, so that a dataset can be moved.
Positions in audio are whole samples at the recording's own rate.
"""

import dataclasses
import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stages.errors import CodecError

Wave = npt.NDArray[np.float32]
"""Mono audio, `[samples]`, in [-1, 1]."""

Codes = npt.NDArray[np.unsignedinteger[Any]]
"""Codec codes, `[K, T]`, in the smallest unsigned type that holds the codebook."""


class Record:
    """Base of the records: to and from plain JSON values."""

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values, in order; tuples become lists, and what is None is left out."""
        values = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.init)  # type: ignore[arg-type]
        return {name: _plain(value) for name, value in values if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record from what `to_json` gave; raises `TypeError` on an unknown or missing field."""
        return cls(**data)

    @property
    def duration_s(self) -> float:
        """Seconds of audio; 0 where a record holds none."""
        return 0.0

    def content(self) -> bytes:
        """Returns bytes that are equal exactly when the records are; fingerprints are made of them."""
        return to_line(self.to_json()).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def to_line(data: dict[str, Any]) -> str:
    """Returns one JSON line (without its end), the same bytes for the same values."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def count_phonemes(phonemes: str) -> int:
    """Returns how many phonemes a string of IPA holds: its letters.

    What modifies one isn't counted: stress, length, aspiration, palatalisation, ties, tones; nor is punctuation. To
    Unicode most of these are letters too, of the category `Lm`.
    """
    return sum(symbol.isalpha() and unicodedata.category(symbol) != "Lm" for symbol in phonemes)


@dataclass(frozen=True, slots=True)
class Recording(Record):
    """A source file: what the scan of a voices folder finds."""

    id: str
    """Path below the voices folder, `/`-separated, with its suffix."""
    group: str
    """The folder above the speaker; empty when there is none."""
    speaker: str
    digest: str
    """SHA-256 of the file."""
    transcript: str = ""
    """Path of the transcript beside it, or of the table that tells of it, below the voices folder; empty when there is
    none."""
    transcript_digest: str = ""
    """SHA-256 of the transcript beside it; empty for a table, of which only `told` counts."""
    told: str = ""
    """What its corpus's table tells of it, as JSON; empty when there is none.

    `layout` and `table` name the table, `content` is what `transcripts.read_json` takes, and `problem` is why the row
    can't be used, else empty. The table's rows become this in `corpus`, and a script in `transcripts.read_told`.
    """


@dataclass(frozen=True, slots=True)
class Word(Record):
    """A word and where it is spoken."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True, slots=True)
class Segment(Record):
    """A timed piece of a transcript."""

    start_samples: int
    end_samples: int
    text: str
    language: str
    words: tuple[Word, ...] = ()
    speaker: str | None = ""
    """Who speaks; empty for the recording's own speaker, None where several do at once."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the segment and its words."""
        return cls(**{**data, "words": tuple(Word.from_json(word) for word in data["words"])})


_MISFIT_IN_SOURCE = re.compile("([a-z]+)-(pocketsphinx|wav2vec2)")
"""What `source` was in datasets from before `misfit` was a field."""


@dataclass(frozen=True, slots=True)
class Transcript(Record):
    """A recording with the text of what is said in it."""

    id: str
    """The recording's id."""
    group: str
    speaker: str
    sample_rate: int
    """Hz, of the recording itself; all positions count in it."""
    samples: int
    """Length of the recording."""
    language: str
    """ISO 639-1 code."""
    source: str
    """Where the text comes from: the suffix of the transcript (`txt`, `json`, …), the layout (`ljspeech`, …), or
    `whisperx`; `+pocketsphinx` and `+wav2vec2` say what placed its words in time."""
    timed: bool
    """Whether the segments' borders were heard; False where one untimed text covers the whole recording."""
    segments: tuple[Segment, ...] = ()
    digest: str = ""
    """SHA-256 of the recording, so that what is made of its audio follows it."""
    misfit: str | None = None
    """The aligner that found that the text isn't all that is said; None where none did."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.samples / self.sample_rate

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the transcript and its segments; `source` once told of a misfit too."""
        if "misfit" not in data and (told := _MISFIT_IN_SOURCE.fullmatch(data["source"])):
            data = {**data, "source": told[1], "misfit": told[2]}
        return cls(**{**data, "segments": tuple(Segment.from_json(segment) for segment in data["segments"])})


@dataclass(frozen=True, slots=True)
class Measures(Record):
    """What was measured of a cut's audio as the recording holds it, before any gain; see `stages.utterances.measures`."""

    snr_db: float
    """Speech over noise, -20 to 100 dB, estimated without knowing either."""
    clipped: float
    """Share of the samples at full scale."""
    silence: float
    """Share of the frames of 10 ms that are 40 dB and more under the cut's level."""
    peak: float
    """The largest absolute sample; 1 is full scale."""
    hash: str
    """Of the samples: equal cuts have equal ones, whatever the lossless format that they came from."""
    loudness_lufs: float | None = None
    """Integrated loudness, ITU-R BS.1770-4; None where nothing is louder than its gate (-70 LUFS)."""
    sig: float | None = None
    """DNSMOS P.835 of the speech, 1 to 5; None where it wasn't asked for."""
    bak: float | None = None
    """DNSMOS P.835 of the background."""
    ovrl: float | None = None
    """DNSMOS P.835 of the whole."""


@dataclass(frozen=True, slots=True)
class Utterance(Record):
    """One cut with text: a row of the dataset. Later stages fill the later fields."""

    id: str
    """The recording's id for a whole file, else `recording#start-end` in samples."""
    recording: str
    """The recording's id: the audio's path below the voices folder."""
    group: str
    speaker: str
    language: str
    start_samples: int
    end_samples: int
    sample_rate: int
    """Hz, of the recording; `start_samples` and `end_samples` count in it."""
    text: str
    phonemes: str = ""
    """Filled by `g2p`."""
    frames: int = 0
    """Filled by `encode`: T of the codes."""
    digest: str = ""
    """SHA-256 of the recording; not kept in the store."""
    gain_db: float = 0.0
    """By which the cut is made louder wherever it is read (`slice.loudness_lufs`)."""
    measures: Measures | None = None
    """In the rows of `slice` alone, and in what it filtered: thresholds look at them, and reports."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return (self.end_samples - self.start_samples) / self.sample_rate

    @property
    def characters_per_s(self) -> float:
        """Characters of the text a second."""
        return len(self.text) / self.duration_s

    @property
    def phonemes_per_s(self) -> float:
        """Phonemes a second."""
        return count_phonemes(self.phonemes) / self.duration_s

    def content(self) -> bytes:
        """Returns bytes that are equal exactly when the utterances are, whatever was measured of them.

        What a later stage makes of an utterance doesn't depend on that, and so isn't made again when more is measured.
        """
        return Record.content(dataclasses.replace(self, measures=None))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the utterance and its measures."""
        measures = data.get("measures")
        return cls(**(data if measures is None else {**data, "measures": Measures.from_json(measures)}))


@dataclass(frozen=True, slots=True)
class CodecIdentity(Record):
    """Which codec made some codes; stored beside them and in every model that speaks them."""

    name: str
    """The codec's row in the table: what `load_codec` takes to decode the codes."""
    sample_rate: int
    """Hz, of the waves."""
    frame_rate: float
    """Frames per second: T = ceil(samples * frame_rate / sample_rate)."""
    num_codebooks: int
    codebook_size: int
    revision: str
    """Short SHA-256 of the weights that turn waves into codes."""

    def describe(self) -> str:
        """Returns the identity in a line, for tables and messages."""
        shape = f"{self.num_codebooks} x {self.codebook_size}"
        return f"{self.name}, {self.sample_rate} Hz, {shape} at {self.frame_rate:g} Hz, weights {self.revision}"

    def require(self, found: "CodecIdentity", where: str) -> None:
        """Checks that the codes of `found`, which `where` holds, mean the same here.

        The name isn't compared: `vocos` decodes what `encodec` encoded, and `revision` tells all else apart.

        Raises:
            CodecError: naming each part that differs.
        """
        parts = ("sample_rate", "frame_rate", "num_codebooks", "codebook_size", "revision")
        differing = [
            f"`{part}` must be {getattr(self, part)!r}, but is {getattr(found, part)!r}"
            for part in parts
            if getattr(self, part) != getattr(found, part)
        ]
        if differing:
            raise CodecError(
                f"`{where}` must agree with the codec {self.describe()}, but was made with {found.describe()}:"
                f" {'; '.join(differing)}. Give the codec and weights that it was made with, or make it again."
            )


@dataclass(frozen=True, slots=True)
class Encoded(Record):
    """An utterance with its codes; the codes travel beside the row, not in it."""

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
        """Returns the row's bytes and the codes'."""
        return Record.content(self.utterance) + self.codes_KT.tobytes()
