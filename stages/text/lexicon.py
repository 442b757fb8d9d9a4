"""A user's own words and their phonemes, and phonemes written in a text: `[[həlˈoʊ]]`.

Either is taken out of the text and replaced by one letter that is nobody's, so that nothing reads or changes it; when
the rest has been turned into phonemes, its phonemes take the letter's place.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stages.errors import ConfigError, TextError
from stages.records import count_phonemes
from stages.text.languages import is_spaced, normalise_code
from stages.text.openjtalk import PYKAKASI
from stages.text.spoken.rules import Change

_FIRST = 0xF0000
_LAST = 0x10FFFD
_OWN = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
"""Letters of the private planes, which stand for given phonemes."""
_WRITTEN = re.compile(r"\[\[\s*([^\[\]]*?)\s*\]\]")
_GOES_ON = re.compile(r"\w|['’]\w")
"""What makes a longer word of the one before it; `SQL's` is read by the voice, unless the lexicon has it."""
_COLUMNS = 3
_SETTING = "#"
_NOT_IPA = frozenset(("Lu", "Nd", "Sc", "So"))
"""Categories of Unicode."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words with their phonemes, by language, and what else a dataset's texts were read with."""

    rows: tuple[tuple[str, str, str], ...] = ()
    """Code of the language, word and phonemes; sorted."""
    japanese: str = PYKAKASI
    """What splits Japanese into words and reads them: `g2p.japanese`."""
    _words: dict[str, dict[str, str]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _lengths: dict[tuple[str, str], list[int]] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Lengths of the words of a language that begin with a letter, longest first."""

    def __post_init__(self) -> None:
        """Finds the words by their first letters."""
        lengths: dict[tuple[str, str], set[int]] = defaultdict(set)
        for code, word, phonemes in self.rows:
            self._words.setdefault(code, {})[word] = phonemes
            lengths[code, word[0].lower()].add(len(word))
        self._lengths.update({key: sorted(found, reverse=True) for key, found in lengths.items()})

    @property
    def digest(self) -> str:
        """SHA-256 of the words, in hexadecimal; "" if there are none."""
        content = "\n".join("\t".join(row) for row in self.rows)
        return hashlib.sha256(content.encode()).hexdigest() if self.rows else ""

    def to_text(self) -> str:
        """Returns a file that `read_lexicon` reads, and `lexicon_of` whole; "" if all is as it is by default.

        The analyser stands in a line that is a comment for `read_lexicon`.
        """
        setting = [(_SETTING, "japanese", self.japanese)] if self.japanese != PYKAKASI else []
        return "".join("\t".join(row) + "\n" for row in (*setting, *self.rows))

    def find(self, text: str, at: int, code: str) -> tuple[str, str] | None:
        """Returns the longest word that begins at a place in a text, as it stands there, with its phonemes.

        A word as written goes before one with other capitals.
        """
        words = self._words[code]
        for length in self._lengths.get((code, text[at].lower()), ()):
            found = text[at : at + length]
            if len(found) < length or (is_spaced(code) and _GOES_ON.match(text, at + length)):
                continue
            if (phonemes := words.get(found) or words.get(found.lower())) is not None:
                return found, phonemes
        return None

    def knows(self, code: str) -> bool:
        """Returns whether there are words of a language."""
        return code in self._words


def read_lexicon(path: Path) -> Lexicon:
    """Reads a lexicon: lines of a language, a word (or several) and its phonemes in IPA, with tabs between them.

    The language is a code or a name of the table of languages. A word in small letters is also meant in capitals.
    Empty lines and those that begin with `#` are left out.

    Raises:
        ConfigError: if the file can't be read, or a line isn't so; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"`g2p.lexicon` must be UTF-8, but `{path}` isn't: {error}. Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(
            f"`g2p.lexicon` must name a file of words and phonemes, but `{path}` can't be read: {error}. Mend the path."
        ) from error
    rows: dict[tuple[str, str], tuple[str, int]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        code, word, phonemes = _row(line, f"`{path}`, line {number}")
        earlier = rows.setdefault((code, word), (phonemes, number))
        if earlier[0] != phonemes:
            raise ConfigError(
                f"`{path}`, line {number}: `{word}` must have one pronunciation, but has another in line {earlier[1]}."
                " Keep one of the two."
            )
    return Lexicon(tuple(sorted((code, word, phonemes) for (code, word), (phonemes, _) in rows.items())))


def _row(line: str, where: str) -> tuple[str, str, str]:
    cells = [" ".join(unicodedata.normalize("NFC", cell).split()) for cell in line.split("\t")]
    if len(cells) != _COLUMNS or not all(cells):
        raise ConfigError(
            f"{where}: must be a language, a word and its phonemes with tabs between them, but is `{line[:60]}`."
            " Mend the line."
        )
    try:
        code = normalise_code(cells[0])
    except TextError as error:
        raise ConfigError(f"{where}: {error}") from error
    if not count_phonemes(cells[2]) or not _may_be_ipa(cells[2]):
        raise ConfigError(f"{where}: the phonemes of `{cells[1]}` must be IPA, but are `{cells[2]}`. Mend the line.")
    return code, cells[1], cells[2]


def _may_be_ipa(phonemes: str) -> bool:
    """Returns whether a string has none of what IPA lacks: capitals, digits, pictures. ARPABET and plain words do."""
    return not any(unicodedata.category(sign) in _NOT_IPA for sign in phonemes)


class Given:
    """The phonemes given for parts of one text."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, str]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def _hidden(self, written: str, phonemes: str) -> str:
        self._parts.append((written, phonemes))
        return chr(_FIRST + len(self._parts) - 1)

    def take_written(self, text: str) -> str:
        """Returns a text whose `[[phonemes]]` are hidden.

        Empty ones are dropped; what can't be IPA, such as the link `[[Paris]]`, is text without its brackets.
        """
        if not text.isascii():
            text = _OWN.sub("", text)
        if "[[" not in text:
            return text

        def taken(found: re.Match[str]) -> str:
            return self._hidden(found[0], found[1]) if found[1] and _may_be_ipa(found[1]) else found[1]

        return _WRITTEN.sub(taken, text)

    def take_words(self, text: str, lexicon: Lexicon, code: str) -> str:
        """Returns a text whose words of a lexicon are hidden."""
        if not lexicon.knows(code):
            return text
        done: list[str] = []
        at = 0
        while at < len(text):
            inside = is_spaced(code) and at > 0 and text[at - 1].isalnum()
            if not inside and (found := lexicon.find(text, at, code)):
                done.append(self._hidden(*found))
                at += len(found[0])
            else:
                done.append(text[at])
                at += 1
        return "".join(done)

    def shown(self, text: str) -> str:
        """Returns a text with its given phonemes, in `[[…]]`."""
        return _OWN.sub(lambda mark: f"[[{self._parts[ord(mark[0]) - _FIRST][1]}]]", text) if self else text

    def written(self, text: str) -> str:
        """Returns a text with what was hidden as it was written."""
        return _OWN.sub(lambda mark: self._parts[ord(mark[0]) - _FIRST][0], text) if self else text

    def changes(self) -> tuple[Change, ...]:
        """Returns what a lexicon's words are read as."""
        return tuple(
            Change("lexicon", written, f"[[{phonemes}]]")
            for written, phonemes in self._parts
            if not written.startswith("[[")
        )

    def split(self, text: str) -> Iterator[tuple[str, str]]:
        """Yields each stretch of a text with the phonemes given after it; "" after the last."""
        at = 0
        for mark in _OWN.finditer(text):
            yield text[at : mark.start()], self._parts[ord(mark[0]) - _FIRST][1]
            at = mark.end()
        yield text[at:], ""


def lexicon_of(lines: Iterable[str]) -> Lexicon:
    """Returns a lexicon of lines as `Lexicon.to_text` writes them, such as those kept with a model."""
    cells = [tuple(line.split("\t")) for line in lines]
    japanese = next((value for mark, name, value in cells if (mark, name) == (_SETTING, "japanese")), PYKAKASI)
    rows = sorted((code, word, phonemes) for code, word, phonemes in cells if code != _SETTING)
    return Lexicon(tuple(rows), japanese)


NONE = Lexicon()
