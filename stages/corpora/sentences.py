"""Chooses the texts of `make sentences`: those held out first, then those to train on, with no five words in common.

    python -m stages.corpora.sentences sentences/texts --count 8000 --verses kjv.txt

The texts are the project's own plain sentences (`stages.corpora.modern`) and, if given, verses of the King James
Version (`stages.corpora.kjv`), in equal parts as far as there are enough. Which are held out is decided by a hash of
the text alone: it depends on no other option, and on no result.
"""

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from stages.artefacts.disk import write_text
from stages.corpora.kjv import read_verses
from stages.corpora.modern import modern_sentences
from stages.errors import MissingInputError, UsageError, run_program
from stages.text.ipa import phones
from stages.text.phonemes import phonemize

HELD_OUT = 200
"""Sentences held out."""
GRAM = 5
"""Words in a row that no sentence of one side has in common with the other."""
TRAIN, TEST, ABOUT = "train.tsv", "held-out.tsv", "texts.json"

_POOL = 16_000
"""Sentences made by the project's patterns: more than are used, so what is held out doesn't depend on `count`."""
_WORDS = 5, 18
"""Fewest and most words of a sentence."""
_LETTERS = 100
"""Most characters of a sentence."""
_NOT_A_WORD = re.compile(r"[^a-z' ]+")
KJV, MODERN = "kjv", "modern"
_SOURCES = {
    KJV: "the King James Version of 1611 (public domain), from Debian's package bible-kjv-text",
    MODERN: "patterns and words written for this project (MIT), filled by `stages.corpora.modern`",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to speak."""

    name: str
    """Tells the source and, for verses, the place; fit for a file's name."""
    text: str
    source: str = ""

    @property
    def rank(self) -> str:
        """The place in the order by hash: that of the words alone, whatever their case and marks.

        It must be unlike the hash of `data.split_by: text`: else the first texts would all be of its validation split.
        """
        return hashlib.sha256(f"sentences: {' '.join(words(self.text))}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Texts:
    """The chosen texts."""

    train: list[Sentence]
    held_out: list[Sentence]
    shared: int
    """Sentences left out because they have five words in a row in common with one held out."""


def words(text: str) -> list[str]:
    """Returns the words of an English text, in lower case and without marks."""
    return _NOT_A_WORD.sub(" ", text.lower()).split()


def grams(text: str) -> set[tuple[str, ...]]:
    """Returns each five words in a row of a text; of a shorter one, all its words."""
    said = words(text)
    return {tuple(said[at : at + GRAM]) for at in range(max(1, len(said) - GRAM + 1))}


def choose(sources: Iterable[Sequence[Sentence]], count: int, *, held_out: int = HELD_OUT) -> Texts:
    """Chooses texts by hash, an equal part of each source as far as it has enough.

    Args:
        sources: The sentences of each source. Those that say the same count once; too short and too long ones not.
        count: Sentences to train on.
        held_out: Sentences to hold out.

    Raises:
        UsageError: if there are too few.
    """
    pools = [_ranked(source) for source in sources]
    pools = [pool for pool in pools if pool]
    tested = list(islice(_in_turn(pools), held_out))
    taken = set[tuple[str, ...]]().union(*(grams(one.text) for one in tested))
    names = {one.name for one in tested}
    rest = [[one for one in pool if one.name not in names] for pool in pools]
    free = [[one for one in pool if not grams(one.text) & taken] for pool in rest]
    train = list(islice(_in_turn(free), count))
    if len(tested) < held_out or len(train) < count:
        raise UsageError(
            f"there must be {held_out:,} sentences to hold out and {count:,} to train on, but there are"
            f" {len(tested):,} and {len(train):,}. Lower `--count`, or give `--verses`."
        )
    return Texts(train, tested, sum(map(len, rest)) - sum(map(len, free)))


def _ranked(source: Sequence[Sentence]) -> list[Sentence]:
    least, most = _WORDS
    fit = [one for one in source if least <= len(words(one.text)) <= most and len(one.text) <= _LETTERS]
    return sorted({one.rank: one for one in fit}.values(), key=lambda one: one.rank)


def _in_turn(pools: Sequence[Sequence[Sentence]]) -> Iterator[Sentence]:
    return (one for row in zip_longest(*pools) for one in row if one is not None)


def read_sources(verses: Path | None) -> list[list[Sentence]]:
    """Returns the sentences of each source; raises as `read_verses`."""
    made = dict.fromkeys(islice(modern_sentences(), _POOL))
    sources = [[Sentence(f"m-{hashlib.sha256(text.encode()).hexdigest()[:12]}", text, MODERN) for text in made]]
    if verses:
        sources.append([Sentence(f"k-{verse.name}", verse.text, KJV) for verse in read_verses(verses)])
    return sources


def write_texts(folder: Path, texts: Texts) -> dict[str, Any]:
    """Writes both lists (name, tab, text) and `texts.json`, and returns what that says.

    Returns:
        `train` and `held_out` (how many, by source), `sources` (whence they come), `left_out`, `phones` (how often each
        is in the texts to train on, the rarest first), and `untrained_phones`: those of the texts held out alone.
    """
    train, tested = (_phones(chosen) for chosen in (texts.train, texts.held_out))
    used = sorted({one.source for one in (*texts.train, *texts.held_out)})
    about = {
        "train": dict(Counter(one.source for one in texts.train)),
        "held_out": dict(Counter(one.source for one in texts.held_out)),
        "sources": {source: _SOURCES[source] for source in used},
        "left_out": texts.shared,
        "phones": dict(sorted(train.items(), key=lambda item: item[1])),
        "untrained_phones": sorted(tested.keys() - train.keys()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, chosen in ((TRAIN, texts.train), (TEST, texts.held_out)):
        write_text(folder / name, "".join(f"{one.name}\t{one.text}\n" for one in chosen))
    write_text(folder / ABOUT, json.dumps(about, ensure_ascii=False, indent=1) + "\n")
    return about


def read_list(path: Path) -> list[Sentence]:
    """Reads a list of texts: name, tab, text, one a line.

    Raises:
        MissingInputError: if it can't be read.
        UsageError: if a line has another form, a name can't be a file's, or two are the same.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"the texts can't be read from `{path}`: {error}. Check the path.") from error
    found: dict[str, Sentence] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, text = map(str.strip, line.partition("\t"))
        if not text or not re.fullmatch(r"[\w-]+", name):
            raise UsageError(
                f"line {number} of `{path}` must be a name of letters, digits and dashes, a tab and a text, but is"
                f" {line.strip()[:60]!r}."
            )
        if name in found:
            raise UsageError(f"line {number} of `{path}` must have a name of its own, but `{name}` is there twice.")
        found[name] = Sentence(name, text)
    if not found:
        raise UsageError(f"`{path}` must hold a text, but is empty.")
    return list(found.values())


def _phones(chosen: Sequence[Sentence]) -> Counter[str]:
    read = phonemize([one.text for one in chosen], "en", stress=False, punctuation=False)
    return Counter(phone for line in read for phone in phones(line))


def main() -> None:
    """Reads the command line, writes the lists, and says how many."""
    parser = argparse.ArgumentParser("python -m stages.corpora.sentences", description="Choose texts to speak.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder for the lists")
    parser.add_argument("--count", type=int, default=8000, help="sentences to train on")
    parser.add_argument("--verses", type=Path, help="what Debian's `bible -f gen1:1-rev22:21` prints")
    options = parser.parse_args()
    if options.count < 1:
        raise UsageError(f"`--count` must be 1 or more, but is {options.count}.")
    about = write_texts(options.folder, choose(read_sources(options.verses), options.count, held_out=HELD_OUT))
    rarest = ", ".join(f"{phone} {count}" for phone, count in list(about["phones"].items())[:5])
    for name in ("train", "held_out"):
        parts = " and ".join(f"{count:,} {source}" for source, count in about[name].items())
        sys.stderr.write(f"{name.replace('_', ' ')}: {parts}\n")
    sys.stderr.write(
        f"left out, as they share {GRAM} words in a row with one held out: {about['left_out']:,}\n"
        f"{len(about['phones'])} phones, the rarest: {rarest}\n"
    )
    if missing := about["untrained_phones"]:
        sys.stderr.write(f"note: these phones of texts held out are in no text to train on: {' '.join(missing)}\n")


if __name__ == "__main__":
    run_program(main)
