"""Speaks, transforms and transcribes with a trained model: text and audio in, audio or phonemes out.

Axes: K codebooks, P prompt frames, S input frames, T response frames.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from model.checkpoints.checkpoint import Checkpoint, load
from model.decoding.codes import generate
from model.decoding.hearing import Heard, hear
from model.decoding.options import Decoding
from model.device import inference_dtype, resolve_device
from model.inference.prompts import Preparation, Prompt
from model.inference.requests import check_speech, check_task, replaced_frames
from model.inference.voices import Voice, fitting, model_identity
from model.sequences.documents import Condition, Mode
from model.sequences.tasks import TRANSFORMS, Transform
from stages.errors import TextError, UsageError
from stages.records import Codes, Wave

if TYPE_CHECKING:
    from stages.codecs.table import Codec


@dataclass(frozen=True, slots=True)
class Speech:
    """A response: the wave, its codes, and what was spoken."""

    samples: Wave
    """Mono, float32 in [-1, 1]."""
    sample_rate: int
    """Hz."""
    codes: Codes
    """`[K, T]`."""
    language: str
    """ISO 639-1 code; "" where there is no text."""
    phonemes: str
    unseen: str
    """Phoneme symbols that the training set didn't contain: the model guesses them."""
    cut: bool
    """Whether it reached the longest length allowed, and so may lack its end."""
    compute_s: float
    """Seconds of computing, codec and phonemes included."""
    notes: tuple[str, ...] = ()
    """What the user should know of the voice that was used."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / self.sample_rate


class Synthesizer:
    """A trained model with its codec, ready to speak.

    Args:
        checkpoint: The model.
        codec: Its codec, or another decoder of the same codes.

    Raises:
        CodecError: if the codec doesn't fit the model.

    Example:
        >>> voice = Synthesizer.load("runs/base")
        >>> speech = voice.speak("Hello there.", prompt="reference.wav", seed=1)
    """

    def __init__(self, checkpoint: Checkpoint, codec: "Codec") -> None:
        from stages.codecs.table import identity_of

        identity_of(codec).require(checkpoint.meta.codec, str(checkpoint.folder))
        self.checkpoint = checkpoint
        self.codec = codec
        self.network = checkpoint.network.eval()
        self.device = self.network.token_embedding.weight.device
        self._preparation = Preparation(checkpoint, codec)

    @cached_property
    def identity(self) -> str:
        """The model, in a few words: see `voices.model_identity`."""
        return model_identity(self.checkpoint)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        device: str = "cpu",
        *,
        codec: str | None = None,
        codec_weights: Path | str | None = None,
    ) -> Self:
        """Loads a model and its codec.

        Args:
            folder: A run (its newest checkpoint is used), a checkpoint, or a file of `valle export`.
            device: `auto`, `cpu`, `cuda` or `cuda:N`. On CUDA the network runs in bfloat16 from Ampere on, else in
                float32.
            codec: Another decoder of the same codes, such as `vocos` for a model trained with `encodec`.
            codec_weights: As `weights` of `stages.codecs.table.load_codec`.

        Raises:
            MissingInputError: if there is no model.
            ArtefactError: if a part of it is damaged.
            WeightsError: if the codec's weights are missing.
            CodecError: if the codec doesn't fit the model; the message says in which part.
            UsageError: if there is no such codec or device.
        """
        from stages.codecs.table import load_codec

        where = resolve_device(device)
        checkpoint = load(Path(folder), str(where))
        checkpoint.network.to(inference_dtype(where))
        identity = checkpoint.meta.codec
        name = codec or identity.name
        rate = identity.sample_rate if name == identity.name and codec_weights is None else None
        return cls(checkpoint, load_codec(name, codec_weights, str(where), sample_rate=rate))

    def speak(
        self,
        text: str,
        *,
        prompt: Prompt | None = None,
        prompt_text: str | None = None,
        voice: Voice | None = None,
        language: str | None = None,
        tone: str | None = None,
        seed: int = 0,
        max_s: float | None = None,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    ) -> Speech:
        """Speaks a text in the voice of the prompt, or in a kept voice.

        Args:
            text: What to say.
            prompt: The voice. Silence at its ends is taken off; without `prompt_text`, the best `data.prompt_s` seconds
                of a recording or wave are used, and the first of codes.
            prompt_text: What the prompt says, if known: the response then continues it (task `tts-c`).
            voice: A voice of `voice`, `Voice.load` or `mix`, in place of a prompt.
            language: ISO 639-1 code of the text; detected from the text if not given.
            tone: A group of the training set, whose way of speaking to use; for models trained with `data.tones`.
            seed: Seed of all draws: the same seed gives the same speech on the same device.
            max_s: Longest response, in seconds; by default `data.max_s` of the training.
            decoding: How the codes are chosen.

        Raises:
            TextError: if the text is empty or its language is unknown.
            AudioError: if the prompt can't be read, is silent or too short.
            CodecError: if the codes of the prompt or voice don't fit the model.
            UsageError: if not just one of `prompt` and `voice` is given, a prompt with its text is longer than
                `data.max_s`, `max_s` is shorter than a frame, the model doesn't know the tone, or it wasn't trained for
                the request (mode, guidance, speaking with or without `prompt_text`).
        """
        decoding = self.settled(decoding)
        continues = prompt_text is not None if voice is None else voice.texts is not None and not voice.prefix
        self.check_speech(continues=continues)
        started = time.perf_counter()
        max_frames = self._max_frames(max_s)
        voice = self._voice(prompt, prompt_text, voice)
        condition = self.condition(text, voice, language=language, tone=tone)
        return self._respond(condition, 1, max_frames, decoding, seed=seed, started=started, notes=voice.notes)

    def voice(
        self,
        references: Prompt | Sequence[Prompt],
        texts: str | Sequence[str] | None = None,
        *,
        length_s: float | None = None,
        prefix: bool = False,
    ) -> Voice:
        """Makes a voice from references, to speak with or to keep.

        Args:
            references: Recordings, waves or codes of one voice. Their silence at both ends is taken off, and of long
                ones the stretches with the most speech and the least noise are taken.
            texts: What they say, one text each: they stay whole, and responses continue them.
            length_s: Seconds of the prompt: repeated or cut to this length; by default at most `data.prompt_s`.
            prefix: Whether responses begin with the prompt (it is taken off again); needs `texts`.

        Raises:
            AudioError: if a reference can't be read, is silent or too short.
            CodecError: if codes don't fit the model.
            UsageError: if there is no reference, not a text for each, or what is asked for isn't possible.
        """
        several = isinstance(references, Sequence) and not isinstance(references, str)
        given: list[Prompt] = [*references] if several else [references]  # type: ignore[list-item, misc]
        said = None if texts is None else (texts,) if isinstance(texts, str) else tuple(texts)
        made = self._preparation.prompt(given, said, length_s=length_s)
        codec = self.checkpoint.meta.codec
        return Voice(made.codes_KP, codec, self.identity, said, made.loudness_lufs, prefix, notes=made.notes)

    def transform(
        self,
        task: Transform,
        audio: Prompt,
        *,
        text: str | None = None,
        prompt: Prompt | Voice | None = None,
        replace_s: tuple[float, float] | None = None,
        language: str | None = None,
        tone: str | None = None,
        seed: int = 0,
        max_s: float | None = None,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    ) -> Speech:
        """Turns speech into other speech: without noise, one speaker of two, edited, or in another voice.

        The tasks are those of `model.sequences.tasks`. The output of `ns`, `sr` and `tse` is as long as the input; the
        model chooses the length of the others.

        Args:
            task: What to do.
            audio: The input.
            text: All that is said in the output; required for `cse` and `nse`, optional for the others.
            prompt: The voice, for `tse` and `vc`: as in `speak`, or a kept voice.
            replace_s: Start and end of the stretch to replace, in seconds, for `cse` and `nse`.
            language: ISO 639-1 code of the text; detected from the text if not given.
            tone: As in `speak`.
            seed: As in `speak`.
            max_s: Longest input and response, in seconds; by default `data.max_s` of the training.
            decoding: As in `speak`.

        Raises:
            UsageError: if the model wasn't trained for the request (task, mode, guidance), doesn't know the tone, or
                the task needs an argument that is missing or takes none that is given.
            TextError: if the text's language is unknown.
            AudioError: if a recording can't be read.
            CodecError: if codes don't fit the model.
        """
        trained = self.checkpoint.config.data
        check_task(task, trained, self.checkpoint.folder, text=text, prompted=prompt is not None, edits=bool(replace_s))
        same_length = TRANSFORMS[task].same_length
        decoding = self.settled(decoding, length_known=same_length)
        started = time.perf_counter()
        max_frames = self._max_frames(max_s)
        input_KS = self.prompt_codes(audio, "audio")
        frames, rate = input_KS.shape[1], self.checkpoint.meta.codec.frame_rate
        if not 0 < frames <= max_frames:
            raise UsageError(
                f"`audio` must be at most {max_frames / rate:g} s long (`max_s`), but is"
                f" {frames / rate:g} s. Cut it, or raise `max_s`."
            )
        phonemes, code = self._preparation.phonemes(text, language) if text and text.strip() else ("", "")
        voice = None if prompt is None else self._voice(prompt).beginning(self._preparation.prompt_frames)
        prompt_KP, mixed = (voice.codes_KP, voice.mixed) if voice else (input_KS[:, :0], ())
        replaced_S = None if replace_s is None else replaced_frames(frames, rate, *replace_s)
        given = phonemes, code, prompt_KP, task, input_KS, replaced_S
        condition = Condition(*given, self._preparation.tone(tone), mixed)
        least, most = (frames, frames) if same_length else (1, max_frames)
        notes = voice.notes if voice else ()
        return self._respond(condition, least, most, decoding, seed=seed, started=started, notes=notes)

    def _respond(
        self,
        condition: Condition,
        least: int,
        most: int,
        decoding: Decoding,
        *,
        seed: int,
        started: float,
        notes: tuple[str, ...],
    ) -> Speech:
        """Generates and decodes a response of `least` to `most` frames."""
        (codes_KT,) = generate(
            self.network,
            self.checkpoint.tokenizer,
            [condition],
            max_frames=most,
            min_frames=least,
            decoding=decoding,
            generator=torch.Generator(self.device).manual_seed(seed),
        )
        wave = self.codec.decode(torch.from_numpy(codes_KT)).numpy()
        taken_s = time.perf_counter() - started
        unseen = "".join(sorted(set(condition.phonemes) - set(self.checkpoint.meta.symbols)))
        return Speech(
            wave,
            self.checkpoint.meta.codec.sample_rate,
            codes_KT,
            language=condition.language,
            phonemes=condition.phonemes,
            unseen=unseen,
            cut=least < most == codes_KT.shape[1],
            compute_s=taken_s,
            notes=notes,
        )

    def hear(self, speech: Prompt, *, language: str | None = None, max_tokens: int = 500) -> Heard:
        """Recognises the phonemes of what is said.

        Args:
            speech: A recording's path, a wave or codes.
            language: ISO 639-1 code; recognised too if not given.
            max_tokens: Most phonemes.

        Raises:
            UsageError: if the model wasn't trained in the mode `stt`.
            TextError: if there is no such language.
            AudioError: if the recording can't be read.
            CodecError: if the codes don't fit the model.
        """
        from stages.text.languages import normalise_code

        self.check_trained("stt")
        code = normalise_code(language) if language else None
        codes_KT = self.prompt_codes(speech)
        return hear(self.network, self.checkpoint.tokenizer, [codes_KT], max_tokens=max_tokens, language=code)[0]

    def settled(self, decoding: Decoding, *, length_known: bool = False) -> Decoding:
        """Checks that the model can decode so; returns the settings with its guidance filled in.

        Args:
            decoding: How the codes of a response are chosen.
            length_known: Whether the number of frames is given.

        Raises:
            UsageError: if the model wasn't trained in one of the modes, or for guidance.
        """
        num_codebooks = self.checkpoint.meta.codec.num_codebooks
        self.check_trained(*decoding.modes(num_codebooks, length_known=length_known))
        return decoding.settled(self.checkpoint.config.data, self.checkpoint.folder)

    def check_speech(self, *, continues: bool) -> None:
        """Raises `UsageError` if the model wasn't trained to speak a text so; see `requests.check_speech`."""
        check_speech(self.checkpoint.config.data, self.checkpoint.folder, continues=continues)

    def check_trained(self, *modes: Mode) -> None:
        """Raises `UsageError` if the model wasn't trained in one of the modes."""
        trained = self.checkpoint.config.data.modes
        if missing := [mode for mode in modes if not trained.get(mode)]:
            learnt = ", ".join(f"`{mode}`" for mode, weight in trained.items() if weight)
            raise UsageError(
                f"`{self.checkpoint.folder}` was never trained in the mode `{missing[0]}`, only in {learnt}."
                " Train it with a weight above 0 in `data.modes`."
            )

    def _max_frames(self, max_s: float | None) -> int:
        rate = self.checkpoint.meta.codec.frame_rate
        longest_s = self.checkpoint.config.data.max_s if max_s is None else max_s
        if not 1 <= longest_s * rate < float("inf"):
            raise UsageError(f"`max_s` must be at least one frame ({1 / rate:.3f} s) and finite, but is {max_s}.")
        return int(longest_s * rate)

    def condition(
        self,
        text: str,
        prompt: Prompt | Voice,
        *,
        prompt_text: str | None = None,
        language: str | None = None,
        tone: str | None = None,
    ) -> Condition:
        """Returns the network's input for a text and a prompt or voice; arguments and errors are those of `speak`."""
        from stages.text.languages import detect

        if not text.strip():
            raise TextError("`text` must hold something to say, but is empty.")
        prepare = self._preparation
        name = prepare.tone(tone)
        voice = self._voice(prompt, prompt_text)
        prompt_KP = voice.codes_KP
        if voice.texts is None:
            return Condition(*prepare.phonemes(text, language), prompt_KP, "tts", tone=name, mixed=voice.mixed)
        before = " ".join(said.strip() for said in voice.texts)
        spoken = prepare.phonemes(f"{before} {text}", language or detect(text))
        if not voice.prefix:
            return Condition(*spoken, prompt_KP, "tts-c", tone=name)
        odd = prompt_KP.shape[1] % self.network.config.group
        shown_KP = prompt_KP[:, : prepare.prompt_frames]
        return Condition(*spoken, shown_KP, "tts", tone=name, begun_KT=prompt_KP[:, odd:])

    def _voice(self, prompt: Prompt | Voice | None, text: str | None = None, voice: Voice | None = None) -> Voice:
        """Returns a voice that fits the model, from a prompt with its text or from a voice."""
        if (prompt is None) == (voice is None) or (voice is not None and text is not None):
            raise UsageError("Either a `prompt`, with or without its `prompt_text`, or a `voice` must be given.")
        voice = prompt if isinstance(prompt, Voice) else voice
        if voice is None:
            assert prompt is not None
            return self.voice([prompt], None if text is None else [text])  # type: ignore[list-item]
        for codes_KP in voice.prompts:
            self._preparation.check(codes_KP, "voice")
        return fitting(voice, self.checkpoint.meta, self.identity)

    def prompt_codes(self, prompt: Prompt, name: str = "prompt") -> Codes:
        """Returns the `[K, P]` codes of a prompt, called `name` in messages; raises as `speak` does."""
        return self._preparation.codes(prompt, name)
