"""Decodes speech by a whisper model in CTranslate2's format: text with its certainty, languages, times of words."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.errors import WeightsError
from stages.hearing.asr.weights import reason_of
from stages.hearing.asr.windows import SAMPLE_RATE, WINDOW_S, Windows
from stages.machine import parse_device, threads_kept
from stages.records import Wave

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer

ComputeType = Literal["auto", "float32", "float16", "bfloat16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"]
WindowName = Literal["auto", "short", "full"]

_SMALL = 500_000_000
"""Bytes. `auto` loads a smaller model twice on the CPU: its encoder in float32, its decoder in int8."""
_TINY = 384
"""Width of whisper tiny: short windows were measured with tiny.en only."""
LOOPS = 2.4
"""Compression ratio of text that repeats itself (openai-whisper's threshold)."""
_UNSURE = -1.0
"""Mean log-probability below which a text is doubtful (openai-whisper's threshold)."""
_AGAIN = -0.6
"""Mean log-probability below which a text from a short window is decoded again from a full one."""
_OPENING, _CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
"""Marks that belong to the word after them and before them, as faster-whisper has them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was decoded from one stretch."""

    text: str
    tokens: tuple[int, ...]
    """The tokens of the text."""
    avg_logprob: float
    no_speech_prob: float

    @property
    def loops(self) -> bool:
        """Whether the text repeats itself."""
        return compression_ratio(self.text) > LOOPS

    @property
    def doubtful(self) -> bool:
        """Whether it repeats itself or the model is unsure of it."""
        return self.loops or self.avg_logprob < _UNSURE


class Decoder:
    """A whisper model, loaded once per worker.

    Args:
        folder: A whisper model's folder, from `find_model`.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's compute type, or `auto`: on the CPU float32, the decoder of a model under 500 MB
            int8; on CUDA float16.
        beam_size: Number of hypotheses kept.
        batch_size: Number of stretches decoded together.
        windows: `short`: only the speech in a window is encoded; `auto`: for tiny.en on a CPU.
        option: The option that names the model, for messages.

    Raises:
        WeightsError: if the model can't be loaded with this device and compute type.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        compute_type: ComputeType,
        beam_size: int,
        batch_size: int,
        windows: WindowName,
        option: str = "transcribe.model",
    ) -> None:
        import ctranslate2
        from faster_whisper import WhisperModel

        ctranslate2.set_log_level(40)  # logging.ERROR: it tells of each conversion of weights
        self._beam_size = beam_size
        self._batch_size = batch_size
        where = parse_device(device)

        def load(kind: str) -> WhisperModel:
            with threads_kept():
                return WhisperModel(
                    str(folder), where.kind, device_index=where.index or 0, compute_type=kind, local_files_only=True
                )

        small = where.kind == "cpu" and (folder / "model.bin").stat().st_size < _SMALL
        kinds = {"cpu": ("float32", "int8" if small else "float32")}.get(where.kind, ("default", "default"))
        try:
            self.encoder = load(kinds[0] if compute_type == "auto" else compute_type)
            self.decoder = self.encoder if compute_type != "auto" or kinds[0] == kinds[1] else load(kinds[1])
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f"`{option}` can't be loaded from `{folder}` on `{device}` with `transcribe.compute_type`"
                f" {compute_type}: {reason_of(error)}. Give an intact model, or another compute type."
            ) from error
        self.multilingual: bool = self.encoder.model.is_multilingual
        self.languages = frozenset(self.encoder.supported_languages)
        short = windows == "short" or (windows == "auto" and where.kind == "cpu" and self._measured())
        self.windows = Windows(self.encoder, short=short)

    def _measured(self) -> bool:
        """Returns whether short windows were measured with a model like this."""
        import numpy as np

        return not self.multilingual and int(self.encoder.encode(np.zeros((80, 2), np.float32)).shape[-1]) == _TINY

    def hear(self, sounds: Sequence[Wave], language: str) -> list[Decoded]:
        """Decodes sounds of at most 30 s, in a language that the model knows.

        One that is decoded to a loop, or without much certainty, from a short window is decoded again from a full one;
        the surer text is kept.

        Args:
            sounds: `[samples]` at 16 kHz each.
            language: The code as whisper has it.
        """
        found: dict[int, Decoded] = {}
        by_length = sorted(range(len(sounds)), key=lambda place: len(sounds[place]))
        for batch in batches(by_length, self._batch_size):
            texts = self._decode([sounds[place] for place in batch], language, full=False)
            found |= dict(zip(batch, texts, strict=True))
        unsure = [place for place in by_length if found[place].loops or found[place].avg_logprob < _AGAIN]
        for batch in batches(unsure if self.windows.short else [], self._batch_size):
            texts = self._decode([sounds[place] for place in batch], language, full=True)
            found |= {place: _surer(found[place], text) for place, text in zip(batch, texts, strict=True)}
        return [found[place] for place in range(len(sounds))]

    def _decode(self, sounds: Sequence[Wave], language: str, *, full: bool) -> Iterator[Decoded]:
        tokenizer = self.tokenizer(language)
        prompt = self.decoder.get_prompt(tokenizer, [], without_timestamps=True)
        results = self.decoder.model.generate(
            self.windows.encode(sounds, full=full),
            [prompt] * len(sounds),
            beam_size=self._beam_size,
            max_length=self.decoder.max_length,
            return_scores=True,
            return_no_speech_prob=True,
        )
        for result in results:
            tokens = tuple(token for token in result.sequences_ids[0] if token < tokenizer.eot)
            length = len(result.sequences_ids[0])
            score = result.scores[0] * length / (length + 1)
            yield Decoded(tokenizer.decode(list(tokens)), tokens, score, result.no_speech_prob)

    def detect(self, sounds: Sequence[Wave]) -> list[list[tuple[str, float]]]:
        """Returns the languages of sounds with their probabilities, likeliest first; a multilingual model's only."""
        found: list[list[tuple[str, float]]] = []
        for batch in batches(sounds, self._batch_size):
            encoded = self.windows.encode([sound[: WINDOW_S * SAMPLE_RATE] for sound in batch], full=True)
            ranked = self.encoder.model.detect_language(encoded)
            found += [[(token.strip("<|>"), chance) for token, chance in one] for one in ranked]
        return found

    def words(self, sounds: Sequence[Wave], texts: Sequence[Decoded], language: str) -> list[list[dict[str, Any]]]:
        """Places the words of what was heard, by the decoder's attention to the sound.

        Returns:
            For each sound its words: `word`, and `start` and `end` in seconds.

        Source: openai-whisper, `timing.py` (dynamic time warping of the cross-attention weights).
        """
        from faster_whisper.transcribe import merge_punctuations

        tokenizer = self.tokenizer(language)
        found: list[list[dict[str, Any]]] = []
        for sound, text in zip(sounds, texts, strict=True):
            frames = len(sound) * 100 // SAMPLE_RATE
            encoded = self.windows.encode([sound])
            [words] = self.decoder.find_alignment(tokenizer, [list(text.tokens)], encoded, frames)
            merge_punctuations(words, _OPENING, _CLOSING)
            found.append([word for word in words if word["word"].strip()])
        return found

    @lru_cache(maxsize=128)  # noqa: B019 (lives as long as its worker)
    def tokenizer(self, language: str) -> "Tokenizer":
        """Returns the tokenizer with the prompt of a language."""
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(self.decoder.hf_tokenizer, self.multilingual, task="transcribe", language=language)


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yields the items in order, `size` at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))


def _surer(first: Decoded, second: Decoded) -> Decoded:
    """Returns the better of two hearings: the one that doesn't repeat itself, else the one with more certainty."""
    if first.loops != second.loops:
        return second if first.loops else first
    return max(first, second, key=lambda one: one.avg_logprob)


def compression_ratio(text: str) -> float:
    """Returns how much shorter zlib makes a text; 0 for an empty one. Source: openai-whisper, `utils.py`."""
    said = text.strip().encode()
    return len(said) / len(zlib.compress(said)) if said else 0.0
