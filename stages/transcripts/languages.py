"""The languages of texts, and those of short ones by what else their speaker says.

A few words don't tell a language. `transcribe` reads each recording by itself and marks the languages that it guessed.
When all are read, the longer texts of the speaker decide, or else those of the group; `slice` goes by that. So a row
depends on neither its shard nor its neighbours, and what is decided otherwise later is made again.
"""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from stages.artefacts.disk import write_text
from stages.artefacts.formats import rows_of
from stages.errors import MissingInputError
from stages.ids import group_of, speaker_key
from stages.records import UNKNOWN, Transcript
from stages.text.languages import detect, is_spaced, normalise_code, script_of
from stages.transcripts.script import Script

LANGUAGES_FILE = "languages.json"
"""Beside the shards of `transcribe`: language by recording, where it isn't the one that was guessed."""
_SHORT_WORDS, _SHORT_LETTERS = 5, 30
"""A text is short if it has fewer of both; a Chinese sentence is one word by its spaces."""
_SURE_WORDS, _SURE_LETTERS = 8, 45
"""A text with as many of either tells its language: of 420 pieces of eight words none was detected wrongly."""
_SHARE = 0.1
"""A language is one of a speaker's if it has this share of the letters: now and then a longer text is mistaken too."""
_SHOWN = 5


def told_or_guessed(script: Script, mapped: str | None, candidates: Sequence[str]) -> tuple[str, bool]:
    """Returns the language of a transcript, and whether it is only guessed.

    Args:
        script: The transcript. What it names itself comes first.
        mapped: The language that the configuration gives its speaker.
        candidates: The languages that are possible, preferred ones first; none: all of the table.

    Raises:
        TextError: if its language isn't in the table, or can't be detected.
    """
    if script.language:
        return normalise_code(script.language), False
    text = " ".join(segment.text for segment in script.segments).replace(UNKNOWN, "")
    if mapped:
        return mapped, False
    found = detect(text, candidates or None)
    told = len(candidates) == 1 or any(segment.language for segment in script.segments)
    return found, not told and _is_short(text) and not _scripts(text) & _DECIDING


_DECIDING = {"HIRAGANA", "KATAKANA", "HANGUL"}
"""Scripts of a single language."""


def _is_short(text: str) -> bool:
    return len(text.split()) < _SHORT_WORDS and len(text) < _SHORT_LETTERS


def write_languages(folder: Path, shards: Sequence[str]) -> list[str]:
    """Decides the guessed languages by what else is said, and writes those that change.

    Where the speaker's longer texts are in one language, that is the text's too; where they are in several, it is
    detected among these. If the speaker has none, the group's count likewise. A language whose texts are in other
    letters doesn't count.

    Args:
        folder: The folder of `transcribe`; the file is written there.
        shards: Its shards.

    Returns:
        Lines for the log: which texts changed, and how many have nothing but themselves to go by.
    """
    speakers: dict[str, _Evidence] = defaultdict(_Evidence)
    guessed = False
    for row in rows_of(folder, shards):
        guessed = guessed or row.get("guessed", False)
        speakers[_speaker(row)].add(row)
    groups: dict[str, _Evidence] = defaultdict(_Evidence)
    for name, said in speakers.items():
        groups[group_of(name)].join(said)
    changed: dict[str, str] = {}
    alone: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for row in rows_of(folder, shards) if guessed else ():
        if not row.get("guessed"):
            continue
        text, guess = _text(row), row["language"]
        possible = speakers[_speaker(row)].languages(text) or groups[row["group"]].languages(text)
        if not possible:
            alone[guess] += 1
            shown[guess] = min(shown.get(guess, row["id"]), row["id"])
            continue
        found = detect(text, possible)
        if found != guess:
            changed[row["id"]] = found
            shown[row["id"]] = guess
    ordered = dict(sorted(changed.items()))
    write_text(folder / LANGUAGES_FILE, json.dumps(ordered, ensure_ascii=False, indent=0) + "\n")
    return [*_of_changed(ordered, shown), *_of_alone(alone, shown)]


def _of_changed(changed: Mapping[str, str], guesses: Mapping[str, str]) -> Iterator[str]:
    if changed:
        examples = [f"`{item}` ({code}, not {guesses[item]})" for item, code in changed.items()]
        yield (
            f"{len(changed):,} short texts take the language of their speaker's or group's longer ones, not the one"
            f" that their few words look like: {_some(examples)}. Where that is wrong, set `transcribe.languages`."
        )


def _of_alone(alone: Counter[str], shown: Mapping[str, str]) -> Iterator[str]:
    if alone:
        examples = [f"{count:,} {code} (`{shown[code]}`)" for code, count in alone.most_common()]
        yield (
            f"{alone.total():,} short texts have nothing but themselves to tell their language: {_some(examples)}."
            " Check these, and set `transcribe.languages` or `transcribe.candidates`."
        )


def _some(examples: Sequence[str]) -> str:
    return ", ".join(examples[:_SHOWN]) + (", …" if len(examples) > _SHOWN else "")


def read_languages(folder: Path) -> dict[str, str]:
    """Reads language by recording from the folder of `transcribe`; empty if there is none, as in older datasets.

    Raises:
        MissingInputError: if the file is damaged.
    """
    path = folder / LANGUAGES_FILE
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise MissingInputError(
            f"`{path}` is damaged. Run `valle-prep transcribe VOICES --out {folder.parent}`: it writes it again."
        ) from error
    return found


def in_language(transcript: Transcript, code: str | None) -> Transcript:
    """Returns a transcript in another language than was guessed; None leaves it as it is."""
    if code is None:
        return transcript
    segments = tuple(replace(segment, language=code) for segment in transcript.segments)
    return replace(transcript, language=code, segments=segments)


@dataclass
class _Evidence:
    """What the texts of a speaker or a group tell of their languages."""

    letters: Counter[str] = field(default_factory=Counter)
    scripts: dict[str, set[str]] = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> None:
        """Adds a transcript, if its text is long enough to tell its language."""
        text, code = _text(row), row["language"]
        sure = len(text) >= _SURE_LETTERS or len(text.split()) >= _SURE_WORDS or not is_spaced(code)
        if sure and not row.get("guessed"):
            self.letters[code] += len(text)
            self.scripts.setdefault(code, set()).update(_scripts(text))

    def join(self, other: "_Evidence") -> None:
        """Adds what other texts tell."""
        self.letters.update(other.letters)
        for code, scripts in other.scripts.items():
            self.scripts.setdefault(code, set()).update(scripts)

    def languages(self, text: str) -> list[str]:
        """Returns the languages in which a text may be, by its letters; those with most of the letters first."""
        needed = _scripts(text)
        least = _SHARE * self.letters.total()
        ranked = sorted(self.letters, key=lambda code: (-self.letters[code], code))
        return [code for code in ranked if self.letters[code] >= least and needed <= self.scripts[code]]


def _speaker(row: Mapping[str, Any]) -> str:
    return speaker_key(row["group"], row["speaker"])


def _text(row: Mapping[str, Any]) -> str:
    return " ".join(segment["text"] for segment in row["segments"]).replace(UNKNOWN, "")


def _scripts(text: str) -> set[str]:
    """Returns the scripts of a text's letters, by the first words of their names in Unicode."""
    return {script for letter in set(text) if (script := _script(letter))}


@cache
def _script(letter: str) -> str:
    letter = unicodedata.normalize("NFKC", letter)[0]
    own = letter.isalpha() and unicodedata.category(letter) != "Lm"  # marks such as ー and ʼ are in several scripts
    return script_of(letter) if own else ""
