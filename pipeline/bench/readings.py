"""Measures how much of what is written is read as people say it, against pairs of written and spoken text.

The pairs are tables (`en.tsv`, …) with the columns kind, written and spoken. A pair counts if the phonemes of both are
the same once stress, punctuation and spaces are taken out. The baseline reads the written form without words first, as
espeak-ng does by itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.bench.figures import Bench, Figure, StageBench, cpu_seconds
from pipeline.bench.g2p import documentation, transcripts
from stages.text.phonemes import in_words, phonemize, unspoken

_GOALS = {
    "en": 0.9,
    "de": 0.85,
    "fr": 0.85,
    "es": 0.85,
    "it": 0.8,
    "pt": 0.8,
    "zh": 0.8,
    "ja": 0.8,
    "ko": 0.7,
    "ru": 0.7,
}
_UNHEARD = re.compile(r"[\sˈˌ]|[^\w]")
_WANTED = 6000
_ALL = "all"
_NUMBERED = (
    "The train at 10:{minutes:02d} cost ${number}.50 in {year}.",
    "Page {number} of {year} says that {minutes} % were late.",
    "On May {day}, {year}, about {number},000 people came.",
)


def readings(bench: Bench) -> Iterator[Figure]:
    """Yields the share of pairs by language, and by kind; then what becomes of real sentences, and the speed."""
    assert bench.readings is not None
    for path in sorted(bench.readings.glob("*.tsv")):
        yield from _shares(path)
    yield from _real(bench.recordings)
    yield _speed()


def _shares(path: Path) -> Iterator[Figure]:
    """Yields the shares of one table: of all pairs, then of each kind."""
    code = path.stem
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    kinds, written, spoken = zip(*rows, strict=True)
    wanted = _heard(phonemize(spoken, code))
    ours, before = _hits(phonemize(written, code), wanted, kinds), _hits(unspoken(written, code), wanted, kinds)
    for kind, hits in ours.items():
        name = f"{code}, {len(hits)} pairs" if kind == _ALL else f"  {kind}, {len(hits)}"
        least = _GOALS.get(code) if kind == _ALL else None
        alone = sum(before[kind]) / len(hits)
        yield Figure(f"{name} (without words first {alone:.2f})", sum(hits) / len(hits), least=least)


def _heard(phonemes: Sequence[str]) -> list[str]:
    return [_UNHEARD.sub("", one) for one in phonemes]


def _hits(found: Sequence[str], wanted: Sequence[str], kinds: Sequence[str]) -> dict[str, list[bool]]:
    """Returns which pairs are read as spoken, by kind; `all` first."""
    hits: dict[str, list[bool]] = defaultdict(list, {_ALL: []})
    for one, other, kind in zip(_heard(found), wanted, kinds, strict=True):
        hits[_ALL].append(one == other)
        hits[kind].append(one == other)
    return hits


def _real(speech: Path) -> Iterator[Figure]:
    """Counts the sentences that are read in other words, and compares those in capitals with the same in small."""
    told = transcripts(speech)
    sentences = [*told, *(("en", text) for text in documentation(_WANTED - len(told)))]
    yield Figure("real sentences", len(sentences))
    plain = [
        (code, text) for code, text in sentences if not re.search(r"[^\w\s,;:!?'’\"“”()—–-]|\d|_|[A-Z]{2}", text[:-1])
    ]
    yield Figure("of them words alone", len(plain))
    yield Figure("  read in other words", sum(in_words(text, code) != " ".join(text.split()) for code, text in plain))
    paths = sorted(speech.rglob("*.txt"))
    lower = [text for path in paths if (text := path.read_text(encoding="utf-8-sig").strip()).islower() and " " in text]
    alike = [
        a == b for a, b in zip(phonemize([text.upper() for text in lower], "en"), phonemize(lower, "en"), strict=True)
    ]
    yield Figure("transcripts in small letters", len(alike))
    yield Figure("  read otherwise in capitals", len(alike) - sum(alike), most=0)


def _speed() -> Figure:
    """Measures texts of which each has numbers."""
    texts = [
        _NUMBERED[n % len(_NUMBERED)].format(minutes=n % 60, number=n + 1, year=1900 + n % 125, day=1 + n % 28)
        for n in range(1500)
    ]
    phonemize(texts[:3], "en")
    return Figure(
        "texts with numbers, a second and core",
        len(texts) / cpu_seconds(lambda: phonemize(texts, "en")),
        "/s",
        least=500,
    )


READINGS = StageBench("readings", readings, 32, needs_speech=True, needs_readings=True)
