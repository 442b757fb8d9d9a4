"""Finds which frames say which symbol of a text, from codes and texts alone (`model.text_spacing: aligned`).

A hidden Markov model goes through the symbols of a text from left to right, with silence at both ends. Each symbol has
its own distribution of codes; a symbol may be passed over, as a space or a stress mark is. It begins with the symbols'
mean frames (`mean_paces`), and learns from the likeliest paths (Viterbi training), as recognisers do
from a flat start (Young et al., The HTK Book, 3.4, section 8.3). Nothing is downloaded, and any language and any codec
will do.

Axes: N utterances, S states (silence, symbols, silence), T frames, J codebooks read, V codes, C kinds of states.
"""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.data.source import Store
from model.data.texts import Texts
from model.sequences.aligned import Times
from model.sequences.documents import Int64s
from model.sequences.tokenizer import EDGE, LEAD, TAIL, Tokenizer
from stages.records import Codes

_log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_SAMPLE = 10_000
"""Most rows that are read to measure means: a distribution needs no more."""
_LEARNT = 3_000
"""Most utterances that an aligner learns from."""
_KEPT = 200_000
"""Utterances whose times are kept in memory."""
_NEAR = 2.0
"""How much the mean of all symbols counts for the frames of one."""

_CODEBOOKS = 2
"""Codebooks that are read: those above tell little of what is said."""
_ROUNDS = 8
_SMOOTHING = 50.0
"""How many frames of all symbols together count for the codes of one."""
_REACH = 4
"""Most states from one frame to the next: three symbols in a row may be passed over."""
_BATCH = 64
_NEVER = -1e30
_FEWEST = 3
"""Occurrences from which on a symbol between two others has a mean of its own, and how much that of the symbol counts
there."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text and the codes that say it."""

    ids: Sequence[int]
    """Ids of its symbols (`Tokenizer.encode`)."""
    codes_KT: Codes


class Aligner:
    """Finds the frames of each symbol; made by `fit`.

    Args:
        kinds: The kind of state of each symbol's id. Silence is the last kind.
        codes_JVC: Logarithms of how likely each code is in each kind of state.
        stays_C: How likely a kind of state stays for another frame.
        skips_C: How likely it is passed over.
    """

    def __init__(
        self,
        kinds: dict[int, int],
        codes_JVC: Floats,
        stays_C: npt.NDArray[np.float64],
        skips_C: npt.NDArray[np.float64],
    ) -> None:
        self._kinds = kinds
        self._codes_JVC = codes_JVC
        self._stay_C, self._leave_C = np.log(stays_C), np.log1p(-stays_C)
        self._skip_C, self._enter_C = np.log(skips_C), np.log1p(-skips_C)

    @classmethod
    def fit(cls, utterances: Sequence[Spoken], tokenizer: Tokenizer, codebook_size: int) -> "Aligner":
        """Learns from utterances; deterministic.

        Args:
            utterances: What is learnt from; a few thousand are enough.
            tokenizer: Their vocabulary, with the mean frames of the symbols (`Tokenizer.paces`), which it begins with.
            codebook_size: V.
        """
        known = sorted({number for item in utterances for number in item.ids})
        kinds = {number: kind for kind, number in enumerate(known)}
        states = [_states(item.ids, kinds) for item in utterances]
        codes = [_read(item.codes_KT) for item in utterances]
        frames = [tokenizer.frames_of(item.ids).counts(item.codes_KT.shape[1]) for item in utterances]
        found = _estimated(kinds, states, codes, frames, codebook_size)
        for _ in range(_ROUNDS):
            frames = found._paths(states, codes)
            found = _estimated(kinds, states, codes, frames, codebook_size)
        return found

    def times(self, utterances: Sequence[Spoken]) -> list[Times]:
        """Returns the whole frames of each symbol of each utterance, and of the silence before and after them."""
        states = [_states(item.ids, self._kinds) for item in utterances]
        paths = self._paths(states, [_read(item.codes_KT) for item in utterances])
        return [Times(int(each[0]), tuple(each[1:-1].tolist()), int(each[-1])) for each in paths]

    def _paths(self, states: Sequence[Int64s], codes: Sequence[Int64s]) -> list[Int64s]:
        """Returns the frames of each state on the likeliest path, `[S]` for each utterance."""
        order = sorted(range(len(states)), key=lambda number: codes[number].shape[1])
        found: list[Int64s] = [states[0]] * len(states)
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            paths = self._batch([states[number] for number in batch], [codes[number] for number in batch])
            for number, path in zip(batch, paths, strict=True):
                found[number] = path
        return found

    def _batch(self, states: Sequence[Int64s], codes: Sequence[Int64s]) -> list[Int64s]:
        """Returns the frames of each state of several utterances (Viterbi), `[S]` each; N counts those of the batch."""
        counts_N = np.array([len(each) for each in states])
        lengths_N = np.array([each.shape[1] for each in codes])
        shape = len(states), int(counts_N.max())
        likely_TNS = np.full((int(lengths_N.max()), *shape), _NEVER, np.float32)
        stay_NS, leave_NS, enter_NS, rest_NS = (np.full(shape, _NEVER, np.float32) for _ in range(4))
        skip_NS = np.zeros(shape, np.float32)
        for number, (kinds_S, codes_JT) in enumerate(zip(states, codes, strict=True)):
            length, count = codes_JT.shape[1], len(kinds_S)
            tables = zip(self._codes_JVC, codes_JT, strict=True)
            likely_TNS[:length, number, :count] = sum(table_VC[codes_T][:, kinds_S] for table_VC, codes_T in tables)
            stay_NS[number, :count] = self._stay_C[kinds_S]
            leave_NS[number, :count] = self._leave_C[kinds_S]
            enter_NS[number, :count] = self._enter_C[kinds_S]
            skip_NS[number, :count] = self._skip_C[kinds_S]
            after_S = np.append(skip_NS[number, count - 1 : 0 : -1].cumsum()[::-1], 0.0)[
                -_REACH:
            ]  # to pass over all the rest
            rest_NS[number, count - len(after_S) : count] = after_S
        passed_NS = skip_NS.cumsum(1)
        moves = [stay_NS]
        for reach in range(1, min(_REACH, shape[1] - 1) + 1):  # into a state from the one `reach` before it
            between_NS = passed_NS[:, reach - 1 : -1] - passed_NS[:, :-reach]
            moves.append(leave_NS[:, :-reach] + between_NS + enter_NS[:, reach:])
        best_NS = np.full(shape, _NEVER, np.float32)
        best_NS[:, :_REACH] = (passed_NS - skip_NS + enter_NS + likely_TNS[0])[:, :_REACH]
        came_TNS = np.zeros(likely_TNS.shape, np.int8)
        state_N = np.zeros(shape[0], np.int64)
        for t, likely_NS in enumerate(likely_TNS):
            if t:
                found_NS = best_NS + moves[0]
                for reach, move in enumerate(moves[1:], start=1):
                    reached = best_NS[:, :-reach] + move
                    better = reached > found_NS[:, reach:]
                    found_NS[:, reach:][better] = reached[better]
                    came_TNS[t, :, reach:][better] = reach
                best_NS = found_NS + likely_NS
            ended = np.flatnonzero(lengths_N == t + 1)
            state_N[ended] = (best_NS[ended] + rest_NS[ended]).argmax(1)
        frames_NS = np.zeros(shape, np.int64)
        row_N = np.arange(shape[0])
        for t in range(len(likely_TNS) - 1, -1, -1):
            spoken_N = lengths_N > t
            frames_NS[row_N[spoken_N], state_N[spoken_N]] += 1
            state_N -= np.where(spoken_N, came_TNS[t, row_N, state_N], 0)
        return [frames_S[:count] for frames_S, count in zip(frames_NS, counts_N, strict=True)]


def _states(ids: Sequence[int], kinds: dict[int, int]) -> Int64s:
    """Returns the kinds of an utterance's states, `[S]`; an unknown symbol is taken for silence."""
    silence = len(kinds)
    return np.array([silence, *(kinds.get(number, silence) for number in ids), silence], np.int64)


def _read(codes_KT: Codes) -> Int64s:
    return codes_KT[:_CODEBOOKS].astype(np.int64)


def _estimated(
    kinds: dict[int, int],
    states: Sequence[Int64s],
    codes: Sequence[Int64s],
    frames: Sequence[Int64s],
    codebook_size: int,
) -> Aligner:
    """Returns what makes given paths likeliest."""
    count = len(kinds) + 1
    all_kinds, all_frames = np.concatenate(states), np.concatenate(frames)
    said_L = np.repeat(all_kinds, all_frames)
    tables: list[Floats] = []
    for codes_L in np.concatenate(codes, axis=1):
        table_VC = np.bincount(codes_L * count + said_L, minlength=codebook_size * count).reshape(-1, count)
        overall_V1 = (table_VC.sum(1, keepdims=True) + 0.1) / (len(codes_L) + 0.1 * codebook_size)
        smooth_VC = (table_VC + _SMOOTHING * overall_V1) / (table_VC.sum(0) + _SMOOTHING)
        tables.append(np.log(smooth_VC).astype(np.float32))
    seen_C = np.bincount(all_kinds, minlength=count)
    said_C = np.bincount(all_kinds[all_frames > 0], minlength=count)
    frames_C = np.bincount(said_L, minlength=count)
    skips_C = (seen_C - said_C + 1) / (seen_C + 2)
    stays_C = np.clip(1 - (said_C + 1) / (frames_C + 2), 0.01, 0.99)
    return Aligner(kinds, np.stack(tables), stays_C, skips_C)


def paces_by_neighbours(
    tokenizer: Tokenizer, texts: Sequence[Sequence[int]], times: Sequence[Times]
) -> dict[str, float]:
    """Returns the mean frames of each symbol, of each between two others, and of the silence before and after a text.

    Args:
        tokenizer: The vocabulary.
        texts: Ids of symbols.
        times: The frames of each.
    """
    totals: defaultdict[str, float] = defaultdict(float)
    seen: Counter[str] = Counter()
    for ids, each in zip(texts, times, strict=True):
        symbols = [EDGE, *(tokenizer.tokens[number] for number in ids), EDGE]
        for at, frames in enumerate(each.each, start=1):
            for name in (symbols[at], "".join(symbols[at - 1 : at + 2])):
                totals[name] += frames
                seen[name] += 1
    paces = {name: totals[name] / count for name, count in sorted(seen.items()) if len(name) == 1}
    for name, count in sorted(seen.items()):
        if len(name) == 3 and count >= _FEWEST:  # the symbol between its neighbours
            paces[name] = round((totals[name] + _FEWEST * paces[name[1]]) / (count + _FEWEST), 3)
    paces[LEAD] = float(np.mean([each.lead for each in times]))
    paces[TAIL] = float(np.mean([each.tail for each in times]))
    return paces


class Alignments:
    """The times of a dataset's texts, found when they are asked for.

    Args:
        store: The dataset.
        texts: Its texts.
        tokenizer: Their vocabulary.
        rows: The rows that are learnt from; the same rows give the same times.
    """

    def __init__(self, store: Store, texts: Texts, tokenizer: Tokenizer, rows: Int64s) -> None:
        self._store, self._texts, self._tokenizer, self._rows = store, texts, tokenizer, rows

    @cached_property
    def _learnt(self) -> "_Learnt":
        """What finds the times; it learns when it is first needed, so that planning a run doesn't wait for it."""
        return _learnt(self._store, self._texts, self._tokenizer, self._rows)

    def find(self, rows: Sequence[int]) -> list[Times]:
        """Finds the times of the texts of rows; all that aren't known are found at once."""
        known = self._learnt.found
        found = {row: known[row] for row in dict.fromkeys(rows) if row in known}
        if missing := [row for row in dict.fromkeys(rows) if row not in found]:
            new = dict(zip(missing, self._learnt.aligner.times([self._spoken(row) for row in missing]), strict=True))
            if len(known) + len(new) > _KEPT:
                known.clear()
            known |= new
            found |= new
        return [found[row] for row in rows]

    def of(self, rows: Sequence[int]) -> Times:
        """Returns the times of the texts of rows, joined by spaces."""
        joined, *further = self.find(rows)
        for after in further:
            joined = Times(joined.lead, (*joined.each, joined.tail + after.lead, *after.each), after.tail)
        return joined

    def paces(self, rows: Int64s) -> dict[str, float]:
        """Returns the mean frames of the symbols of rows: see `paces_by_neighbours`."""
        texts = [self._ids(row) for row in rows.tolist()]
        return paces_by_neighbours(self._tokenizer, texts, self.find(rows.tolist()))

    def _spoken(self, row: int) -> Spoken:
        return Spoken(self._ids(row), self._store.codes(row))

    def _ids(self, row: int) -> list[int]:
        return self._tokenizer.encode(self._texts.read(row))


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What rows of a dataset taught, and the times that it found."""

    aligner: Aligner
    found: dict[int, Times]


_LAST: dict[str, _Learnt] = {}
"""The last of the process, by what it was made of: the splits of a run share it."""


def _learnt(store: Store, texts: Texts, tokenizer: Tokenizer, rows: Int64s) -> _Learnt:
    """Returns what the rows teach, or taught before."""
    key = repr(
        (store.fingerprint, texts.by_characters, hash(tokenizer.tokens), hashlib.sha256(rows.tobytes()).digest())
    )
    if key not in _LAST:
        learnt = sample(rows, _LEARNT)
        _log.info("aligning texts and codes of %s utterances", f"{len(learnt):,}")
        spoken = [Spoken(tokenizer.encode(texts.read(row)), store.codes(row)) for row in learnt.tolist()]
        paced = tokenizer.paced(mean_paces(store, texts, rows))
        _LAST.clear()
        _LAST[key] = _Learnt(Aligner.fit(spoken, paced, store.codec.codebook_size), {})
    return _LAST[key]


def sample(rows: Int64s, most: int = _SAMPLE) -> Int64s:
    """Returns at most so many of the rows, spread evenly."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


def mean_paces(store: Store, texts: Texts, rows: Int64s) -> dict[str, float]:
    """Measures how many frames each symbol takes, and "", the silence at both ends of an utterance together.

    They are the non-negative numbers whose sums come nearest to the utterances' frames (least squares); what is rare
    stays near the mean. So nothing has to be aligned.
    """
    from scipy.optimize import nnls

    sample_N = sample(rows)
    counts = [Counter(texts.read(row)) for row in sample_N.tolist()]
    names = sorted(set().union(*counts))
    frames_N = np.asarray(store.frames)[sample_N].astype(np.float64)
    table_NS = np.array([[*(count[name] for name in names), 1] for count in counts], np.float64)
    usual = frames_N.sum() / max(1.0, table_NS[:, :-1].sum())
    near_SS = _NEAR * np.diag([*([1.0] * len(names)), 0.0])
    found_S, _ = nnls(np.concatenate([table_NS, near_SS]), np.concatenate([frames_N, usual * near_SS.sum(1)]))
    return dict(zip([*names, ""], found_S.tolist(), strict=True))
