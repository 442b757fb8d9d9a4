"""Turns text into IPA with one voice of espeak-ng: the same strings as phonemizer, but faster.

phonemizer takes the punctuation out, has espeak-ng read the parts between, and puts the marks back. This does the same,
with phonemizer's pattern and in its order, oddities included. It skips what costs phonemizer time for each text:
logging, word counts, separators, a fresh binding at each call. It caches the parts that it has read.

One bug of phonemizer 3.4 isn't reproduced: it splits a text at the first occurrence of a mark, not where its pattern
matched. In `It costs 3.50 today.` it takes the decimal point for the full stop, and drops the rest.
"""

import ctypes
import re
from collections.abc import Sequence
from functools import lru_cache

_UTF8 = 1
_IPA = 0x02
_FLAG = re.compile(r"\(.+?\)")
"""A flag where espeak-ng switches language, as in `(en)…(de)`."""
_STRESS = re.compile("[ˈˌ'-]+")
_CACHED = 1 << 14
"""Number of parts whose IPA is cached: in most corpora many speakers read the same sentences."""


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
        self._punctuation = Punctuation()
        self._marks = self._punctuation._marks_re
        self._mark = re.compile(f"[{re.escape(self._punctuation.marks)}]")
        self._stress, self._keep_marks = stress, punctuation
        self._spoken = lru_cache(_CACHED)(self.speak)

    def read(self, text: str) -> str:
        """Returns the IPA of a text in one line; it may contain double spaces."""
        if not self._keep_marks:
            return self._spoken(self._punctuation.remove(text))
        marks = self._find_marks(text)
        if not marks:
            return self._spoken(text)
        if marks[0][0] == text:
            return text
        starts, ends = [mark.start() for mark in marks], [mark.end() for mark in marks]
        parts = [text[start:end] for start, end in zip([0, *ends], [*starts, len(text)], strict=True)]
        spoken = [self._spoken(part) for part in parts if part]
        return _restored(spoken, [mark[0] for mark in marks], begins=starts[0] == 0, ends=ends[-1] == len(text))

    def _find_marks(self, text: str) -> list[re.Match[str]]:
        """Returns the matches of phonemizer's pattern, tried only at marks: elsewhere it is slow to fail."""
        marks: list[re.Match[str]] = []
        at = 0
        for mark in self._mark.finditer(text):
            start = mark.start()
            if start < at:
                continue
            while start > at and text[start - 1].isspace():
                start -= 1
            if found := self._marks.match(text, start):
                marks.append(found)
                at = found.end()
        return marks

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


def _restored(spoken: Sequence[str], marks: Sequence[str], *, begins: bool, ends: bool) -> str:
    """Puts the marks back between the parts, exactly as `Punctuation.restore` does.

    Args:
        spoken: The IPA of the parts. Empty parts are missing: then a mark moves on to the next part.
        marks: The marks, in order.
        begins: Whether the text begins with a mark.
        ends: Whether the text ends with a mark.
    """
    if not spoken:
        return "".join(marks)
    done = ""
    at, line = 0, spoken[0]
    for number, mark in enumerate(marks):
        line = line.removesuffix(" ")
        if begins and number == 0:
            line = mark + line
        elif ends and number == len(marks) - 1:
            done, line = line + mark, ""
        elif at + 1 == len(spoken):
            line += mark
        else:
            at += 1
            line += mark + spoken[at]
    return " ".join([done, line, *spoken[at + 1 :]])
