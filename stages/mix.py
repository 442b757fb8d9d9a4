"""The stage `mix`: mixes in noise, other speakers and other pitches, for the tasks that need them.

An utterance's noise and interfering speaker depend only on its id, on `mix.seed` and on the files to choose from.
`valle-prep run` skips this stage unless `mix.noise`, `mix.speech` or `mix.shift` is set.
"""

import hashlib
import heapq
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from stages.artefacts.manifest import digest_of, read_codec
from stages.audio import files as audio
from stages.audio.mixing import at_snr, limited, shifted, stretch
from stages.base import Filtered, Reject, Stage, guarded
from stages.codecs.codec import LongCodes
from stages.codecs.table import CODECS, Codec, codec_identity, encode_arrays, identity_of, load_codec
from stages.config import StageConfig, runtime
from stages.corpora.scan import owner_of, walk
from stages.errors import AudioError, MissingInputError, NotFetchedError, UsageError, WeightsError
from stages.ids import Mixture, id_of, mixture_id, path_of
from stages.records import Encoded, Recording, Utterance, Wave
from stages.remote.paths import path_from
from stages.store.index import index_shards
from stages.store.shards import StoreShards
from stages.tar import members

MOST_CANDIDATES = 1000
"""Files of a folder that are used at most."""
_MOST_TRIED = 8
"""Files tried for an utterance, until one can be read and isn't silent."""

Range = tuple[float, float]


class MixConfig(StageConfig):
    """What is mixed in, and how loudly."""

    noise: str | None = runtime(None)
    """Folder of noise recordings (at most 1,000 files are used). Makes `noisy` and `noise`, for the tasks `ns`, `sr`
    and `nse`. File names and sizes, not the path, enter the fingerprint."""
    speech: str | None = runtime(None)
    """Folder of speech, as `<group>/<speaker>/<file>` or `<speaker>/<file>`, or a corpus with tables; may be the
    voices folder itself. Makes `overlaid`, for the task `tse`. Fingerprint as for `noise`."""
    shift: bool = False
    """Whether to make `shifted` (another pitch), for the task `vc`."""
    snr_db: Range = Field(default=(-5.0, 20.0), strict=False)
    """Signal-to-noise ratio in dB: lowest and highest, drawn uniformly."""
    gain: Range = Field(default=(0.5, 0.75), strict=False)
    """Level of the other speaker in `overlaid`: lowest and highest, as a multiple of the speech's RMS."""
    semitones: Range = Field(default=(2.0, 6.0), strict=False)
    """Pitch shift up or down, in semitones: smallest and largest."""
    seed: int = 0
    """Seed of all random choices."""
    batch_size: int = runtime(8, ge=1)
    """Utterances whose mixtures share one call of the codec. Doesn't change results on the CPU; on CUDA rounding
    may."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name in ("snr_db", "gain", "semitones"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"`{name}` must go from the lower to the higher, but is [{low}, {high}]")
        if min(*self.gain, *self.semitones) <= 0:
            raise ValueError("`gain` and `semitones` must be greater than 0")
        return self


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be mixed in."""

    path: str
    """Path below the folder, as an id."""
    speaker: str
    bytes: int


@dataclass(frozen=True, slots=True)
class _Clip:
    """A mixture that is yet to be encoded."""

    kind: Mixture
    wave: Wave


class Mix(Stage[MixConfig, Encoded, Encoded]):
    """Mixes each utterance with noise and other speech, shifts its pitch, and encodes the results."""

    name = "mix"
    needs = "encode"
    version = 1
    one_to_one = False
    computes = True
    optional = True
    format = StoreShards()
    joins = ("encode",)

    _codec: Codec

    @property
    def batch_size(self) -> int:
        """Utterances per call of `process`."""
        return self.config.batch_size

    def wanted(self) -> bool:
        """Returns whether the configuration asks for a mixture."""
        return bool(self.config.noise or self.config.speech or self.config.shift)

    @cached_property
    def noises(self) -> list[Candidate]:
        """The files of `mix.noise`."""
        return candidates(_folder(self.config.noise)) if self.config.noise else []

    @cached_property
    def speeches(self) -> list[Candidate]:
        """The files of `mix.speech`; in the voices folder itself, `transcribe` says how its tables are read."""
        if not self.config.speech:
            return []
        folder = _folder(self.config.speech)
        if not _same(folder, self.context.voices):
            return candidates(folder, layout="auto")
        return candidates(folder, layout=self.context.layout, columns=dict(self.context.columns))

    @cached_property
    def _places(self) -> list[str]:
        """The paths of the files of `mix.speech`, with links resolved."""
        return [os.path.realpath(_folder(self.config.speech or "") / path_of(file.path)) for file in self.speeches]

    def revision(self) -> str:
        """Returns a short hash of the paths, sizes and speakers of the files that may be mixed in; "" for no files."""
        noises = [[file.path, file.bytes] for file in self.noises]
        speeches = [[file.path, file.bytes, file.speaker] for file in self.speeches]
        return digest_of([noises, speeches])[:12] if noises or speeches else ""

    def parameters(self) -> Any:
        """As for every stage, and the way in which the codec computes, if it isn't its library's."""
        try:
            way = "" if self.context.exact else CODECS[read_codec(self.context.dataset).name].way
        except MissingInputError:
            way = ""  # `encode` hasn't run yet
        return [*super().parameters(), *filter(None, [way])]

    def check(self, items: Iterable[Encoded]) -> list[str]:  # noqa: ARG002
        """Returns the problems with the folders and with the codec's weights."""
        if not self.wanted():
            return ["nothing to mix: set `mix.noise`, `mix.speech` or `mix.shift`"]
        problems = []
        for folder in filter(None, (self.config.noise, self.config.speech)):
            try:
                candidates(_folder(folder), most=1)
            except UsageError as error:
                problems.append(str(error))
        try:
            codec = read_codec(self.context.dataset)
            codec_identity(codec.name, self.context.weights, sample_rate=codec.sample_rate)
        except (MissingInputError, NotFetchedError):
            pass  # `encode` hasn't run yet, and checks its weights itself
        except WeightsError as error:
            problems.append(str(error))
        return problems

    @property
    def imports(self) -> tuple[str, ...]:
        """What the codecs run on, and what changes the pitch."""
        return ("torch", "librosa.effects") if self.config.shift else ("torch",)

    def setup(self) -> None:
        """Loads the codec that encoded the utterances.

        Raises:
            MissingInputError: if `encode` hasn't run.
            CodecError: if the weights aren't those that `encode` used.
        """
        codec = read_codec(self.context.dataset)
        device, rate = self.context.device, codec.sample_rate
        exact = self.context.exact
        self._codec = load_codec(
            codec.name, self.context.weights, device, sample_rate=rate, exact=exact, codebooks=codec.num_codebooks
        )
        codec.require(identity_of(self._codec), str(self.context.weights or codec.name))

    def process(self, items: Sequence[Encoded]) -> list[list[Encoded | Filtered | Reject]]:
        """Mixes and encodes the utterances; a mixture that can't be made doesn't affect the utterance's others.

        Filtered:
            `Silent`: the utterance is silent; `NoOtherSpeaker`: all of `mix.speech` is by the same speaker.

        Rejected:
            `NothingToMix`: none of the files that were tried is usable.
        """
        mixed = guarded(items, self._mix, root=self.context.voices)
        clips = [clip for outcomes in mixed for clip in outcomes if isinstance(clip, _Clip)]
        codes = iter(encode_arrays(self._codec, [clip.wave for clip in clips]) if clips else [])
        return [
            [self._encoded(item, made.kind, next(codes)) if isinstance(made, _Clip) else made for made in outcomes]
            for item, outcomes in zip(items, mixed, strict=True)
        ]

    def _encoded(self, item: Encoded, kind: Mixture, codes_KT: LongCodes) -> Encoded:
        smallest = np.min_scalar_type(self._codec.codebook_size - 1)
        row = replace(item.utterance, id=mixture_id(item.id, kind), frames=codes_KT.shape[1])
        return Encoded(row, codes_KT.astype(smallest))

    def _mix(self, item: Encoded) -> list[_Clip | Filtered | Reject]:
        row = item.utterance
        place = self.context.place(row.recording)
        rate, gain_db = self._codec.sample_rate, row.gain_db
        speech = audio.read_cut(place, row.start_samples, row.end_samples, rate, gain_db=gain_db)
        if not np.any(speech):
            return [Filtered(item.id, "Silent", "the utterance is silent, so no level can be set against it")]
        made: list[_Clip | Filtered | Reject] = []
        if self.config.noise:
            made += self._with_noise(item.id, speech)
        if self.config.speech:
            made += self._with_speaker(item, speech)
        if self.config.shift:
            sign = 1 if self._draw(item.id, "direction") < 0.5 else -1
            semitones = sign * self._between(self.config.semitones, item.id, "semitones")
            made.append(_Clip("shifted", limited(shifted(speech, self._codec.sample_rate, semitones))[0]))
        return made

    def _with_noise(self, uid: str, speech: Wave) -> list[_Clip | Filtered | Reject]:
        assert self.config.noise
        noise = self._stretch(_folder(self.config.noise), self.noises, uid, "noise", len(speech))
        if noise is None:
            return [_unusable(mixture_id(uid, "noisy"), "noise")]
        noise = at_snr(speech, noise, self._between(self.config.snr_db, uid, "snr"))
        noisy, noise = limited(speech + noise, noise)
        return [_Clip("noisy", noisy), _Clip("noise", noise)]

    def _with_speaker(self, item: Encoded, speech: Wave) -> list[_Clip | Filtered | Reject]:
        assert self.config.speech
        uid, own = mixture_id(item.id, "overlaid"), self._names_of(item.utterance)
        itself = os.path.realpath(self.context.source(item.utterance.recording))
        pairs = zip(self.speeches, self._places, strict=True)
        others = [file for file, place in pairs if file.speaker not in own and place != itself]
        if not others:
            names = " or ".join(f"`{name}`" for name in sorted(own))
            return [Filtered(uid, "NoOtherSpeaker", f"all files of `mix.speech` are by a speaker named {names}")]
        other = self._stretch(_folder(self.config.speech), others, item.id, "speech", len(speech))
        if other is None:
            return [_unusable(uid, "speech")]
        gain = self._between(self.config.gain, item.id, "gain")
        return [_Clip("overlaid", limited(speech + at_snr(speech, other, -20 * np.log10(gain)))[0])]

    def _names_of(self, row: Utterance) -> set[str]:
        """Returns the names under which files may be by an utterance's own speaker.

        These are the utterance's speaker, which a transcript or diarisation may have named, and the speaker that the
        recording's folder names.
        """
        only_speaker = id_of(self.context.voices.resolve().name)
        return {row.speaker, owner_of(row.recording.rpartition("/")[0], only_speaker)[1]}

    def _stretch(
        self, folder: Path, files: Sequence[Candidate], uid: str, what: Literal["noise", "speech"], samples: int
    ) -> Wave | None:
        """Draws a stretch of audio for an utterance; None if no file that was tried can be used.

        Args:
            folder: Where the files lie.
            files: The files to choose from, tried in an order by hash.
            uid: The utterance.
            what: What the audio is for.
            samples: Length of the stretch, at the codec's sample rate.
        """
        order = heapq.nsmallest(_MOST_TRIED, files, key=lambda file: (self._draw(uid, what, file.path), file.path))
        for file in order:
            path, position = folder / path_of(file.path), self._draw(uid, what, "place")
            try:
                wave = stretch(path, samples, self._codec.sample_rate, position)
            except AudioError:
                continue  # the file is at fault, not the utterance
            if np.any(wave):
                return wave
        return None

    def _draw(self, *what: str) -> float:
        """Returns a number in [0, 1) by hash: the same for the same seed and names."""
        text = "\n".join([str(self.config.seed), *what])
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    def _between(self, bounds: Range, *what: str) -> float:
        low, high = bounds
        return low + (high - low) * self._draw(*what)

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the index: the mixtures are a separate store."""
        return [index_shards(folder, shards, read_codec(self.context.dataset))]


def _unusable(uid: str, what: str) -> Reject:
    message = f"no file of `mix.{what}` that was tried ({_MOST_TRIED} at most) can be read and holds sound"
    return Reject(uid, "NothingToMix", message, f"look at `mix.{what}`; then `valle-prep retry --reason NothingToMix`")


def _folder(path: str) -> Path:
    return path_from(path).expanduser()


def _same(folder: Path, other: Path) -> bool:
    return folder.resolve() == other.resolve()


def candidates(
    folder: Path, most: int = MOST_CANDIDATES, *, layout: str = "voices", columns: Mapping[str, str] | None = None
) -> list[Candidate]:
    """Returns the audio files below a folder; of more than `most`, those whose paths have the smallest hashes.

    Choosing by hash means that an added file changes the choice of few utterances.

    Args:
        folder: The folder.
        most: The most files to return.
        layout: The corpus layout that names the speakers, as for `stages.corpora.scan.walk`.
        columns: Likewise.

    Raises:
        UsageError: if the folder is missing, can't be listed or holds no audio, or if a table can't be read.
    """

    def order(recording: Recording) -> tuple[bytes, str]:
        return hashlib.sha256(recording.id.encode()).digest(), recording.id

    files: Iterator[Recording] = walk(folder, Counter(), layout, columns)
    chosen = heapq.nsmallest(most, files, key=order)
    pairs = [(found, folder / path_of(found.id)) for found in chosen]
    return [
        Candidate(found.id, found.speaker, members.stamp(path)[0]) for found, path in pairs if members.is_file(path)
    ]


STAGE = Mix
