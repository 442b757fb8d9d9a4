"""The vocabulary: markers, tasks, languages and every symbol of a phoneme string, plus a model's tones.

The symbols are whole Unicode ranges (IPA, its modifiers, tones and diacritics, Latin and Greek letters used by IPA,
digits, punctuation of all supported scripts), so they don't depend on a dataset. The vocabulary is stored in each
checkpoint. A symbol outside it becomes the known parts of its canonical decomposition, or `<unk>`.
"""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

from model.sequences.aligned import Times
from model.sequences.tasks import TextTask, Transform
from stages.errors import ArtefactError, UsageError
from stages.text.languages import LANGUAGES

Task = Literal["tts", "tts-c", "len", "stt", Transform, TextTask]
"""`tts`: the text covers the response; the prompt is another utterance of the speaker.
`tts-c`: the text covers prompt and response; the response continues the prompt.
`len`: predicts the number of frames of a response, as decimal digits.
`stt`: predicts the language and the phonemes of speech.
The others turn speech into other speech, or text into phonemes and back: see `model.sequences.tasks`."""

_FIRST: Final[tuple[Task, ...]] = ("tts", "tts-c", "len", "stt")
_LATER: Final[tuple[Task, ...]] = (*get_args(Transform), *get_args(TextTask))
"""Their markers come last, so the other ids are the same as in models from before these tasks."""
TASKS: Final[tuple[Task, ...]] = (*_FIRST, *_LATER)

_TONE: Final = "<tone {}>"

LEAD, TAIL = "<lead>", "<tail>"
"""Names, in `Tokenizer.paces`, of the silence before and after a text."""
EDGE = "\n"
"""Stands there for the neighbour of the first and of the last symbol; no symbol itself."""

_RANGES = (
    (0x20, 0x7E),  # ASCII: Latin letters, digits (espeak's tone numbers), punctuation
    (0xA1, 0xFF),  # Latin-1: æ ç ð ø, ¡ ¿ « »
    (0x100, 0x17F),  # Latin Extended-A: ħ ŋ œ
    (0x180, 0x1C3),  # Latin Extended-B up to the clicks ǀ ǁ ǂ ǃ
    (0x250, 0x2AF),  # IPA Extensions
    (0x2B0, 0x2FF),  # Spacing Modifier Letters: stress ˈ ˌ, length ː ˑ, aspiration ʰ, tones ˥ … ˩
    (0x300, 0x36F),  # Combining Diacritical Marks: nasal, syllabic, voiceless, ties
    (0x3B1, 0x3C9),  # Greek: β θ χ
    (0x1D00, 0x1DBF),  # Phonetic Extensions and their Supplement
    (0x1DC4, 0x1DCF),  # contour tones
    (0x2010, 0x203E),  # dashes, quotation marks, ellipsis, the undertie ‿
    (0x2190, 0x2199),  # arrows: global rise and fall
    (0x3001, 0x3003),  # 、 。
    (0x3008, 0x3011),  # 「 」 『 』 【 】
    (0xA700, 0xA71F),  # modifier tone letters
    (0xA788, 0xA789),
    (0xFF01, 0xFF0F),  # full-width ！ （ ） ，
    (0xFF1A, 0xFF1F),  # full-width ： ； ？
)


def _symbols() -> list[str]:
    """Returns the symbols in code point order, without control, format and unassigned characters and separators."""
    chars = (chr(code) for first, last in _RANGES for code in range(first, last + 1))
    return [char for char in chars if unicodedata.category(char) not in {"Cc", "Cf", "Cn", "Zl", "Zp"}]


class Tokenizer:
    """Turns phonemes and markers into ids; `tokens[i]` is the token of id i."""

    def __init__(
        self,
        tokens: Sequence[str],
        *,
        spacing: float = 0.0,
        paces: Mapping[str, float] | None = None,
        names_said: bool = False,
    ) -> None:
        self.tokens = tuple(tokens)
        self.spacing = spacing
        """Frames from one phoneme to the next, by `model.text_spacing`, which the configuration keeps; 0 for none."""
        self.paces = dict(paces or {})
        """Frames that each symbol takes, measured in the training set; empty if not. "" is the silence at both ends
        together. Where utterances were aligned (`model.text_spacing: aligned`), `LEAD` and `TAIL` are these apart, and
        three symbols are the middle one between the others."""
        self.names_said = names_said
        """Whether frames are told which symbol they say (`ModelConfig.names_said`)."""
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self.unknown = self._ids["<unk>"]
        self.end = self._ids["<end>"]
        self.prompt = self._ids["<prompt>"]
        self.canvas = self._ids["<canvas>"]
        self.mask = self._ids["<mask>"]
        self.speech = self._ids["<speech>"]
        self.text = self._ids["<text>"]
        self.length = self._ids["<length>"]
        self.input = self._ids.get("<input>", self.unknown)
        self.replace = self._ids.get("<replace>", self.unknown)

    @classmethod
    def default(cls, num_codebooks: int) -> "Tokenizer":
        """Returns the vocabulary of a new model for `num_codebooks` codebooks."""
        markers = ["<unk>", "<end>", "<prompt>", "<canvas>", "<mask>", "<speech>", "<text>", "<length>"]
        first, later = ([f"<{task}>" for task in tasks] for tasks in (_FIRST, _LATER))
        levels = [f"<level {level}>" for level in range(num_codebooks)]
        languages = [f"<{code}>" for code in LANGUAGES]
        return cls([*markers, *first, *levels, *languages, *_symbols(), "<input>", "<replace>", *later])

    def extended(self, num_codebooks: int, symbols: Iterable[str]) -> "Tokenizer":
        """Returns this vocabulary with the missing tokens of a new model's and a dataset's symbols appended."""
        return self._with([*self.default(num_codebooks).tokens, *self.unknown_symbols(symbols)])

    def with_symbols(self, symbols: Iterable[str]) -> "Tokenizer":
        """Returns this vocabulary with an id for each of the symbols, those of decomposable ones too."""
        return self._with(symbols)

    def with_tones(self, names: Iterable[str]) -> "Tokenizer":
        """Returns this vocabulary with the missing tones appended, in their order."""
        return self._with([_TONE.format(name) for name in names])

    def _with(self, wanted: Iterable[str]) -> "Tokenizer":
        new = [token for token in wanted if token not in self._ids]
        return Tokenizer([*self.tokens, *new], spacing=self.spacing, paces=self.paces, names_said=self.names_said)

    def spaced(self, spacing: float, *, names_said: bool = False) -> "Tokenizer":
        """Returns this vocabulary with texts laid out as `model.text_spacing` says."""
        return Tokenizer(self.tokens, spacing=spacing, paces=self.paces, names_said=names_said)

    def paced(self, paces: Mapping[str, float]) -> "Tokenizer":
        """Returns this vocabulary with texts laid out by the frames that their symbols take (`paces`)."""
        return Tokenizer(self.tokens, paces=paces, names_said=self.names_said)

    def frames_of(self, ids: Sequence[int]) -> Times:
        """Returns the frames that each symbol of a text usually takes; some take none."""
        if not self.paces:
            return Times(0.0, [self.spacing or 1.0] * len(ids), 0.0)
        symbols = [EDGE, *(self.tokens[number] for number in ids), EDGE]
        each = [
            self.paces.get("".join(symbols[at - 1 : at + 2]), self.paces.get(symbols[at], self._usual))
            for at in range(1, len(symbols) - 1)
        ]
        edge = self.paces.get("", 0.0) / 2
        return Times(self.paces.get(LEAD, edge), each, self.paces.get(TAIL, edge))

    @cached_property
    def _usual(self) -> float:
        """Frames of a symbol that wasn't measured."""
        measured = [frames for name, frames in self.paces.items() if len(name) < 2]
        return sum(measured) / len(measured)

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    def task(self, task: Task) -> int:
        """Returns the id of a task's marker.

        Raises:
            UsageError: if the vocabulary has no marker for it, as in an older model.
        """
        if f"<{task}>" not in self._ids:
            raise UsageError(
                f"The model must know the task `{task}`, but its vocabulary has no marker for it: the model is older"
                " than the task. Train a new model, or fine-tune this one (`trainer.start_from`)."
            )
        return self._ids[f"<{task}>"]

    def level(self, level: int) -> int:
        """Returns the id of the marker of codebook `level`."""
        return self._ids[f"<level {level}>"]

    def language(self, code: str) -> int:
        """Returns the id of a language's marker, or of `<unk>` if the model doesn't know the language."""
        return self._ids.get(f"<{code}>", self.unknown)

    def tone(self, name: str) -> int:
        """Returns the id of a tone's marker.

        Raises:
            UsageError: if the model doesn't know the tone.
        """
        if name in self.tones:
            return self.tones[name]
        if self.tones:
            raise UsageError(f"`tone` must be one that the model knows ({', '.join(self.tones)}), but is `{name}`.")
        raise UsageError(
            f"`tone` must be left out, but is `{name}`: the model knows none. Train one with `data.tones=true`."
        )

    @cached_property
    def tones(self) -> dict[str, int]:
        """Ids of the tones' markers, by name."""
        before, after = _TONE.split("{}")
        return {
            token.removeprefix(before).removesuffix(after): number
            for number, token in enumerate(self.tokens)
            if token.startswith(before)
        }

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the symbols of ids, without markers."""
        return "".join(self.tokens[number] for number in ids if len(self.tokens[number]) == 1)

    @cached_property
    def num_codebooks(self) -> int:
        """K of the codec: there is a marker for each codebook."""
        return sum(f"<level {level}>" in self._ids for level in range(len(self.tokens)))

    @cached_property
    def languages(self) -> dict[int, str]:
        """Language codes, by the id of their marker."""
        return {self._ids[f"<{code}>"]: code for code in LANGUAGES if f"<{code}>" in self._ids}

    @cached_property
    def digits(self) -> list[int]:
        """Ids of the digits 0 to 9."""
        return [self._ids[str(digit)] for digit in range(10)]

    def encode(self, phonemes: str) -> list[int]:
        """Returns the ids of a phoneme string; never raises.

        A character outside the vocabulary becomes the known parts of its canonical decomposition (NFD), or `<unk>` if
        there are none.
        """
        try:
            return [self._ids[char] for char in phonemes]
        except KeyError:
            return [number for char in phonemes for number in self._char(char)]

    def _char(self, char: str) -> Iterable[int]:
        if char in self._ids:
            return (self._ids[char],)
        parts = [self._ids[part] for part in unicodedata.normalize("NFD", char) if part in self._ids]
        return parts or (self.unknown,)

    def unknown_symbols(self, symbols: Iterable[str]) -> list[str]:
        """Returns the symbols that would become `<unk>`."""
        return [symbol for symbol in symbols if self.unknown in self.encode(symbol)]

    def save(self, path: Path) -> None:
        """Writes the tokens as JSON."""
        path.write_text(json.dumps(self.kept(), ensure_ascii=False), encoding="utf-8")

    def kept(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps, as JSON."""
        return {"tokens": self.tokens, **({"paces": self.paces} if self.paces else {})}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Tokenizer":
        """Returns the vocabulary of what `kept` returned."""
        return cls(kept["tokens"], paces=kept.get("paces"))

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads what `save` wrote.

        Raises:
            ArtefactError: if the file can't be read or isn't a vocabulary.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"`{path}` must be a vocabulary, but can't be read as one ({error!r}). Take another checkpoint."
            ) from error
