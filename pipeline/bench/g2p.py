"""What `g2p` is worth beside phonemizer: the same strings, and how many of them a second.

The sentences are the transcripts beside the recordings, in their languages, and the prose of Python's own
documentation, which every Python holds.
"""

import ast
import logging
import re
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from pipeline.bench.figures import Bench, Figure
from stages.text import espeak
from stages.text.ipa import Reader
from stages.text.languages import LANGUAGES, detect
from stages.text.phonemes import phonemize, prepared

_WANTED = 6000
_PROCESSES = 2
_ROUNDS = 3
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][\w ,;:'’()\"“”?!.-]{30,250}[.!?]")
_SHORTEST = 12
"""Characters of a transcript that is more than a word."""

_BETWEEN = "\0"

Sentences = list[tuple[str, str]]
"""Language and text."""
Work = Callable[[Sentences], list[str]]


def g2p(bench: Bench) -> Iterator[Figure]:
    """Compares the strings of all sentences, then the sentences a second of two processes each."""
    told = transcripts(bench.recordings)
    sentences = [*told, *(("en", text) for text in documentation(_WANTED - len(told)))]
    plain = [(language, text) for language, text in sentences if LANGUAGES[language].prepare != "tones"]
    given = [(language, prepared(text, language)) for language, text in plain]
    ours, theirs = _read(plain), _phonemizer(given)
    differ = [a != b for a, b, (_, text) in zip(ours, theirs, given, strict=True) if not _cut_wrongly(text)]
    yield Figure("sentences compared with phonemizer's", len(differ), least=5000)
    yield Figure("of them in languages", len({language for language, _ in plain}))
    yield Figure("strings that differ", sum(differ), most=0)
    yield Figure("not compared: phonemizer takes a decimal point for the full stop", len(plain) - len(differ))
    pairs = (_read, plain), (_phonemizer, given), (_espeak_alone, _apart(given))
    rates = [[_rate(*pair) for pair in pairs] for _ in range(_ROUNDS)]
    fast, slow, most = (max(one) for one in zip(*rates, strict=True))
    beside = "phonemizer, a kept backend, a call a sentence"
    yield Figure("all different: sentences a second, 2 processes", fast, "/s", slow, beside, least=2.5)
    yield Figure("  espeak-ng alone, nothing around it: the bound", most, "/s", slow, beside)
    yield from _corpus(bench.recordings)


def _corpus(speech: Path) -> Iterator[Figure]:
    """Compares them on a corpus as it is: many recordings of the same words."""
    texts = [" ".join(path.read_text(encoding="utf-8-sig").split()) for path in sorted(speech.rglob("*.txt"))]
    sentences = [("en", text) for text in texts if text.isascii()]
    rates = [[_rate(work, sentences) for work in (_read, _phonemizer)] for _ in range(_ROUNDS)]
    fast, slow = (max(one) for one in zip(*rates, strict=True))
    beside = "phonemizer, a kept backend, a call a sentence"
    yield Figure(f"{len(sentences)} transcripts, {len(set(sentences))} different: a second", fast, "/s", slow, beside)


def transcripts(speech: Path) -> Sentences:
    """Returns the texts beside recordings that are longer than a word, with their languages."""
    texts = (" ".join(path.read_text(encoding="utf-8-sig").split()) for path in sorted(speech.rglob("*.txt")))
    return [(detect(text), text) for text in texts if len(text) >= _SHORTEST]


def documentation(count: int) -> list[str]:
    """Returns sentences of Python's documentation: of its topics, then of its modules' docstrings."""
    from pydoc_data.topics import topics

    found: dict[str, None] = {}
    for text in _texts(list(topics.values())):
        for paragraph in re.split(r"\n\s*\n", text):
            pieces = _SENTENCE.split(" ".join(paragraph.split()))
            found |= dict.fromkeys(piece for piece in pieces if _PROSE.fullmatch(piece))
        if len(found) >= count:
            break
    return list(found)[:count]


def _texts(topics: Sequence[str]) -> Iterator[str]:
    yield from topics
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def _apart(sentences: Sentences) -> Sentences:
    """Returns sentences of which what stands between the marks is told apart by `_BETWEEN`."""
    from phonemizer.punctuation import Punctuation

    marks = Punctuation()
    return [(language, _BETWEEN.join(marks.preserve([text])[0])) for language, text in sentences]


def _cut_wrongly(text: str) -> bool:
    """Whether phonemizer cuts a text where no mark stands, which shows by a mark that it leaves in a part."""
    from phonemizer.punctuation import Punctuation

    marks = Punctuation()
    return any(marks._marks_re.search(part) for part in marks.preserve([text])[0])


def _espeak_alone(sentences: Sentences) -> list[str]:
    """Returns what espeak-ng makes of the parts between the marks, without anything done before or after."""
    made: list[str] = []
    for language, text in sentences:
        speak = _reader(LANGUAGES[language].espeak)
        made.append(" ".join(map(speak, text.split(_BETWEEN))))
    return made


@cache
def _reader(voice: str) -> Callable[[str], str]:
    espeak.configure()
    return Reader(voice, stress=True, punctuation=True).speak


def _rate(work: Work, sentences: Sentences) -> float:
    """Returns how many sentences a second two new processes read, which have read one of each language before."""
    context = get_context("spawn")
    one_each = sorted({language: (language, text) for language, text in sentences}.values())
    start = work, one_each, context.Barrier(_PROCESSES)
    parts = [sentences[n::_PROCESSES] for n in range(_PROCESSES)]
    with ProcessPoolExecutor(_PROCESSES, context, _ready, start) as pool:
        list(pool.map(len, parts))
        started = time.perf_counter()
        done = sum(len(read) for read in pool.map(work, parts))
        return done / (time.perf_counter() - started)


def _ready(work: Work, one_each: Sentences, all_are: Barrier) -> None:
    """Has a process load its voices and what prepares their texts, and wait for the others."""
    work(one_each)
    all_are.wait()


def _read(sentences: Sentences) -> list[str]:
    """Returns our strings."""
    texts: dict[str, list[str]] = {}
    for language, text in sentences:
        texts.setdefault(language, []).append(text)
    read = {language: iter(phonemize(of_one, language)) for language, of_one in texts.items()}
    return [next(read[language]) for language, _ in sentences]


def _phonemizer(sentences: Sentences) -> list[str]:
    """Returns phonemizer's strings, with the same settings, of texts as espeak-ng gets them from us."""
    made = [_backend(language).phonemize([text], strip=True) for language, text in sentences]
    return [" ".join(" ".join(one).split()) for one in made]


@cache
def _backend(language: str) -> Any:
    from phonemizer.backend import EspeakBackend

    espeak.configure()
    quiet = logging.getLogger("pipeline.bench.g2p")
    quiet.setLevel(logging.ERROR)
    return EspeakBackend(
        LANGUAGES[language].espeak,
        preserve_punctuation=True,
        with_stress=True,
        language_switch="remove-flags",
        logger=quiet,
    )
