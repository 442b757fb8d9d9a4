"""Turns text into IPA with one voice of espeak-ng: the same strings as phonemizer, but faster.

phonemizer takes the punctuation out, has espeak-ng read the parts between, and puts the marks back. This does the same,
with phonemizer's pattern and in its order, oddities included. It skips what costs phonemizer time for each text:
logging, word counts, separators, a fresh binding at each call. It caches the parts that it has read.

One bug of phonemizer 3.4 isn't reproduced: it splits a text at the first occurrence of a mark, not where its pattern
matched. In `It costs 3.50 today.` it takes the decimal point for the full stop, and drops the rest.
"""

import ctypes
import re
import unicodedata
from collections.abc import Sequence

_UTF8 = 1
_IPA = 0x02
_FLAG = re.compile(r"\(.+?\)")
"""A flag where espeak-ng switches language, as in `(en)…(de)`."""
_STRESS = re.compile("[ˈˌ'-]+")
_CACHED = 1 << 14
"""Number of parts whose IPA is kept: in most corpora many speakers read the same sentences."""
_MODIFIERS = frozenset({"Mn", "Lm", "Sk"})
"""Categories of Unicode of what belongs to the letter before."""


class Reader:
    """Reads texts in one voice of espeak-ng. Flags of language switches are removed.

    Reads one text at a time, because espeak-ng has global state. Call `stages.text.espeak.configure` first.

    Args:
        voice: A voice of espeak-ng.
        stress: Whether stress marks are kept.
        punctuation: Whether punctuation is kept.
    """

    def __init__(self, voice: str, *, stress: bool, punctuation: bool) -> None:
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
        from phonemizer.punctuation import Punctuation

        self._wrapper = EspeakWrapper()
        self._wrapper.set_voice(voice)
        # phonemizer's own binding sets the argument types again at each call, which is slow.
        kind = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        self._next_clause = kind(("espeak_TextToPhonemes", self._wrapper._espeak._library))
        self._text = ctypes.c_char_p()
        self._pointer = ctypes.addressof(self._text)
        self._cut = _marks(Punctuation().marks).split
        self._stress, self._keep_marks = stress, punctuation
        self._spoken = {"": ""}

    def read(self, text: str) -> str:
        """Returns the IPA of a text in one line; it may contain double spaces."""
        return self.read_all([text])[0]

    def read_all(self, texts: Sequence[str]) -> list[str]:
        """Returns the IPA of texts as `read` does.

        All of them are cut at their marks before espeak-ng reads the first: it works faster when nothing else takes
        the processor's caches in between.
        """
        if len(self._spoken) > _CACHED:
            self._spoken = {"": ""}
        cut = list(map(self._cut if self._keep_marks else self._without_marks, texts))
        spoken, speak = self._spoken, self.speak
        for part in dict.fromkeys(part for pieces in cut for part in map(str.rstrip, pieces[::2])):
            if part not in spoken:
                spoken[part] = speak(part)
        return list(map(self._joined, cut))

    def _without_marks(self, text: str) -> list[str]:
        return [" ".join(map(str.strip, self._cut(text)[::2])).strip()]

    def _joined(self, pieces: Sequence[str]) -> str:
        """Returns the IPA of parts with the marks between them, exactly as phonemizer's `Punctuation.restore` does.

        Args:
            pieces: A part, a mark, a part, …, a part.
        """
        spoken, line = self._spoken, ""
        for at in range(0, len(pieces) - 1, 2):
            part = pieces[at].rstrip()
            line = f"{f'{line}{spoken[part]}'.removesuffix(' ')}{pieces[at][len(part) :]}{pieces[at + 1]}"
        return line + spoken[pieces[-1].rstrip()]

    def speak(self, part: str) -> str:
        """Returns the IPA of a part without punctuation."""
        line = self._clauses(part, _IPA)
        if "(" in line:
            line = _FLAG.sub("", line)
        line = line.replace("_", "")
        return line if self._stress else _STRESS.sub("", line)

    def _clauses(self, text: str, mode: int) -> str:
        """Returns espeak-ng's phonemes of a text in one of its output modes."""
        self._text.value = text.encode()
        clauses = []
        while self._text:
            if clause := self._next_clause(self._pointer, _UTF8, mode):
                clauses.append(clause)
        return b" ".join(clauses).decode().strip().replace("\n", " ")


def _marks(marks: str) -> re.Pattern[str]:
    """Returns the pattern of marks with what is between and after them, as a group.

    It finds what phonemizer's finds, where that finds the spaces before the marks too, but looks only at marks: a point
    or a comma between digits is none.
    """
    return re.compile(rf"((?:[{re.escape(marks)}](?<![0-9][,.](?=[0-9]))\s*)+)")


def phones(phonemes: str) -> list[str]:
    """Splits IPA into phones, each a letter with its length, tone or diacritics; drops spaces and stress.

    Example:
        >>> phones("həlˈoʊ wˈɜːld")
        ['h', 'ə', 'l', 'o', 'ʊ', 'w', 'ɜː', 'l', 'd']
    """
    found: list[str] = []
    for symbol in re.sub(r"[\sˈˌ]+", "", phonemes):
        if found and unicodedata.category(symbol) in _MODIFIERS:
            found[-1] += symbol
        else:
            found.append(symbol)
    return found
