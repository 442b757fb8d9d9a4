"""Text to IPA in one voice of espeak-ng: phonemizer's own strings, with little done beside espeak-ng's own work.

phonemizer sets punctuation aside, has espeak-ng read what is between, and puts the marks back. So does this, with
phonemizer's own pattern and in its order, oddities included, but for one text at a time and without what its general
way costs for each: logging, word counts, separators, a fresh binding at each call. What was read before is remembered.

Not taken over is a fault of phonemizer 3.4: it cuts a text at the first place where a mark's letters stand, not where
its pattern found them. So of `It costs 3.50 today.` it takes the decimal point for the full stop, and drops the rest.
"""

import ctypes
import re
from collections.abc import Sequence
from functools import lru_cache

_UTF8 = 1
_IPA = 0x02
_FLAG = re.compile(r"\(.+?\)")
"""Where espeak-ng changes to another language and back: `(en)…(de)`."""
_STRESS = re.compile("[ˈˌ'-]+")
_KEPT = 1 << 14
"""Parts whose IPA is remembered: in most corpora many speakers read the same sentences."""


class Reader:
    """Reads texts in one voice, stress and punctuation kept or not, and flags of language switches removed.

    Holds a copy of espeak-ng, so one text at a time; `stages.text.espeak.configure` must have been called.
    """

    def __init__(self, voice: str, *, stress: bool, punctuation: bool) -> None:
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
        from phonemizer.punctuation import Punctuation

        self._wrapper = EspeakWrapper()
        self._wrapper.set_voice(voice)
        # A prototype of our own: phonemizer's sets the types of the arguments anew at each call.
        kind = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        self._next_clause = kind(("espeak_TextToPhonemes", self._wrapper._espeak._library))
        self._text = ctypes.c_char_p()
        self._pointer = ctypes.addressof(self._text)
        self._punctuation = Punctuation()
        self._marks = self._punctuation._marks_re
        self._mark = re.compile(f"[{re.escape(self._punctuation.marks)}]")
        self._stress, self._keep_marks = stress, punctuation
        self._spoken = lru_cache(_KEPT)(self.speak)

    def read(self, text: str) -> str:
        """Returns the IPA of a text in one line; spaces may be doubled."""
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
        """Returns what phonemizer's pattern finds, tried only where a mark stands: elsewhere it is slow to fail."""
        marks: list[re.Match[str]] = []
        at = 0
        for one in self._mark.finditer(text):
            start = one.start()
            if start < at:
                continue
            while start > at and text[start - 1].isspace():
                start -= 1
            if found := self._marks.match(text, start):
                marks.append(found)
                at = found.end()
        return marks

    def speak(self, part: str) -> str:
        """Returns the IPA of what stands between two marks."""
        line = self._clauses(part, _IPA)
        if "(" in line:
            line = _FLAG.sub("", line)
        line = line.replace("_", "")
        return line if self._stress else _STRESS.sub("", line)

    def _clauses(self, text: str, mode: int) -> str:
        """Returns what espeak-ng writes in one of its modes."""
        self._text.value = text.encode()
        clauses = []
        while self._text:
            if clause := self._next_clause(self._pointer, _UTF8, mode):
                clauses.append(clause)
        return b" ".join(clauses).decode().strip().replace("\n", " ")


def _restored(spoken: Sequence[str], marks: Sequence[str], *, begins: bool, ends: bool) -> str:
    """Returns the parts with their marks, as `Punctuation.restore` puts them.

    Args:
        spoken: The parts; one without any letter is missing, and then a mark moves on to the next.
        marks: In order.
        begins: Whether the first mark stands before the first part.
        ends: Whether the last mark stands after all parts.
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
