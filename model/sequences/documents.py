"""Lays out an utterance as the sequence that the network reads, in training, evaluation and synthesis alike.

A document is a sequence of segments, each opened by its markers. A code frame has its segment's marker as its token.
So the input at every position is one token embedding plus the sum of the codes known there:

    ar, nar   <task> <language> phonemes ... <end>  |  <prompt> prompt frames ...  |  <level k> response frames ...
    nar-len   <task> <language> phonemes ... <end>  |  <prompt> prompt frames ...  |  <canvas> response frames ...
    all       <task> <language> phonemes ... <end>  |  <prompt> prompt frames ...  |  <canvas> response frames ...
    len       <len>  <language> phonemes ... <end>  |  <prompt> prompt frames ...  |  <length> digits
    stt       <stt>  |  <speech> frames ...  |  <text> <language> phonemes ...
    phn       <phn>  <language> characters ... <end>  |  <text> phonemes ...
    un-phn    <un-phn>  <language> phonemes ... <end>  |  <text> characters ...

With `data.text: characters`, all but the last two have characters in place of phonemes.

Tasks that turn speech into other speech (`model.sequences.tasks`) have the given speech before the last segment:

    …         <task> <language> phonemes ... <end>  |  <prompt> …  |  <input> input frames ...  |  …

* prompt: shows all K codebooks summed, in AR and NAR documents alike (VALL-E, arXiv 2301.02111, section 4.2).
* tone (`data.tones`): <tone NAME> follows the language.
* ar (level 0), causal: the response shows codebook 0. The marker predicts the first frame, each frame the next one, and
  the last frame the stop code, whose id is `codebook_size`.
  Grouped codes (VALL-E 2, arXiv 2406.05370, section 3.2): with `group` G, a position of the response shows G frames.
  The first is in column 0 of the codes, the others in columns K ... K + G - 2, so the network learns an embedding for
  each place in the group. A position predicts the G codes of the next group, independently of each other. The last
  predicted group is filled up with stop codes; if T is a multiple of G, it is all stop codes. The prompt isn't grouped.
* With `model.text_spacing: aligned`, column K of the codes has the id of a symbol, and <end> for silence. nar, nar-len
  and all: at each frame of the response, the one that it says. ar: at the marker and at each frame, the one that the
  frame predicted there says, by the times that the text usually takes; <end> once it is over.
* nar (level k > 0): the response shows codebooks 0 ... k-1 summed. Codebook k of all frames is predicted at once, each
  at its own position.
* nar with `data.levels: masks`: codebook k is a sequence of its own. Some frames show it, with the token <canvas>; the
  others have the token <level k> and are predicted at once, as in nar-len. No other codebook is shown.
* nar-len: some frames show codebook 0. The others have the token <mask> and are predicted at once (MaskGIT,
  arXiv 2202.04200; for codes MaskGCT, arXiv 2409.00750). The number of frames comes from `len`.
* all: a canvas of all K codebooks, `[K, T]`, of which the first ones are known first. At every moment, one codebook is
  known in some frames, those below it in all and those above it in none. A frame shows the codes known there, summed;
  its token is <mask> where none is, <level k> where codebook k is the first masked one, and <canvas> where none is
  masked. Every masked code can be predicted, each by its codebook's head. What comes before <canvas> doesn't attend to
  what follows it (with `model.arch: retnet` or `mamba` it does), so that decoding reads it once for all its passes.
* input: shows all K codebooks summed, in every mode. Frames to replace have the token <replace>. Without a text, <unk>
  replaces the language.
* len: the task tts is marked <len> here; other tasks keep their own marker. So the text under <tts-c>, which covers
  prompt and response, isn't taken for the text of the response alone.
* len, stt, phn and un-phn, causal: the marker predicts the first token, each token the next one, and the last token
  <end>.

Positions restart at each segment; those of the text may be spaced so that a phoneme is at about the position of the
frames that say it (`model.sequences.aligned`). So the distance from a response frame to a phoneme doesn't depend on the
length of the prompt, and a longer prompt than any in training gives larger positions in its own segment only.

Axes: L positions of a document, M predicted ones, K codebooks (with grouped codes K + G - 1 columns), P prompt frames,
S input frames, T response frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from model.sequences.aligned import NOT_ALIGNED, Aligned, Times, aligned, fitted, laid_out
from model.sequences.heads import frame_tokens, group_columns, head_of_all, masked_alone
from model.sequences.tokenizer import Task, Tokenizer
from stages.records import Codes

Int64s = npt.NDArray[np.int64]

Mixed = tuple[tuple[float, Codes], ...]
"""Weights and codes `[K, P]` of prompts that are read as one: the embeddings of their frames are summed."""

ABSENT = -1
"""Marks a code that is unknown at a position."""

MARKERS = 5
"""Positions of a document besides phonemes and frames: task, language, end, prompt and level. An input and a tone
take one more each."""

Mode = Literal["ar", "nar", "nar-len", "all", "len", "stt"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Condition:
    """The conditions of a response: text, voice and input."""

    phonemes: str
    """Phonemes as `stages.g2p` writes them."""
    language: str
    """ISO 639-1 code."""
    prompt_KP: Codes
    """Codes of the prompt; P may be 0."""
    task: Task = "tts"
    input_KS: Codes | None = None
    """Codes of the speech to transform; None for tasks without an input."""
    replaced_S: npt.NDArray[np.bool_] | None = None
    """Which frames of the input to replace; None for none."""
    tone: str = ""
    """Name of the tone, a group of speakers; "" leaves it open."""
    mixed: Mixed = ()
    """Prompts to mix, each as long as `prompt_KP`, which they replace; () for none."""
    begun_KT: Codes | None = None
    """Frames that the response begins with, for decoding only: a whole number of groups. They aren't returned."""
    unsaid: str = ""
    """The last of the phonemes, which what is given (`begun_KT`, or in the task tts-c the prompt) doesn't say; "" where
    that isn't known. So what is given is laid out along its own frames, whatever its pace."""
    times: Times | None = None
    """The frames of each symbol of the text, where they are known; else they are the usual ones."""
    goes_on: bool = False
    """Whether the frames that are known of the response follow the times as they are, and more may come; else the
    times are stretched to the response."""

    def dropped(self) -> "Condition":
        """Returns the empty condition for classifier-free guidance, without text, prompt, input and tone."""
        input_KS = None if self.input_KS is None else self.input_KS[:, :0]
        nothing = replace(self, phonemes="", prompt_KP=self.prompt_KP[:, :0], mixed=(), tone="")
        return replace(nothing, input_KS=input_KS, replaced_S=None)

    def begun(self) -> Codes:
        """Returns the frames that the response begins with, `[K, T]`; T may be 0."""
        return self.prompt_KP[:, :0] if self.begun_KT is None else self.begun_KT


@dataclass(frozen=True, slots=True)
class Document:
    """One sequence, and what to predict in it."""

    tokens_L: Int64s
    codes_LK: Int64s
    """`ABSENT` where a code is unknown; `[L, K + G - 1]` with grouped codes."""
    positions_L: Int64s
    causal: bool
    head: int
    """Which head predicts: 0 ... K-1 for the codebooks, K for tokens, K + 1 for codebook 0 on a canvas (nar-len), and
    K + 2 ... 3K for the codebooks on a canvas of all (`head_of_all`). Heads of one codebook share its matrix."""
    rows_M: Int64s
    """Positions that predict."""
    targets_M: Int64s
    """What each of `rows_M` predicts; with grouped codes G targets for each, row after row."""
    task: Task
    """The condition's task; `len` or `stt` in those modes."""
    mixed: Mixed = ()
    """As in `Condition`; the codes of the prompt's frames are then those of the first."""
    prompt_at: int = 0
    """The position of the prompt's first frame."""
    more: tuple[tuple[int, Int64s, Int64s], ...] = ()
    """Further heads of the mode all, with their positions and targets."""
    given: int = 0
    """First positions that attend to each other alone (mode all); 0: all attend to all, or causally."""
    before: int = 0
    """Positions before the first frame of the response (mode ar), which no window hides (`model.window`); 0 in other
    modes."""
    said_T: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    """What the frames of the response say (mode ar), as far as the text goes; empty if they aren't told."""
    aligned: Aligned = NOT_ALIGNED
    """Text and response (modes ar and nar). On a canvas, what isn't said yet can't be found in a text by listening."""

    def __len__(self) -> int:
        """Number of positions."""
        return len(self.tokens_L)

    def split(self) -> "tuple[Document, Document]":
        """Returns what is given (`given`), which predicts nothing, and the rest."""
        cut, none = self.given, np.zeros(0, np.int64)
        first = self.tokens_L[:cut], self.codes_LK[:cut], self.positions_L[:cut]
        rest = self.tokens_L[cut:], self.codes_LK[cut:], self.positions_L[cut:]
        more = tuple((head, rows_M - cut, targets_M) for head, rows_M, targets_M in self.more)
        before = Document(*first, False, self.head, none, none, self.task, self.mixed, self.prompt_at)
        return before, Document(*rest, False, self.head, self.rows_M - cut, self.targets_M, self.task, more=more)


def widened(codes_LK: Int64s, columns: int) -> Int64s:
    """Pads codes to a number of columns with `ABSENT`."""
    missing = columns - codes_LK.shape[1]
    return np.pad(codes_LK, ((0, 0), (0, missing)), constant_values=ABSENT) if missing else codes_LK


def document(
    tokenizer: Tokenizer, condition: Condition, response_KT: Codes, level: int, stop: int, *, group: int = 1
) -> Document:
    """Lays out a document of the mode ar (level 0) or nar.

    Args:
        tokenizer: The vocabulary.
        condition: Text, prompt and input.
        response_KT: The frames to learn, or to predict with the codebooks below `level` filled in; T may be 0.
        level: The codebook to predict.
        stop: The stop code: `codebook_size`.
        group: G, frames per position; only level 0 is grouped.
    """
    num_codebooks, frames = response_KT.shape
    if level:
        draft = conditions(tokenizer, condition, condition.task, frames=frames)
        at = draft.response(tokenizer.level(level), response_KT[:level])
        return draft.document(at[1:], response_KT[level], level, causal=False, along=at[1:])
    draft = conditions(tokenizer, condition, condition.task, group=group)
    targets_M = np.append(response_KT[0], np.full(group - frames % group, stop))
    shown_JT = np.full((num_codebooks + group - 1, frames // group), ABSENT, np.int64)
    shown_JT[group_columns(num_codebooks, group)] = targets_M[:-group].reshape(-1, group).T
    at = draft.drawn(tokenizer, shown_JT)
    item = draft.document(at, targets_M, 0, causal=True, along=at[: -(-frames // group)])
    return replace(item, before=int(at[0]) + 1)


def canvas(
    tokenizer: Tokenizer,
    condition: Condition,
    codes_T: npt.NDArray[np.integer[Any]],
    masked_T: npt.NDArray[np.bool_],
    level: int = 0,
) -> Document:
    """Lays out a document of the mode nar-len or, for a level above 0, one of nar with `data.levels: masks`.

    Args:
        tokenizer: The vocabulary.
        condition: Text, prompt and input.
        codes_T: One codebook of the response; masked frames aren't shown.
        masked_T: Which frames to predict.
        level: Which codebook.
    """
    draft = conditions(tokenizer, condition, condition.task, frames=len(codes_T))
    shown_JT = np.full((level + 1, len(codes_T)), ABSENT, np.int64)
    shown_JT[level] = np.where(masked_T, ABSENT, codes_T.astype(np.int64))
    at = draft.response(tokenizer.level(level) if level else tokenizer.canvas, shown_JT)[1:]
    token, head = masked_alone(tokenizer, level)
    draft.tokens[-1][1:] = np.where(masked_T, token, tokenizer.canvas)
    return draft.document(at[masked_T], codes_T[masked_T], head, causal=False)


def whole_canvas(
    tokenizer: Tokenizer,
    condition: Condition,
    response_KT: Codes,
    masked_KT: npt.NDArray[np.bool_],
    asked_KT: npt.NDArray[np.bool_],
) -> Document:
    """Lays out a document of the mode all.

    Args:
        tokenizer: The vocabulary.
        condition: Text, prompt and input.
        response_KT: The response; masked codes aren't shown.
        masked_KT: Which codes are masked: below a masked one of a frame, none is known above.
        asked_KT: Which of these to predict.
    """
    draft = conditions(tokenizer, condition, condition.task, frames=response_KT.shape[1])
    num_codebooks = draft.num_codebooks
    at = draft.response(tokenizer.canvas, np.where(masked_KT, ABSENT, response_KT.astype(np.int64)))
    draft.tokens[-1][1:] = frame_tokens(tokenizer, num_codebooks)[(~masked_KT).sum(0)]
    level = int(masked_KT.any(1).argmax())
    asked = [
        (head_of_all(num_codebooks, codebook, level), at[1:][asked_T], response_KT[codebook][asked_T].astype(np.int64))
        for codebook, asked_T in enumerate(asked_KT)
        if codebook == level or asked_T.any()
    ]
    (head, rows_M, targets_M), *more = asked
    item = draft.document(rows_M, targets_M, head, causal=False)
    return replace(item, more=tuple(more), given=int(at[0]))


def conditions(
    tokenizer: Tokenizer, condition: Condition, task: Task, *, frames: int | None = None, group: int = 1
) -> "Draft":
    """Begins a document with its conditions: text, prompt and input.

    Args:
        tokenizer: The vocabulary.
        condition: What to lay out.
        task: Names the first segment.
        frames: T of the response; None where it isn't known before it is spoken.
        group: Frames of a position of the response.
    """
    draft = Draft(condition.prompt_KP.shape[0], task)
    given_KS = condition.input_KS
    marker = tokenizer.task(task if condition.task == "tts" else condition.task)
    named = bool(condition.phonemes) or given_KS is None
    language = tokenizer.language(condition.language) if named else tokenizer.unknown
    tone = [tokenizer.tone(condition.tone)] if condition.tone else []
    spoken = tokenizer.encode(condition.phonemes)
    draft.text = 2 + len(tone), len(spoken)
    draft.add([marker, language, *tone, *spoken, tokenizer.end])
    if (tokenizer.spacing or tokenizer.paces) and spoken and task not in ("len", "stt"):
        before = condition.prompt_KP.shape[1] if condition.task == "tts-c" else 0
        whole = None if frames is None or condition.goes_on else before + frames
        times = planned(tokenizer, condition, whole)
        draft.text_positions = laid_out(draft.text, times, frames=whole, before=before, group=group)
        if tokenizer.names_said:
            said_T = times.said(spoken, tokenizer.end, whole)[before:]
            draft.said = said_T if frames is None else fitted(said_T, frames, tokenizer.end)
    mixed = condition.mixed
    at = draft.segment(tokenizer.prompt, mixed[0][1] if mixed else condition.prompt_KP)
    draft.mixed, draft.prompt_at = mixed, int(at[0]) + 1
    if given_KS is not None:
        draft.segment(tokenizer.input, given_KS)
        if condition.replaced_S is not None:
            draft.tokens[-1][1:][condition.replaced_S] = tokenizer.replace
    return draft


def planned(tokenizer: Tokenizer, condition: Condition, whole: int | None = None) -> Times:
    """Returns the frames of each symbol: the known ones, or the usual ones.

    Args:
        tokenizer: The vocabulary.
        condition: What is said. Symbols that are said already (`Condition.unsaid`) take the frames that say them.
        whole: Frames that such symbols and the others take together; None if they aren't known.
    """
    if condition.times is not None:
        return condition.times
    spoken = tokenizer.encode(condition.phonemes)
    times = tokenizer.frames_of(spoken)
    given = condition.prompt_KP.shape[1] if condition.task == "tts-c" else condition.begun().shape[1]
    unsaid = len(tokenizer.encode(condition.unsaid))
    if not given or not 0 < unsaid < len(spoken):
        return times
    return times.after(len(spoken) - unsaid, given, None if whole is None else whole - given)


class Draft:
    """Builds a document segment by segment."""

    def __init__(self, num_codebooks: int, task: Task) -> None:
        self.num_codebooks = num_codebooks
        self.task = task
        self.mixed: Mixed = ()
        self.prompt_at = 0
        self.text = 0, 0
        """The position of the first phoneme, and how many there are."""
        self.text_positions: Int64s | None = None
        """What the rotary embedding is told of the first segment; None for its own numbers."""
        self.said: Int64s | None = None
        """The symbol that each frame of the response says; None if they aren't told (`model.text_spacing`)."""
        self.tokens: list[Int64s] = []
        self._codes: list[Int64s] = []
        self._length = 0

    def add(self, tokens: Sequence[int]) -> Int64s:
        """Adds a segment of tokens without codes; returns its positions in the document."""
        codes_LK = np.full((len(tokens), self.num_codebooks), ABSENT, np.int64)
        return self._append(np.array(tokens, np.int64), codes_LK)

    def segment(self, marker: int, codes_JT: npt.NDArray[Any]) -> Int64s:
        """Adds a marker and code frames with J columns; returns their positions in the document."""
        shown, frames = codes_JT.shape
        codes_LK = np.full((1 + frames, max(shown, self.num_codebooks)), ABSENT, np.int64)
        codes_LK[1:, :shown] = codes_JT.T
        return self._append(np.full(1 + frames, marker, np.int64), codes_LK)

    def response(self, marker: int, codes_JT: npt.NDArray[Any]) -> Int64s:
        """Adds the segment of a response of known length, whose frames also say what they are told to."""
        at = self.segment(marker, codes_JT)
        if self.said is not None:
            self.tell(self.said)
        return at

    def drawn(self, tokenizer: Tokenizer, codes_JT: npt.NDArray[Any]) -> Int64s:
        """Adds the segment of a response that is drawn frame by frame; each is told what the next one says."""
        at = self.segment(tokenizer.level(0), codes_JT)
        if self.said is not None:
            self.tell(fitted(self.said, len(at), tokenizer.end))
        return at

    def tell(self, said_N: Int64s) -> None:
        """Tells the last positions of the last segment what is said there."""
        codes_LK = widened(self._codes[-1], self.num_codebooks + 1)
        codes_LK[len(codes_LK) - len(said_N) :, -1] = said_N
        self._codes[-1] = codes_LK

    def _append(self, tokens_L: Int64s, codes_LK: Int64s) -> Int64s:
        self.tokens.append(tokens_L)
        self._codes.append(codes_LK)
        self._length += len(tokens_L)
        return np.arange(self._length - len(tokens_L), self._length)

    def document(
        self,
        rows_M: Int64s,
        targets_M: npt.NDArray[Any],
        head: int,
        *,
        causal: bool,
        along: Int64s | None = None,
    ) -> Document:
        """Returns the document; `along` are the positions of the response that its text runs along."""
        own = [np.arange(len(tokens)) for tokens in self.tokens]
        if self.text_positions is not None:
            own[0] = self.text_positions
        positions_L = np.concatenate(own)
        columns = max(codes_LK.shape[1] for codes_LK in self._codes)
        tokens_L = np.concatenate(self.tokens)
        codes_LK = np.concatenate([widened(codes_LK, columns) for codes_LK in self._codes])
        predicted = rows_M, targets_M.astype(np.int64)
        read = tokens_L, codes_LK, positions_L, causal
        item = Document(*read, head, *predicted, self.task, mixed=self.mixed, prompt_at=self.prompt_at)
        item = replace(item, said_T=self.said) if causal and self.said is not None else item
        if along is None or self.task == "tts-c":  # where the text is also that of the prompt
            return item
        return replace(item, aligned=aligned(self.text, along))
