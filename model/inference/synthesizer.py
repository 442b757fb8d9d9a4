"""Speaks, transforms and transcribes with a trained model: text and audio in, audio or phonemes out.

Axes: K codebooks, P prompt frames, S input frames, T response frames.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from model.checkpoints.checkpoint import Checkpoint, load
from model.decoding.codes import generate
from model.decoding.engine import Quantization
from model.decoding.engine.step import laid_out
from model.decoding.hearing import Heard, hear
from model.decoding.masked import predict_frames
from model.decoding.options import Decoding
from model.device import inference_dtype, resolve_device
from model.inference.languages import known_language, language_of
from model.inference.long_text import PAUSE, Script, divide
from model.inference.prompts import Preparation, Prompt
from model.inference.recital import Recital, Said, Voice
from model.inference.requests import Request, check_speech, check_speed, check_task, replaced_frames
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
    """`[K, T]`; those of several parts one after the other, without their pauses."""
    language: str
    """ISO 639-1 code; "" where there is no text."""
    phonemes: str
    unseen: str
    """Phoneme symbols that the training set didn't contain: the model guesses them."""
    cut: bool
    """Whether it reached the longest length allowed, and so may lack its end."""
    compute_s: float
    """Seconds of computing, codec and phonemes included."""
    sentences: int = 1
    """Number of sentences in the text."""
    parts: tuple[Said, ...] = ()
    """What was spoken, part by part; () for speech that wasn't made from a text alone."""
    unsaid: str = ""
    """The rest of the text, if the longest length allowed was reached before it."""

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

    def __init__(self, checkpoint: Checkpoint, codec: "Codec", *, quantize: Quantization = "none") -> None:
        from stages.codecs.table import identity_of

        identity_of(codec).require(checkpoint.meta.codec, str(checkpoint.folder))
        self.checkpoint = checkpoint
        self.codec = codec
        self.network = checkpoint.network.eval()
        self.device = self.network.token_embedding.weight.device
        self._step = laid_out(self.network, quantize)
        self._preparation = Preparation(checkpoint, codec)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        device: str = "cpu",
        *,
        codec: str | None = None,
        codec_weights: Path | str | None = None,
        quantize: Quantization = "none",
    ) -> Self:
        """Loads a model and its codec.

        Args:
            folder: A run (its newest checkpoint is used), a checkpoint, or a file of `valle export`.
            device: `auto`, `cpu`, `cuda` or `cuda:N`. On CUDA the network runs in bfloat16 from Ampere on, else in
                float32.
            codec: Another decoder of the same codes, such as `vocos` for a model trained with `encodec`.
            codec_weights: As `weights` of `stages.codecs.table.load_codec`.
            quantize: `int8` holds the weights in 8 bits while codebook 0 is decoded (`ar`), which is faster on a CPU.

        Raises:
            MissingInputError: if there is no model.
            ArtefactError: if a part of it is damaged.
            WeightsError: if the codec's weights are missing.
            CodecError: if the codec doesn't fit the model; the message says in which part.
            UsageError: if there is no such codec or device, or the model can't be quantized there.
        """
        from stages.codecs.table import load_codec

        where = resolve_device(device)
        checkpoint = load(Path(folder), str(where))
        checkpoint.network.to(inference_dtype(where))
        identity = checkpoint.meta.codec
        name = codec or identity.name
        rate = identity.sample_rate if name == identity.name and codec_weights is None else None
        return cls(checkpoint, load_codec(name, codec_weights, str(where), sample_rate=rate), quantize=quantize)

    def speak(
        self,
        text: str,
        *,
        prompt: Prompt,
        prompt_text: str | None = None,
        language: str | None = None,
        tone: str | None = None,
        seed: int = 0,
        max_s: float | None = None,
        speed: float = 1.0,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    ) -> Speech:
        """Speaks a text of any length in the voice of the prompt.

        A longer text is divided into sentences, each of which continues the one before (`model.inference.recital`).
        `[pause 0.5s]` is a pause.

        Args:
            text: What to say.
            prompt: The voice. Without `prompt_text`, only its first `data.prompt_s` seconds are used.
            prompt_text: What the prompt says, if known: the response then continues it (task `tts-c`).
            language: ISO 639-1 code of the text; by default told among the languages of the training set.
            tone: A group of the training set, whose way of speaking to use; for models trained with `data.tones`.
            seed: Seed of all draws: the same seed gives the same speech on the same device.
            max_s: Longest speech, in seconds; by default any length.
            speed: How much faster than the model would: divides the length that it predicts. Only 1 with `ar`, which
                predicts none.
            decoding: How the codes are chosen.

        Raises:
            TextError: if the text has nothing to say or its language can't be told.
            AudioError: if the prompt can't be read.
            CodecError: if the prompt's codes don't fit the model.
            UsageError: if `max_s` is shorter than a frame, `speed` is out of range or given with `ar`, a pause is
                written wrongly, the model doesn't know the tone, or it wasn't trained for the request (language, mode,
                guidance, with or without `prompt_text`).
        """
        decoding = self.settled(decoding)
        check_speed(speed, decoding.mode)
        started = time.perf_counter()
        recital = self.recital(
            text, prompt=prompt, prompt_text=prompt_text, language=language, tone=tone, seed=seed, max_s=max_s
        )
        while turn := recital.turn():
            begun = time.perf_counter()
            most = turn.most_frames
            least, most = (1, most) if speed == 1 else (self._frames_at(speed, turn.condition, most),) * 2
            recital.add(self._respond(turn.condition, least, most, decoding, seed=turn.seed, started=begun))
        return replace(recital.speech(), compute_s=time.perf_counter() - started)

    def batch(self, requests: Sequence[Request]) -> list[Speech]:
        """Speaks several texts; each comes out as `speak` alone would say it.

        Args:
            requests: What to say, and how.

        Returns:
            One speech per request, in order.

        Raises:
            ValleError: as `speak` does, for the first request that can't be spoken.
        """
        return [self.speak(**request.arguments()) for request in requests]

    def transform(
        self,
        task: Transform,
        audio: Prompt,
        *,
        text: str | None = None,
        prompt: Prompt | None = None,
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
            prompt: The voice, for `tse` and `vc`.
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
        prompt_KP = input_KS[:, :0] if prompt is None else self._preparation.shortened(self.prompt_codes(prompt))
        replaced_S = None if replace_s is None else replaced_frames(frames, rate, *replace_s)
        condition = Condition(phonemes, code, prompt_KP, task, input_KS, replaced_S, self._preparation.tone(tone))
        least, most = (frames, frames) if same_length else (1, max_frames)
        return self._respond(condition, least, most, decoding, seed=seed, started=started)

    def _respond(
        self, condition: Condition, least: int, most: int, decoding: Decoding, *, seed: int, started: float
    ) -> Speech:
        """Generates and decodes a response of `least` to `most` frames."""
        (codes_KT,) = generate(
            self.network,
            self.checkpoint.tokenizer,
            [condition],
            max_frames=most,
            min_frames=least,
            decoding=decoding,
            seeds=[seed],
            step=self._step,
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
        self.check_trained("stt")
        code = known_language(language, self.checkpoint) if language else None
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

    def _frames_at(self, speed: float, condition: Condition, max_frames: int) -> int:
        """Returns the length that the model predicts, divided by the speed; raises `UsageError` if it is too long."""
        longest = max(max_frames, int(max_frames * speed))
        asked = self.network, self.checkpoint.tokenizer, [condition]
        frames = max(1, round(predict_frames(*asked, max_frames=longest)[0] / speed))
        if frames > max_frames:
            rate = self.checkpoint.meta.codec.frame_rate
            raise UsageError(
                f"`speed` {speed:g} makes this text {frames / rate:.1f} s long, but the longest response is"
                f" {max_frames / rate:.3g} s (`max_s`, or the longest of the training set). Raise the speed."
            )
        return frames

    def _max_frames(self, max_s: float | None) -> int:
        rate = self.checkpoint.meta.codec.frame_rate
        longest_s = self.checkpoint.config.data.max_s if max_s is None else max_s
        if not 1 <= longest_s * rate < float("inf"):
            raise UsageError(f"`max_s` must be at least one frame ({1 / rate:.3f} s) and finite, but is {max_s}.")
        return int(longest_s * rate)

    def recital(
        self,
        text: str,
        *,
        prompt: Prompt,
        prompt_text: str | None = None,
        language: str | None = None,
        tone: str | None = None,
        seed: int = 0,
        max_s: float | None = None,
    ) -> Recital:
        """Prepares a text of any length to be spoken turn by turn; arguments and errors are those of `speak`."""
        self.check_speech(continues=prompt_text is not None)
        most_frames = None if max_s is None else self._max_frames(max_s)
        prepare, trained = self._preparation, self.checkpoint
        name, (script, code) = prepare.tone(tone), self.script(text, language)
        prompt_KP = self.prompt_codes(prompt)
        continues = trained.config.data.continuation_probability > 0
        spoken = None if prompt_text is None else prompt_text.strip()
        return Recital(
            script,
            Voice(prompt_KP, prepare.shortened(prompt_KP), spoken, code, name, continues),
            lengths=trained.lengths,
            read=lambda part: prepare.phonemes(part, code)[0],
            most_frames=most_frames,
            frame_rate=trained.meta.codec.frame_rate,
            seed=seed,
        )

    def script(self, text: str, language: str | None = None) -> tuple[Script, str]:
        """Divides a text into the parts that are spoken; returns them and its language, and raises as `speak` does."""
        if not text.strip():
            raise TextError("`text` must hold something to say, but is empty.")
        code = language_of(PAUSE.sub(" ", text), language, self.checkpoint)
        return divide(text, code, self.checkpoint.lengths, lambda part: self._preparation.phonemes(part, code)[0]), code

    def check(self, request: Request) -> None:
        """Checks all of a request but its prompt, without speaking; raises as `speak` does."""
        self.settled(request.decoding)
        self.check_speech(continues=request.prompt_text is not None)
        self._preparation.tone(request.tone)
        if request.max_s is not None:
            self._max_frames(request.max_s)
        self.script(request.text, request.language)

    def prompt_codes(self, prompt: Prompt, name: str = "prompt") -> Codes:
        """Returns the `[K, P]` codes of a prompt, called `name` in messages; raises as `speak` does."""
        return self._preparation.codes(prompt, name)
