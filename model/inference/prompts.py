"""Prepares text and audio for the network, exactly as the dataset was prepared.

Axes: K codebooks, P prompt frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from model.checkpoints.checkpoint import Checkpoint
from model.inference.references import LEAST_S, Reference, open_reference, shares
from model.inference.text.languages import language_of
from stages.errors import CodecError, UsageError
from stages.records import Codes
from stages.text.characters import characters, in_known
from stages.text.lexicon import lexicon_of

if TYPE_CHECKING:
    from stages.codecs.table import Codec

Prompt = str | Path | npt.NDArray[Any] | torch.Tensor
"""A recording's path; a mono wave, `[samples]` float at the codec's rate; or codes, `[K, P]` integers."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """The prompt made from references."""

    codes_KP: Codes
    loudness_lufs: float | None
    """Loudness of the audio that was encoded; None if codes were given."""
    notes: tuple[str, ...]
    """What the user should know of it."""


_STRESS = frozenset("ˈˌ")
_PUNCTUATION = frozenset(",.;:!?…—¿¡")


class Preparation:
    """Turns text into phonemes and recordings into codes, for one model.

    Args:
        checkpoint: The model.
        codec: Encodes waves.
    """

    def __init__(self, checkpoint: Checkpoint, codec: "Codec") -> None:
        self._codec = codec
        self._checkpoint = checkpoint
        self._meta = checkpoint.meta
        self._tokenizer = checkpoint.tokenizer
        self._lexicon = lexicon_of(checkpoint.meta.lexicon)
        self._data = checkpoint.config.data
        self.frame_rate = checkpoint.meta.codec.frame_rate
        self.prompt_frames = max(1, round(self._data.prompt_s * self.frame_rate))

    def codes(self, prompt: Prompt, name: str = "prompt") -> Codes:
        """Returns the `[K, P]` codes of a prompt.

        Waves are brought to the loudness of the training set; codes are returned as they are.

        Args:
            prompt: Path, wave or codes.
            name: What messages call it.

        Raises:
            AudioError: if the recording can't be read.
            CodecError: if the codes don't fit the model.
        """
        if isinstance(prompt, str | Path):
            from stages.audio.files import read_at

            prompt = read_at(Path(prompt), self._codec.sample_rate).copy()  # what is read may not be written to
        tensor = torch.as_tensor(prompt)
        if tensor.is_floating_point():
            tensor = self._codec.encode([self._levelled(tensor)])[0]
        codes_KP: Codes = tensor.cpu().numpy()
        self.check(codes_KP, name)
        return codes_KP

    def prompt(
        self, references: Sequence[Prompt], texts: Sequence[str] | None = None, *, length_s: float | None = None
    ) -> Prompted:
        """Makes the prompt from references: without silence at their ends, and the best stretches of long ones.

        Args:
            references: Recordings, waves or codes of one voice. Several share the prompt's length; where they are too
                many for 0.5 s each, the best are taken. Of codes the beginning is taken.
            texts: What each says: then all of it is taken. None if unknown.
            length_s: Seconds: a shorter prompt is repeated up to it. By default the prompt is as long as prompts were
                in training, or as the references are.

        Raises:
            AudioError: if a reference can't be read, is silent or too short.
            CodecError: if codes don't fit the model.
            UsageError: if there is no reference or not a text for each, a length isn't possible, or recordings with
                their texts are longer than what the model learnt.
        """
        if not references or (texts is not None and len(texts) != len(references)):
            raise UsageError(
                "A voice needs at least one reference, and a text for each if any has one, but there are"
                f" {len(references)} references and {len(texts or ())} texts. Give as many `--ref-text` as references."
            )
        frame_rate = self.frame_rate
        total = self.prompt_frames if length_s is None else checked_frames(length_s, frame_rate, texts)
        names = ["prompt"] if len(references) == 1 else [f"prompt {number}" for number in range(1, len(references) + 1)]
        given = [self._opened(one, name) for one, name in zip(references, names, strict=True)]
        notes = [note for item in given if isinstance(item, Reference) for note in item.notes]
        if texts is not None:
            self._check_length(given)
            wanted = [self._frames(item) for item in given]
        else:
            given, dropped = self._best(given, total)
            notes += dropped
            wanted = shares([self._frames(item) for item in given], total)
        if total > self.prompt_frames:
            notes.append(f"a prompt of {length_s:g} s is longer than any the model learnt ({self._data.prompt_s:g} s)")
        parts, loudness = self._encoded(given, wanted)
        codes_KP = np.concatenate(parts, axis=1)
        if length_s is not None and 0 < codes_KP.shape[1] < total:
            codes_KP = repeated(codes_KP, total)
        return Prompted(codes_KP, loudness, tuple(notes))

    def _opened(self, prompt: Prompt, name: str) -> Reference | Codes:
        if not isinstance(prompt, str | Path):
            tensor = torch.as_tensor(prompt)
            if not tensor.is_floating_point():
                return self.codes(tensor, name)
            prompt = tensor.detach().cpu().numpy()
        shortest_s = min(LEAST_S, self._data.min_s)
        return open_reference(prompt, self._codec.sample_rate, name, shortest_s=shortest_s)

    def _frames(self, item: Reference | Codes) -> int:
        return int(np.ceil(item.duration_s * self.frame_rate)) if isinstance(item, Reference) else item.shape[1]

    def _check_length(self, given: Sequence[Reference | Codes]) -> None:
        """Raises `UsageError` if recordings that stay whole are longer than anything in training.

        Codes aren't checked: who gives codes has made the prompt, as an evaluation does.
        """
        seconds = sum(item.duration_s for item in given if isinstance(item, Reference))
        if seconds > self._data.max_s:
            raise UsageError(
                f"A reference whose text is given must be at most {self._data.max_s:g} s long (`data.max_s` of the"
                f" training), since it can't be cut without its text, but is {seconds:.2f} s. Give a shorter one with"
                " its text, or leave the text out (`prompt_text`, `--ref-text`)."
            )

    def _best(self, given: Sequence[Reference | Codes], total: int) -> tuple[list[Reference | Codes], list[str]]:
        """Returns the references that share the prompt, and a note if they aren't all."""
        most = max(1, int(total / self.frame_rate / LEAST_S))
        if len(given) <= most:
            return list(given), []
        length_s = total / self.frame_rate / most
        qualities = [item.quality(length_s) if isinstance(item, Reference) else 1.0 for item in given]
        kept = sorted(sorted(range(len(given)), key=lambda index: -qualities[index])[:most])
        names = ", ".join(f"`{item.name}`" for item in (given[index] for index in kept) if isinstance(item, Reference))
        note = (
            f"{len(given)} references are too many for a prompt of {total / self.frame_rate:g} s: the best"
            f" {most} are taken{f' ({names})' if names else ''}"
        )
        return [given[index] for index in kept], [note]

    def _encoded(self, given: Sequence[Reference | Codes], wanted: Sequence[int]) -> tuple[list[Codes], float | None]:
        """Returns `wanted` frames of each reference, and the mean loudness of those that were encoded."""
        from stages.audio.files import resample
        from stages.audio.loudness import loudness_lufs

        parts: list[Codes] = []
        heard: list[float] = []
        for item, frames in zip(given, wanted, strict=True):
            if not isinstance(item, Reference):
                parts.append(item[:, :frames])
                continue
            part, before_s = item.wave, 0.0
            if frames < self._frames(item):
                part, before_s = item.stretch(frames / self.frame_rate)
            wave = self._levelled(torch.tensor(resample(part, item.sample_rate, self._codec.sample_rate)))
            first = round(before_s * self.frame_rate)
            codes_KP: Codes = self._codec.encode([wave])[0].cpu().numpy()
            parts.append(codes_KP[:, first : first + frames])
            loudness = loudness_lufs(wave.numpy(), self._codec.sample_rate)
            heard += [] if loudness is None else [loudness]
        return parts, float(np.mean(heard)) if heard else None

    def phonemes(self, text: str, language: str | None) -> tuple[str, str]:
        """Returns what the model reads of a text, phonemes or characters (`data.text`), and its language code.

        The language is detected if not given. Characters that the model hasn't read become ones that it has
        (`in_known`); those that can't are left to it, and told of with the speech. Raises as `language_of` does.
        """
        from stages.text.phonemes import phonemize

        code = language_of(text, language, self._checkpoint)
        if self._data.text == "characters":
            return in_known(characters(text), frozenset(self._meta.symbols)), code
        # Without stress or punctuation if the training set had none: the model would guess at the marks.
        known = set(self._meta.symbols)
        stress, punctuation = bool(known & _STRESS), bool(known & _PUNCTUATION)
        (phonemes,) = phonemize([text], code, stress=stress, punctuation=punctuation, lexicon=self._lexicon)
        return phonemes, code

    def tone(self, tone: str | None) -> str:
        """Returns the tone, "" for none; raises `UsageError` if the model doesn't know it."""
        if tone is not None:
            self._tokenizer.tone(tone)
        return tone or ""

    def _levelled(self, wave: torch.Tensor) -> torch.Tensor:
        loudness = self._meta.loudness_lufs
        if loudness is None:
            return wave
        from stages.audio.loudness import levelled

        return torch.from_numpy(levelled(wave.cpu().numpy(), self._codec.sample_rate, loudness))

    def check(self, codes_KP: Codes, name: str) -> None:
        """Raises `CodecError` if codes, called `name` in the message, don't fit the model."""
        identity = self._meta.codec
        fits = codes_KP.ndim == 2 and codes_KP.shape[0] == identity.num_codebooks
        if not fits or codes_KP.min(initial=0) < 0 or codes_KP.max(initial=0) >= identity.codebook_size:
            raise CodecError(
                f"`{name}` must be [{identity.num_codebooks}, P] codes from 0 to {identity.codebook_size - 1}, but is"
                f" {list(codes_KP.shape)} up to {codes_KP.max(initial=0)}. Encode it with the codec of the model."
            )


def checked_frames(length_s: float, frame_rate: float, texts: Sequence[str] | None) -> int:
    """Returns the frames of a prompt of a wanted length.

    Raises:
        UsageError: if it is shorter than a frame, or the prompt's texts are known, so that it can't be cut or repeated.
    """
    if texts is not None:
        raise UsageError(
            "`length_s` (`--input-prompt-length`) must be left out where the reference's text is given: text and sound"
            " have to match. Leave out one of them."
        )
    if not 1 <= length_s * frame_rate < float("inf"):
        raise UsageError(
            f"`length_s` (`--input-prompt-length`) must be at least one frame ({1 / frame_rate:.3f} s) and finite, but"
            f" is {length_s:g}."
        )
    return round(length_s * frame_rate)


def repeated(codes_KP: Codes, frames: int) -> Codes:
    """Returns codes repeated, or cut, to a number of frames."""
    return np.tile(codes_KP, -(-frames // codes_KP.shape[1]))[:, :frames]


def listed(references: Prompt | Sequence[Prompt]) -> list[Prompt]:
    """Returns references as a list, also a single one."""
    if isinstance(references, str | Path | np.ndarray | torch.Tensor):
        return [references]
    return list(references)
