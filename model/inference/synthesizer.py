"""From text and a voice to speech: text and audio are treated here as they were in preparation.

Axes: K codebooks, P prompt frames, T response frames.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt
import torch

from model.checkpoints.checkpoint import Checkpoint, load
from model.decoding.codes import generate
from model.decoding.hearing import Heard, hear
from model.decoding.levels import generate_rest
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import Decoding
from model.device import inference_dtype, resolve_device
from model.inference.requests import check_speech, check_task, replaced_frames
from model.sequences.documents import Condition, Mode
from model.sequences.tasks import TRANSFORMS, Transform
from stages.errors import CodecError, TextError, UsageError
from stages.records import Codes, Wave

if TYPE_CHECKING:
    from stages.codecs.table import Codec

_STRESS = frozenset("ˈˌ")
_PUNCTUATION = frozenset(",.;:!?…—¿¡")

Prompt = str | Path | npt.NDArray[Any] | torch.Tensor
"""A recording's path; a mono wave, `[samples]` float at the codec's rate; or codes, `[K, P]` integers."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What was spoken."""

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
    """Symbols of the phonemes that the training set didn't hold: the model guesses them."""
    cut: bool
    """Whether it came to the longest length allowed before it came to an end."""
    compute_s: float
    """Seconds it took, codec and phonemes included."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / self.sample_rate


class Synthesizer:
    """A trained model with its codec, ready to speak.

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

    @classmethod
    def load(
        cls,
        folder: Path | str,
        device: str = "cpu",
        *,
        codec: str | None = None,
        codec_weights: Path | str | None = None,
    ) -> Self:
        """Opens a model.

        Args:
            folder: A run (its newest checkpoint is taken), a checkpoint, or a file of `valle export`.
            device: `auto`, `cpu`, `cuda` or `cuda:N`; on CUDA the network runs in bfloat16 where the
                device multiplies in it (from Ampere on), else in float32.
            codec: Another decoder of the same codes, such as `vocos` for a model of `encodec`.
            codec_weights: As `stages.codecs.table.load_codec` takes them.

        Raises:
            MissingInputError: if there is no model.
            ArtefactError: if a part of it is damaged.
            WeightsError: if the codec's weights are missing.
            CodecError: if the codec doesn't fit the model; says in which part.
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
        prompt: Prompt,
        prompt_text: str | None = None,
        language: str | None = None,
        tone: str | None = None,
        seed: int = 0,
        max_s: float | None = None,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    ) -> Speech:
        """Speaks a text in the voice of the prompt.

        Args:
            text: What to say.
            prompt: The voice. Without `prompt_text`, as much of its beginning is used as prompts had in training.
            prompt_text: What the prompt says, if known: the response then continues it (task `tts-c`).
            language: ISO 639-1 code of the text; told from the text if not given.
            tone: The group of the training set as one of whom to speak, for a model trained with `data.tones`.
            seed: Of all draws: the same seed gives the same speech on the same device.
            max_s: Longest response, in seconds; the longest utterance of the training set if not given.
            decoding: How its codes are chosen.

        Raises:
            TextError: if the text is empty or its language isn't known.
            AudioError: if the prompt can't be read.
            CodecError: if the prompt's codes don't fit the model.
            UsageError: if `max_s` leaves no frame, if the model wasn't trained for what is asked (the modes, speaking
                a text with or without `prompt_text`, guidance), or if it doesn't know the tone.
        """
        decoding = self.settled(decoding)
        self.check_speech(continues=prompt_text is not None)
        started = time.perf_counter()
        max_frames = self._max_frames(max_s)
        condition = self.condition(text, prompt, prompt_text=prompt_text, language=language, tone=tone)
        return self._say(condition, 1, max_frames, decoding, seed=seed, started=started)

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
        """Makes speech of speech: without noise, of one speaker of two, edited, in another voice (`model.sequences.tasks`).

        What comes out is as long as the input where noise or a speaker is taken away (`ns`, `sr`, `tse`); else the
        model says how long it is.

        Args:
            task: What to do.
            audio: The speech.
            text: What is said in what comes out, all of it; `cse` and `nse` must have it, the others may.
            prompt: The voice, for `tse` and `vc`.
            replace_s: From when to when the speech is to be replaced, in seconds, for `cse` and `nse`.
            language: ISO 639-1 code of the text; told from the text if not given.
            tone: As in `speak`.
            seed: Of all draws, as in `speak`.
            max_s: Longest input and response, in seconds; the longest utterance of the training set if not given.
            decoding: As in `speak`.

        Raises:
            UsageError: if the model wasn't trained on the task, in the modes or for guidance, or doesn't know the tone,
                or if the task needs what isn't given, or can't do with what is.
            TextError: if the text's language isn't known.
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
                f"`audio` must be at most {max_frames / rate:g} s long, as the model has learnt it, but is"
                f" {frames / rate:g} s. Cut it, or raise `max_s`."
            )
        phonemes, code = self._spoken(text, language) if text and text.strip() else ("", "")
        prompt_KP = input_KS[:, :0] if prompt is None else self._cut_prompt(self.prompt_codes(prompt))
        replaced_S = None if replace_s is None else replaced_frames(frames, rate, *replace_s)
        condition = Condition(phonemes, code, prompt_KP, task, input_KS, replaced_S, self._tone(tone))
        least, most = (frames, frames) if same_length else (1, max_frames)
        return self._say(condition, least, most, decoding, seed=seed, started=started)

    def _say(self, condition: Condition, least: int, most: int, how: Decoding, *, seed: int, started: float) -> Speech:
        """Returns a response of `least` to `most` frames."""
        identity = self.checkpoint.meta.codec
        generator = torch.Generator(self.device).manual_seed(seed)
        said = self.network, self.checkpoint.tokenizer, [condition]
        guidance = how.guidance or 1.0
        if how.mode == "ar":
            (codes_KT,) = generate(
                *said,
                max_frames=most,
                min_frames=least,
                ar=how.ar,
                nar=how.nar,
                guidance=guidance,
                generator=generator,
            )
        else:
            frames = [most] if least == most else predict_frames(*said, max_frames=most)
            first = generate_masked(*said, frames, unmasking=how.unmasking, guidance=guidance, generator=generator)
            (codes_KT,) = generate_rest(*said, first, sampling=how.nar, generator=generator)
        wave = self.codec.decode(torch.from_numpy(codes_KT)).numpy()
        taken_s = time.perf_counter() - started
        unseen = "".join(sorted(set(condition.phonemes) - set(self.checkpoint.meta.symbols)))
        return Speech(
            wave,
            identity.sample_rate,
            codes_KT,
            language=condition.language,
            phonemes=condition.phonemes,
            unseen=unseen,
            cut=least < most == codes_KT.shape[1],
            compute_s=taken_s,
        )

    def hear(self, speech: Prompt, *, language: str | None = None, max_tokens: int = 500) -> Heard:
        """Returns the phonemes of what is said.

        Args:
            speech: A recording's path, a wave or codes.
            language: ISO 639-1 code; heard too if not given.
            max_tokens: Most phonemes.

        Raises:
            UsageError: if the model wasn't trained in the mode `stt`.
            TextError: if it doesn't know the language.
            AudioError: if the recording can't be read.
            CodecError: if the codes don't fit the model.
        """
        from stages.text.languages import normalise_code

        self.check_trained("stt")
        code = normalise_code(language) if language else None
        codes_KT = self.prompt_codes(speech)
        return hear(self.network, self.checkpoint.tokenizer, [codes_KT], max_tokens=max_tokens, language=code)[0]

    def settled(self, decoding: Decoding, *, length_known: bool = False) -> Decoding:
        """Returns a decoding with the guidance that holds for this model, which must be able to decode so.

        Args:
            decoding: How the codes of a response are to be chosen.
            length_known: Whether it is known how many there are.

        Raises:
            UsageError: if the model wasn't trained in one of the modes, or can't be guided.
        """
        num_codebooks = self.checkpoint.meta.codec.num_codebooks
        self.check_trained(*decoding.modes(num_codebooks, length_known=length_known))
        return decoding.settled(self.checkpoint.config.data, self.checkpoint.folder)

    def check_speech(self, *, continues: bool) -> None:
        """Raises `UsageError` if the model never learnt to speak a text, or to do so going on from its prompt."""
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
        max_frames = int((max_s or self.checkpoint.config.data.max_s) * rate)
        if max_frames < 1:
            raise UsageError(f"`max_s` must be at least one frame ({1 / rate:.3f} s), but is {max_s}.")
        return max_frames

    def condition(
        self,
        text: str,
        prompt: Prompt,
        *,
        prompt_text: str | None = None,
        language: str | None = None,
        tone: str | None = None,
    ) -> Condition:
        """Returns what the network is given for a text and a prompt; raises as `speak` does."""
        from stages.text.languages import detect

        if not text.strip():
            raise TextError("`text` must hold something to say, but is empty.")
        name = self._tone(tone)
        prompt_KP = self.prompt_codes(prompt)
        if prompt_text is None:
            return Condition(*self._spoken(text, language), self._cut_prompt(prompt_KP), "tts", tone=name)
        spoken = self._spoken(f"{prompt_text.strip()} {text}", language or detect(text))
        return Condition(*spoken, prompt_KP, "tts-c", tone=name)

    def _tone(self, tone: str | None) -> str:
        """Returns the tone, "" for none; raises `UsageError` if the model doesn't know it."""
        if tone is not None:
            self.checkpoint.tokenizer.tone(tone)
        return tone or ""

    def _cut_prompt(self, prompt_KP: Codes) -> Codes:
        """Returns as much of a prompt's beginning as prompts had in training."""
        frames = round(self.checkpoint.config.data.prompt_s * self.checkpoint.meta.codec.frame_rate)
        return prompt_KP[:, : max(1, frames)]

    def _spoken(self, text: str, language: str | None) -> tuple[str, str]:
        """Returns the phonemes of a text and its language's code, told from the text if not given."""
        from stages.text.languages import detect, normalise_code
        from stages.text.phonemes import phonemize

        code = normalise_code(language) if language else detect(text)
        # Marks that the training set was prepared without, or never held, would only be noise.
        known = set(self.checkpoint.meta.symbols)
        (phonemes,) = phonemize([text], code, stress=bool(known & _STRESS), punctuation=bool(known & _PUNCTUATION))
        return phonemes, code

    def prompt_codes(self, prompt: Prompt, name: str = "prompt") -> Codes:
        """Returns the prompt, called `name` in errors, as `[K, P]` codes; raises as `speak` does.

        Sound becomes as loud as what the model learnt from was made; codes stay as they are.
        """
        if isinstance(prompt, str | Path):
            from stages.audio.files import read_at

            prompt = read_at(Path(prompt), self.codec.sample_rate)
        tensor = torch.as_tensor(prompt)
        if tensor.is_floating_point():
            tensor = self.codec.encode([self._levelled(tensor)])[0]
        codes_KP: Codes = tensor.cpu().numpy()
        self._check_codes(codes_KP, name)
        return codes_KP

    def _levelled(self, wave: torch.Tensor) -> torch.Tensor:
        loudness = self.checkpoint.meta.loudness_lufs
        if loudness is None:
            return wave
        from stages.audio.loudness import levelled

        return torch.from_numpy(levelled(wave.cpu().numpy(), self.codec.sample_rate, loudness))

    def _check_codes(self, codes_KP: Codes, name: str) -> None:
        identity = self.checkpoint.meta.codec
        fits = codes_KP.ndim == 2 and codes_KP.shape[0] == identity.num_codebooks
        if not fits or codes_KP.min(initial=0) < 0 or codes_KP.max(initial=0) >= identity.codebook_size:
            raise CodecError(
                f"`{name}` must be [{identity.num_codebooks}, P] codes from 0 to {identity.codebook_size - 1}, but is"
                f" {list(codes_KP.shape)} up to {codes_KP.max(initial=0)}. Encode it with the codec of the model."
            )
