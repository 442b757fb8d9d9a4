"""Speaks, transforms and transcribes with a trained model: text and audio in, audio or phonemes out.

Axes: K codebooks, P prompt frames, S input frames, T response frames.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from model.checkpoints.checkpoint import Checkpoint, load
from model.decoding.asks import Ask, Response
from model.decoding.codes import respond
from model.decoding.continuous import ROWS
from model.decoding.engine import Quantization
from model.decoding.engine.matrices import quantized
from model.decoding.engine.step import laid_out
from model.decoding.hearing import Heard, hear
from model.decoding.options import Decoding
from model.device import inference_dtype, resolve_device
from model.inference.ensemble import Ensemble, check_takes, perform
from model.inference.guards.guard import Guard
from model.inference.prompts import Preparation, Prompt, listed
from model.inference.recital import Recital, Speaker
from model.inference.requests import Request, check_modes, check_speech, check_task, whole_frames
from model.inference.speech import Speech
from model.inference.speed import check_speed
from model.inference.text.languages import known_language, language_of
from model.inference.text.long_text import PAUSE, Script, divide
from model.inference.transforms import transform_ask
from model.inference.voices import Voice, fitting, model_identity
from model.sequences.documents import Mode
from model.sequences.tasks import TRANSFORMS, Transform
from stages.errors import TextError, UsageError, ValleError
from stages.records import Codes, Wave

if TYPE_CHECKING:
    from stages.codecs.table import Codec


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
        self.codec, self.quantize = codec, quantize
        trained = checkpoint.network.eval()
        self.device = trained.token_embedding.weight.device
        self.step = laid_out(trained, quantize)
        """The network laid out for single steps, if it can be."""
        self.network = quantized(trained, quantize)
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
        quantize: Quantization = "none",
    ) -> Self:
        """Loads a model and its codec.

        Args:
            folder: A run (its newest checkpoint is used), a checkpoint, or a file of `valle export`.
            device: `auto`, `cpu`, `cuda` or `cuda:N`. CUDA runs the network in bfloat16 from Ampere on, else float32.
            codec: Another decoder of the same codes, such as `vocos` for a model trained with `encodec`.
            codec_weights: As `weights` of `stages.codecs.table.load_codec`.
            quantize: `int8` holds the weights of the linear layers in 8 bits, which is faster on a CPU.

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
        checkpoint.network.rounded(inference_dtype(where))
        identity = checkpoint.meta.codec
        name, codebooks = codec or identity.name, identity.num_codebooks
        rate = identity.sample_rate if name == identity.name and codec_weights is None else None
        found = load_codec(name, codec_weights, str(where), sample_rate=rate, codebooks=codebooks)
        return cls(checkpoint, found, quantize=quantize)

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
        speed: float = 1.0,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
        guard: Guard = Guard(),  # noqa: B008 (frozen)
    ) -> Speech:
        """Speaks a text of any length in the voice of the prompt, or in a kept voice.

        A longer text is divided into sentences, each of which continues the one before (`model.inference.recital`).
        `[pause 0.5s]` is a pause.

        Args:
            text: What to say.
            prompt: The voice. Silence at its ends is taken off; without `prompt_text`, the best `data.prompt_s` seconds
                of a recording or wave are used, and the first of codes.
            prompt_text: What the prompt says, if known: the response then continues it (task `tts-c`).
            voice: A voice of `voice`, `Voice.load` or `mix`, in place of a prompt.
            language: ISO 639-1 code of the text; by default told among the languages of the training set.
            tone: A group of the training set, whose way of speaking to use; for models trained with `data.tones`.
            seed: Seed of all draws: the same seed gives the same speech on the same device.
            max_s: Longest speech, in seconds; by default any length.
            speed: How much faster than the model would: divides the length that it predicts. Only 1 with `ar`, which
                predicts none.
            decoding: How the codes are chosen.
            guard: How often a faulty part is drawn again, and of how many the best is taken.

        Raises:
            TextError: if the text has nothing to say or its language can't be told.
            AudioError: if the prompt can't be read, is silent or too short.
            CodecError: if the codes of the prompt or voice don't fit the model.
            UsageError: if not just one of `prompt` and `voice` is given, a prompt with its text is longer than
                `data.max_s`, `max_s` is shorter than a frame, `speed` is out of range or given with `ar`, a pause is
                written wrongly, the model doesn't know the tone, or it wasn't trained for the request (language, mode,
                guidance, with or without `prompt_text`).
        """
        asked = Request(text, prompt, prompt_text, voice, language, tone, seed, max_s, speed, decoding, guard)
        return self.batch([asked])[0]

    def batch(self, requests: Sequence[Request]) -> list[Speech]:
        """Speaks several texts side by side; each comes out as `speak` alone would say it.

        Args:
            requests: What to say, and how.

        Returns:
            One speech per request, in order.

        Raises:
            ValleError: as `speak` does, for the first request that can't be spoken.
        """
        found: list[Speech] = []
        for speech in self.each(requests):
            if isinstance(speech, ValleError):
                raise speech
            found.append(speech)
        return found

    def each(self, requests: Iterable[Request]) -> Iterator[Speech | ValleError]:
        """Speaks several texts as `batch` does; yields each speech, or why there is none, in order, once it is there.

        Args:
            requests: What to say, and how; taken as there is room for them.
        """
        return perform(self.ensemble(), requests, at_once=ROWS)

    def stream(self, text: str | Request, prompt: Prompt | Voice | None = None) -> Iterator[Wave]:
        """Speaks a text; yields its wave as it is made, in chunks of `[samples]` float32.

        The first chunk is of half a second, each further one of a sentence is twice as long. Codebook 0 is what `speak`
        draws first; the other codebooks of a chunk are chosen without knowing what follows it. The chunks of a sentence
        together are what all its codes decode to, to 1e-4 of its loudest sample; but with codecs whose samples depend
        on all frames (`neucodec`, `xcodec2`), each is what is known by then, and passes into the next within 20 ms.

        Args:
            text: What to say, or a whole request; its guard isn't used, since what was heard can't be taken back.
            prompt: In whose voice, for a text.

        Raises:
            ValleError: as `speak` does, when the first chunk is taken.
        """
        asked = text if isinstance(text, Request) else Request(text, prompt)
        performance = (ensemble := self.ensemble(rows=1)).join(asked, streams=True)
        while not performance.is_over:
            ensemble.advance()
            if len(chunk := performance.taken()):
                yield chunk
        if performance.error:
            raise performance.error

    def ensemble(self, *, rows: int = ROWS) -> Ensemble:
        """Returns what speaks texts side by side, with at most `rows` responses in progress."""
        return Ensemble(self, rows=rows)

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
        said = None if texts is None else (texts,) if isinstance(texts, str) else tuple(texts)
        made = self._preparation.prompt(listed(references), said, length_s=length_s)
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
        decoding = self.settled(decoding, length_known=TRANSFORMS[task].same_length)
        started = time.perf_counter()
        voice = None if prompt is None else self._voice(prompt)
        given = {"text": text, "voice": voice, "replace_s": replace_s, "language": language, "tone": tone}
        prepared = self._preparation, self.prompt_codes(audio, "audio"), self._max_frames(max_s)
        ask = transform_ask(task, *prepared, decoding=decoding, seed=seed, **given)  # type: ignore[arg-type]
        speech = self.said(ask, respond(self.network, self.checkpoint.tokenizer, ask, step=self.step))
        return replace(speech, notes=voice.notes if voice else (), compute_s=time.perf_counter() - started)

    def said(self, ask: Ask, response: Response, wave: Wave | None = None) -> Speech:
        """Returns a response as speech; its `wave` is decoded if it isn't given."""
        decoded = self.codec.decode(torch.from_numpy(response.codes_KT)).numpy() if wave is None else wave
        return Speech.of(ask, response, decoded, self.codec, self.checkpoint.meta)

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
        data, codec = self.checkpoint.config.data, self.checkpoint.meta.codec
        self.check_trained(*decoding.modes(codec.num_codebooks, length_known=length_known, levels=data.levels))
        return decoding.settled(data, self.checkpoint.folder, self.checkpoint.meta.guidance)

    def check_speech(self, *, continues: bool) -> None:
        """Raises `UsageError` if the model wasn't trained to speak a text so; see `requests.check_speech`."""
        check_speech(self.checkpoint.config.data, self.checkpoint.folder, continues=continues)

    def check_trained(self, *modes: Mode) -> None:
        """Raises `UsageError` if the model wasn't trained in one of the modes."""
        check_modes(self.checkpoint.config.data, self.checkpoint.folder, modes)

    def _max_frames(self, max_s: float | None) -> int:
        longest_s = self.checkpoint.config.data.max_s if max_s is None else max_s
        return whole_frames(longest_s, self.checkpoint.meta.codec.frame_rate)

    def recital(self, request: Request) -> Recital:
        """Prepares a text of any length to be spoken turn by turn; raises as `speak` does."""
        most_frames = None if request.max_s is None else self._max_frames(request.max_s)
        prepare, trained = self._preparation, self.checkpoint
        voice = self._checked_voice(request)
        tone, (script, code) = prepare.tone(request.tone), self.script(request.text, request.language)
        voice = voice or self._voice(request.prompt, request.prompt_text, request.voice)
        continues = trained.config.data.continuation_probability > 0
        speaker = Speaker.of(voice, prepare.prompt_frames, language=code, tone=tone, continues=continues)
        return Recital(
            script,
            replace(speaker, group=self.network.config.group),
            lengths=trained.lengths,
            read=lambda part: prepare.phonemes(part, code)[0],
            most_frames=most_frames,
            frame_rate=trained.meta.codec.frame_rate,
            seed=request.seed,
        )

    def script(self, text: str, language: str | None = None) -> tuple[Script, str]:
        """Divides a text into the parts that are spoken; returns them and its language, and raises as `speak` does."""
        if not text.strip():
            raise TextError("`text` must hold something to say, but is empty.")
        code = language_of(PAUSE.sub(" ", text), language, self.checkpoint)
        return divide(text, code, self.checkpoint.lengths, lambda part: self._preparation.phonemes(part, code)[0]), code

    def check(self, request: Request) -> None:
        """Checks all of a request but a recording of its voice, without speaking; raises as `speak` does."""
        check_speed(request.speed, self.settled(request.decoding).mode)
        check_takes(self, request)
        self._checked_voice(request)
        self._preparation.tone(request.tone)
        if request.max_s is not None:
            self._max_frames(request.max_s)
        self.script(request.text, request.language)

    def _checked_voice(self, request: Request) -> Voice | None:
        """Checks that the model can speak so; returns the kept voice of the request, if it has one."""
        kept = request.voice is not None or isinstance(request.prompt, Voice)
        voice = self._voice(request.prompt, request.prompt_text, request.voice) if kept else None
        self.check_speech(continues=request.prompt_text is not None if voice is None else voice.is_continued)
        return voice

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
