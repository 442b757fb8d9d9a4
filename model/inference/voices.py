"""Voices to keep: the codes of a prompt with what is said in it, in one file, and mixtures of them.

A voice is a safetensors file: the tensor `codes`, `[K, P]`, and JSON in its metadata under `valle.voice`.

Axes: K codebooks, P prompt frames.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from model.checkpoints.checkpoint import Checkpoint, Meta
from model.inference.prompts import checked_frames, repeated
from model.sequences.documents import Mixed
from stages.artefacts.disk import atomic
from stages.errors import ArtefactError, MachineError, MissingInputError, UsageError
from stages.records import CodecIdentity, Codes

SUFFIX = ".safetensors"
_KEY = "valle.voice"
_FORMAT = 1
_SHOWN = 12
_OTHER_LOUDNESS = 3.0
"""LUFS between a voice and what a model learnt, from which it is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice as a model takes it: a prompt, and what is known of it."""

    codes_KP: Codes
    """`[K, P]`."""
    codec: CodecIdentity
    """The codec of the codes."""
    model: str
    """The model that it was made for, as `model_identity` describes it."""
    texts: tuple[str, ...] | None = None
    """What its references say, in their order; None if unknown. A response then continues them."""
    loudness_lufs: float | None = None
    """Loudness of the audio that was encoded, in LUFS; None if it wasn't audio."""
    prefix: bool = False
    """Whether responses begin with the prompt: it is put before them, and taken off again. Needs `texts`."""
    mixed: Mixed = ()
    """For a mixture: weights and codes of its voices, each `[K, P]`."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it was made. Not kept in files."""

    def __post_init__(self) -> None:
        """Raises `UsageError` if the prompt is to begin responses, but its text isn't known."""
        if self.prefix and self.texts is None:
            raise UsageError(
                "A prompt that responses begin with (`prefix`, `--input-prompt-prefix`) needs its text, since the text"
                " is that of both. Give it (`texts`, `--ref-text`), or leave the prefix out."
            )

    def untold(self, longest_s: float) -> Self:
        """Returns the voice without what it says, so that nothing continues it, and cut to so many seconds."""
        frames = max(1, round(longest_s * self.codec.frame_rate))
        return replace(self.beginning(frames), texts=None, prefix=False) if self.texts is not None else self

    @property
    def is_continued(self) -> bool:
        """Whether responses continue the prompt (task `tts-c`)."""
        return self.texts is not None and not self.prefix

    def beginning(self, frames: int) -> Self:
        """Returns the voice with the first frames of its prompt."""
        mixed = tuple((weight, codes_KP[:, :frames]) for weight, codes_KP in self.mixed)
        return replace(self, codes_KP=self.codes_KP[:, :frames], mixed=mixed)

    @property
    def prompts(self) -> tuple[Codes, ...]:
        """The codes of all of its prompts: one, or one for each voice of a mixture."""
        return tuple(codes_KP for _, codes_KP in self.mixed) or (self.codes_KP,)

    def save(self, path: Path) -> None:
        """Writes the voice to a file, which appears whole or not at all.

        Raises:
            UsageError: if it is a mixture: its voices are kept one by one.
            MachineError: if the file can't be written.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        if self.mixed:
            raise UsageError("A mixture of voices can't be kept. Keep its voices, and mix them when they speak.")
        about = {
            "format": _FORMAT,
            "texts": self.texts,
            "loudness_lufs": self.loudness_lufs,
            "model": self.model,
            "codec": self.codec.to_json(),
        }
        codes_KP = np.ascontiguousarray(self.codes_KP, np.min_scalar_type(self.codec.codebook_size - 1))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as temporary:
                save_file({"codes": codes_KP}, temporary, {_KEY: json.dumps(about, ensure_ascii=False)})
        except (OSError, SafetensorError) as error:
            raise MachineError(f"`{path}` can't be written: {error}. Name another file, or make room.") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a voice from a file.

        Raises:
            MissingInputError: if there is no such file.
            ArtefactError: if it is damaged, or isn't a voice.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise MissingInputError(
                f"`{path}` must be a voice, but isn't there. Keep one with `valle voice REF… {path} --model DIR`."
            )
        try:
            with safe_open(path, "np") as file:
                about = json.loads((file.metadata() or {})[_KEY])
                codes_KP = file.get_tensor("codes")
            version = about["format"]
            codec = CodecIdentity.from_json(about["codec"])
            texts = None if about["texts"] is None else tuple(map(str, about["texts"]))
            heard = about["loudness_lufs"]
            voice = cls(codes_KP, codec, str(about["model"]), texts, None if heard is None else float(heard))
            _check_codes(codes_KP, codec)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise ArtefactError(
                f"`{path}` must be a file of `valle voice`, but can't be read as one: {reason}. Keep the voice again."
            ) from error
        if version != _FORMAT:
            raise ArtefactError(f"`{path}` must have format {_FORMAT}, but has format {version}. Keep the voice again.")
        return voice

    def resized(self, length_s: float | None) -> Self:
        """Returns the voice with its prompt repeated or cut to so many seconds; None leaves it as it is.

        Raises:
            UsageError: if the length is shorter than a frame, or the prompt's text is known, so that it can't be cut.
        """
        if length_s is None:
            return self
        frames = checked_frames(length_s, self.codec.frame_rate, self.texts)
        mixed = tuple((weight, repeated(codes_KP, frames)) for weight, codes_KP in self.mixed)
        return replace(self, codes_KP=repeated(self.codes_KP, frames), mixed=mixed)


def _check_codes(codes_KP: np.ndarray, codec: CodecIdentity) -> None:
    """Raises `ValueError` if these aren't codes of a codec, or no frame of them."""
    size = codec.codebook_size
    fits = (
        codes_KP.ndim == 2
        and len(codes_KP) == codec.num_codebooks
        and codes_KP.size > 0
        and codes_KP.dtype.kind in "iu"
    )
    if not fits or codes_KP.min() < 0 or codes_KP.max() >= size:
        raise ValueError(f"its codes aren't [{codec.num_codebooks}, P] whole numbers from 0 to {size - 1}")


def mix(voices: Sequence[Voice], weights: Sequence[float]) -> Voice:
    """Mixes voices: the embeddings of their prompts are summed frame by frame, with these weights.

    Shorter prompts are repeated to the length of the longest. What the references say isn't used. A voice with all of
    the weight speaks as it does alone. No model is trained on mixtures: docs/speaking.md tells what comes out.

    Args:
        voices: At least one; their codes are of one codec.
        weights: One for each, 0 or more; they count relative to their sum.

    Raises:
        UsageError: if there is no voice, or weights aren't numbers from 0 on with a sum above 0.
        CodecError: if the voices are of several codecs.
    """
    total = sum(weights)
    if not voices or len(weights) != len(voices) or not 0 < total < float("inf") or min(weights) < 0:
        raise UsageError(
            "Each voice of a mixture must have a weight, 0 or more, and not all 0, but the weights are"
            f" {', '.join(f'{weight:g}' for weight in weights) or 'none'}. Give `--voice FILE:WEIGHT`."
        )
    first = voices[0]
    for number, voice in enumerate(voices[1:], 2):
        first.codec.require(voice.codec, f"voice {number}")
    if len(voices) == 1:
        return first
    if any(voice.mixed or voice.prefix for voice in voices):
        raise UsageError("Only voices that aren't mixtures and that don't begin a response (`prefix`) can be mixed.")
    if not min(voice.codes_KP.shape[1] for voice in voices):
        raise UsageError("Each voice of a mixture must have a prompt, but one has no frames. Make it from a recording.")
    frames = max(voice.codes_KP.shape[1] for voice in voices)
    same_length = [repeated(voice.codes_KP, frames) for voice in voices]
    mixed = tuple((weight / total, codes_KP) for weight, codes_KP in zip(weights, same_length, strict=True))
    notes = [note for voice in voices for note in voice.notes]
    if any(voice.texts is not None for voice in voices):
        notes.append("what the mixed voices' references say isn't used")
    models = sorted({voice.model for voice in voices})
    return Voice(mixed[0][1], first.codec, " and ".join(models), mixed=mixed, notes=tuple(notes))


def model_identity(checkpoint: Checkpoint) -> str:
    """Describes a model by its step and a checksum of its configuration, vocabulary and description.

    Those hold seed, step and the dataset's fingerprint, so other weights mean another checksum; a copy or an export of
    a model has the same one.
    """
    meta = {**asdict(checkpoint.meta), "codec": checkpoint.meta.codec.to_json()}
    parts = [checkpoint.config.model_dump(mode="json"), list(checkpoint.tokenizer.tokens), meta]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"step {checkpoint.meta.step}, {digest[:_SHOWN]}"


def fitting(voice: Voice, meta: Meta, model: str) -> Voice:
    """Returns a voice for a model, with a note if it was made for another.

    Args:
        voice: The voice.
        meta: The model's description.
        model: The model's identity.

    Raises:
        CodecError: if its codes are of another codec.
    """
    meta.codec.require(voice.codec, "voice")
    if voice.model == model:
        return voice
    note = f"the voice was made for another model ({voice.model}) than this one ({model}), with the same codec"
    learnt, heard = meta.loudness_lufs, voice.loudness_lufs
    if learnt is not None and heard is not None and abs(learnt - heard) > _OTHER_LOUDNESS:
        note += f"; it has {heard:.1f} LUFS where this one learnt {learnt:.1f}: keep it again with this one"
    return replace(voice, notes=(*voice.notes, note))


def parse_choice(choice: str) -> tuple[str, float]:
    """Parses `VOICE` or `VOICE:WEIGHT`; the weight is 1 by default."""
    name, colon, weight = choice.rpartition(":")
    try:
        return (name, float(weight)) if colon and name else (choice, 1.0)
    except ValueError:
        return choice, 1.0


def read_voices(choices: Sequence[str], folder: Path | None = None) -> Voice:
    """Reads voices, and mixes them if they are several.

    Args:
        choices: `VOICE` or `VOICE:WEIGHT`: a file of `valle voice`, or with `folder` its name there.
        folder: A folder of voices.

    Raises:
        UsageError: if the folder has no such voice, or a weight isn't possible.
        MissingInputError: if there is no such file.
        ArtefactError: if a file is damaged.
        CodecError: if the voices are of several codecs.
    """
    parsed = [parse_choice(choice) for choice in choices]
    voices = [Voice.load(Path(name) if folder is None else _named(folder, name)) for name, _ in parsed]
    return mix(voices, [weight for _, weight in parsed])


def names_in(folder: Path) -> list[str]:
    """Returns the names of the voices in a folder, in order; raises `UsageError` if it isn't a folder."""
    if not folder.is_dir():
        raise UsageError(f"`--voices` must be a folder of voices, but `{folder}` isn't one. Check the path.")
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def _named(folder: Path, name: str) -> Path:
    known = names_in(folder)
    if name not in known:
        raise UsageError(
            f"`--voice` must name a voice of `{folder}`, but is `{name}`. There are"
            f" {', '.join(f'`{one}`' for one in known) or 'none'}. Keep one with `valle voice`."
        )
    return folder / f"{name}{SUFFIX}"


def about(voice: Voice) -> dict[str, Any]:
    """Returns what a command prints of a voice."""
    return {
        "seconds": round(voice.codes_KP.shape[1] / voice.codec.frame_rate, 3),
        "texts": "" if voice.texts is None else " ".join(voice.texts),
        "loudness_lufs": "" if voice.loudness_lufs is None else round(voice.loudness_lufs, 2),
        "codec": voice.codec.describe(),
        "model": voice.model,
    }
