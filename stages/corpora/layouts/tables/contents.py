"""Tells which column of a table without a header is the audio, the text, the speaker, the language, by what it holds.

A column that isn't plainly the text is never taken for it: `Unclear` is raised instead, and says what was found.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation
from typing import Literal

from stages.corpora.layouts.tables.columns import Columns
from stages.errors import TextError
from stages.text.languages import LANGUAGES, UNSPACED, normalise_code

Kind = Literal[
    "empty", "audio", "whole numbers", "numbers", "language", "phonemes", "sentences", "words", "labels", "ids"
]
"""What a column holds. `words`: single ones, nearly all different; `labels`: a few, repeated; `ids`: letters with
digits."""

_ROWS = 5_000
"""Rows that are looked at."""
_ENOUGH = 4
"""Rows from which on it can be told whether a column repeats itself."""
_SPARSE_WORDS, _SPARSE_LETTERS = 4.0, 6.0
"""Fewer words a cell, or letters where words aren't spaced, may be a name."""
_OTHER_LABELS = {
    *("neutral", "happy", "sad", "angry", "surprise", "surprised", "fear", "fearful", "disgust", "disgusted", "calm"),
    *("excited", "amused", "sleepy", "default", "none", "m", "f", "male", "female", "man", "woman"),
    *("train", "dev", "test", "val", "valid", "validation", "eval"),
}
"""Labels that name no speaker: emotions, genders, splits."""
_PHONETIC = re.compile("[ˈˌːɪʊʌɹɾʒɑɜ]")
_ID = re.compile(r"[\w#.:-]*[0-9_#][\w#.:-]*", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_RECORDED_ALONE = frozenset(word for language in LANGUAGES.values() for word in language.words)
"""Digits, yes, no: texts although they are few and repeated."""
_LIKE_LENGTHS = 0.7
"""Whole numbers are lengths if they go with the lengths of the texts at least this closely (Pearson)."""
_LANGUAGES = {"jp": "ja", "kr": "ko", "cn": "zh"}
"""Codes that trainers use for languages, to the usual ones."""
_NO_LANGUAGE = "yue"
"""A language of GPT-SoVITS that isn't in the table of languages."""


class Unclear(Exception):  # noqa: N818 (it is caught where the message is completed)
    """The columns can't be told; the message is what was found.

    Args:
        message: What was found.
        here: Whether a column names recordings that are there.
    """

    def __init__(self, message: str, *, here: bool) -> None:
        super().__init__(message)
        self.here = here


Find = Callable[[str], str | None]
"""Takes what a table calls a recording; returns its path, None if there is none of that name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and what it holds."""

    place: int
    cells: tuple[str, ...]
    """Of all rows that were looked at, "" where a row has none."""
    kind: Kind

    @property
    def repeats(self) -> bool:
        """Whether on average each cell occurs at least twice."""
        held = [cell for cell in self.cells if cell]
        return len(held) >= _ENOUGH and 2 * len({*held}) <= len(held)


def language_of(cell: str) -> str:
    """Returns a language's code as `normalise_code` knows it, also for `JP`, `KR`, `all_zh`."""
    code = cell.strip().lower().removeprefix("all_")
    return _LANGUAGES.get(code, code)


def is_language(cell: str) -> bool:
    """Returns whether a cell is the code or the name of a language."""
    try:
        return bool(normalise_code(language_of(cell)))
    except TextError:
        return language_of(cell) == _NO_LANGUAGE


def by_content(rows: Sequence[Sequence[str]], finder: Callable[[Sequence[str]], Find], *, first: bool) -> Columns:
    """Returns the columns of a table without a header.

    Args:
        rows: The cells of each row.
        finder: Takes the cells of a column; returns what finds the recordings that they name.
        first: Whether the first column names the recordings where none of them is there.

    Raises:
        Unclear: if the audio or the text can't be told.
    """
    table, here = _transposed(rows[:_ROWS]), True
    named = _named(table, finder)
    if not any(named):
        here = False
        named[:1] = [first and _are_names(cells) for cells in table[:1]]
    columns = [
        Column(place, cells, "audio" if is_audio else _kind(cells))
        for place, (cells, is_audio) in enumerate(zip(table, named, strict=True))
    ]
    try:
        return _roles(columns)
    except _Doubt as doubt:
        raise Unclear(f"{doubt}; {_described(columns)}", here=here) from doubt


class _Doubt(Exception):  # noqa: N818
    pass


def _roles(columns: Sequence[Column]) -> Columns:
    audio = [column for column in columns if column.kind == "audio"]
    if len(audio) != 1:
        raise _Doubt("several columns name recordings" if audio else "no column names recordings that are there")
    texts = _texts(columns)
    speaker = _speaker(columns, audio[0], texts)
    language = [column.place for column in columns if column.kind == "language"]
    if len(language) > 1:
        raise _Doubt("several columns hold languages")
    return Columns(
        audio[0].place,
        tuple(column.place for column in reversed(texts)),  # as in LJ Speech, the last one is the normalised text
        speaker=speaker,
        language=language[0] if language else None,
    )


def _described(columns: Sequence[Column]) -> str:
    return "; ".join(
        f"column {column.place + 1} holds {'nothing' if column.kind == 'empty' else column.kind}"
        + (f" (`{next(cell for cell in column.cells if cell)[:30]}`)" if column.kind != "empty" else "")
        for column in columns
    )


def _transposed(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    width = max(map(len, rows), default=0)
    return [tuple(row[place] if place < len(row) else "" for row in rows) for place in range(width)]


def _named(table: Sequence[Sequence[str]], finder: Callable[[Sequence[str]], Find]) -> list[bool]:
    """Returns for each column whether it names recordings that are there."""
    named = []
    for cells in table:
        find = finder(cells)
        named.append(_share([find(cell) is not None for cell in _some(cells)]) > 0.5)
    if sum(named) > 1:  # a number may be the name of a file by chance
        names = [is_audio and not _of_kind(cells, _NUMBER) for cells, is_audio in zip(table, named, strict=True)]
        named = names if any(names) else [place == named.index(True) for place in range(len(table))]
    return named


def _are_names(cells: Sequence[str]) -> bool:
    held = [cell for cell in cells if cell]
    return _share([" " not in cell for cell in held]) > 0.9 and 10 * len({*held}) > 9 * len(held)


def _some(cells: Sequence[str]) -> list[str]:
    return [cell for cell in cells if cell][:100]


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / max(len(flags), 1)


def _of_kind(cells: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(cell) for cell in cells if cell)


def _kind(cells: Sequence[str]) -> Kind:
    held = [cell for cell in cells if cell]
    if not held:
        return "empty"
    if all(map(_NUMBER.fullmatch, held)):
        return "whole numbers" if all(cell.lstrip("+-").isdigit() for cell in held) else "numbers"
    if all(map(is_language, {*held})):
        return "language"
    if _share([bool(_PHONETIC.search(cell)) for cell in held]) > 0.5:
        return "phonemes"
    return "ids" if _share([bool(_ID.fullmatch(cell)) for cell in held]) > 0.5 else _words(held)


def _words(held: Sequence[str]) -> Literal["sentences", "words", "labels"]:
    if all(cell.casefold().strip(".!?") in _RECORDED_ALONE for cell in held):
        return "words"
    unspaced = _share([bool(_UNSPACED.search(cell)) for cell in held]) > 0.5
    length = sum(len(cell) if unspaced else len(cell.split()) for cell in held) / len(held)
    short = length < (_SPARSE_LETTERS if unspaced else _SPARSE_WORDS)
    if len(held) >= _ENOUGH and 2 * len({*held}) <= len(held) and (short or len({*held}) == 1):
        return "labels"
    return "sentences" if unspaced or length > 1.5 or _share([_ends(cell) for cell in held]) > 0.5 else "words"


def _ends(cell: str) -> bool:
    return cell[-1] in ".!?…"


def _texts(columns: Sequence[Column]) -> list[Column]:
    """Returns the columns that hold the text, raw and normalised."""
    sentences = [column for column in columns if column.kind == "sentences"]
    texts = sentences or [column for column in columns if column.kind == "words"]
    if not texts:
        raise _Doubt("none is plainly the text")
    varied = max(len({*column.cells}) for column in texts)
    texts = [column for column in texts if 4 * len({*column.cells}) > varied]  # the rest are names of a few words
    if any(_alike(texts[0], other) < _SAME_TEXT for other in texts[1:]):
        raise _Doubt("several could be the text")
    return texts


_SAME_TEXT = 0.5
"""Two columns are the raw and the normalised text if this much of the pairs of letters of one is in the other."""


def _alike(first: Column, second: Column) -> float:
    """Returns the mean share of common pairs of letters, 0 to 1, over rows that have both."""
    both = [(one, other) for one, other in zip(first.cells, second.cells, strict=True) if one and other][:500]
    shares = [len(_pairs(one) & _pairs(other)) / min(len(_pairs(one)), len(_pairs(other))) for one, other in both]
    return sum(shares) / len(shares) if shares else 1.0


def _pairs(text: str) -> set[str]:
    letters = "".join(filter(str.isalnum, text.casefold()))
    return {letters[at : at + 2] for at in range(len(letters) - 1)} or {letters}


def _closeness(column: Column, text: Column) -> float:
    """Returns the correlation between a column of whole numbers and the lengths of the texts, -1 to 1."""
    pairs = [(float(number), float(len(said))) for number, said in zip(column.cells, text.cells, strict=True) if number]
    try:
        return correlation(*zip(*pairs, strict=True))
    except StatisticsError:  # too few, or all the same
        return 0.0


def _speaker(columns: Sequence[Column], audio: Column, texts: Sequence[Column]) -> int | None:
    """Returns the place of the speakers' column; None if there is none."""
    first = min(column.place for column in texts)
    found: list[Column] = []
    for column in columns:
        held = {cell for cell in column.cells if cell}
        if column in texts or column is audio or column.kind in {"empty", "numbers", "language", "phonemes"}:
            continue
        if all(cell.casefold() in _OTHER_LABELS for cell in held):
            continue
        few = len(column.cells) < _ENOUGH and column.place < first
        if column.kind == "whole numbers" and (
            len(held) == 1 or not (column.repeats or few) or _closeness(column, texts[0]) > _LIKE_LENGTHS
        ):
            continue  # one value for all, nearly all different, or larger for longer texts: a count, a length
        pairs = list(zip(column.cells, audio.cells, strict=True))
        if not column.repeats and len(pairs) >= _ENOUGH and _share([cell in name for cell, name in pairs]) > 0.9:
            continue  # the recording's own id
        found.append(column)
    if not found:
        return None
    if len(found) > 1:
        raise _Doubt(" or ".join(f"column {column.place + 1}" for column in found) + " could be the speaker")
    name = f"column {found[0].place + 1}"
    if found[0].kind == "whole numbers" and found[0].place > first:
        raise _Doubt(f"{name} could be speakers or lengths")
    if found[0].kind == "sentences":
        raise _Doubt(f"{name} could be speakers or titles")
    if not found[0].repeats and len(found[0].cells) >= _ENOUGH:
        raise _Doubt(f"{name} could be speakers or ids")
    return found[0].place
