"""Tells of short texts whose detected language isn't their speaker's.

A few words don't tell a language, and each recording is read by itself, so that its row doesn't depend on the others.
What the speaker's other texts say is therefore told when all are read.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stages.artefacts.formats import read_lines

_WORDS, _LETTERS = 5, 30
"""A text is short if it has fewer of both; a Chinese sentence is one word by its spaces."""
_SHOWN = 5


def odd_languages(folder: Path, shards: Sequence[str]) -> str:
    """Returns a line on short texts in another language than most of their speaker's; "" if there are none.

    A speaker's language is the one with over half of the letters. Speakers without such a language aren't told of.
    """
    letters: dict[tuple[str, str], Counter[str]] = {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    shown: dict[tuple[str, str, str], list[str]] = {}
    for shard in shards:
        for row in read_lines(folder / f"{shard}.rows.jsonl"):
            speaker, language = (row["group"], row["speaker"]), row["language"]
            text = " ".join(segment["text"] for segment in row["segments"])
            letters.setdefault(speaker, Counter())[language] += len(text)
            if len(text.split()) < _WORDS and len(text) < _LETTERS:
                counts.setdefault(speaker, Counter())[language] += 1
                ids = shown.setdefault((*speaker, language), [])
                ids.append(row["id"])
                ids[:] = sorted(ids)[:_SHOWN]
    odd, examples = 0, []
    for speaker, short in sorted(counts.items()):
        [(main, most)] = letters[speaker].most_common(1)
        if 2 * most <= letters[speaker].total():
            continue
        for language in sorted(short.keys() - {main}):
            odd += short[language]
            examples += [f"`{item}` ({language}, not {main})" for item in shown[*speaker, language]]
    if not odd:
        return ""
    return (
        f"{odd:,} short texts are in another language than most of their speaker's: {', '.join(examples[:_SHOWN])}"
        f"{', …' if odd > _SHOWN else ''}. So few words don't tell a language: check these, and set"
        " `transcribe.languages` or `transcribe.candidates`."
    )
