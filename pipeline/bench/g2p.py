"""Compares `g2p` with phonemizer: the phoneme strings, and sentences per second.

The sentences are the recordings' transcripts, in their languages, and prose from Python's own documentation, which is
part of every Python installation.
"""

import ast
import logging
import re
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.text import espeak
from stages.text.ipa import Reader
from stages.text.languages import LANGUAGES, detect
from stages.text.phonemes import phonemize, prepared
from stages.text.spoken.table import speaker_of

_WANTED = 6000
_PROCESSES = 2
_ROUNDS = 3
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][\w ,;:'’()\"“”?!.-]{30,250}[.!?]")
_SHORTEST = 12
"""Least characters of a transcript; shorter ones are single words."""

_BETWEEN = "\0"
"""Separates the parts of a text between punctuation marks."""

Sentences = list[tuple[str, str]]
"""Pairs of language and text."""
Work = Callable[[Sentences], list[str]]
"""Turns sentences into phonemes, one string each."""


def g2p(bench: Bench) -> Iterator[Figure]:
    """Compares the phoneme strings of all sentences, then the sentences per second of two processes each."""
    spoken = transcripts(bench.recordings)
    sentences = [*spoken, *(("en", text) for text in documentation(_WANTED - len(spoken)))]
    plain = [(language, text) for language, text in sentences if LANGUAGES[language].prepare != "tones"]
    given = [(language, prepared(text, language)) for language, text in plain]
    ours, theirs = _ours(plain), _phonemizer(given)
    differ = [a != b for a, b, (_, text) in zip(ours, theirs, given, strict=True) if not _cut_wrongly(text)]
    yield Figure("sentences compared with phonemizer's", len(differ), least=5000)
    yield Figure("of them in languages", len({language for language, _ in plain}))
    yield Figure("strings that differ", sum(differ), most=0)
    yield Figure("not compared: phonemizer takes a decimal point for the full stop", len(plain) - len(differ))
    pairs = (_ours, plain), (_phonemizer, given), (_espeak_alone, _apart(given))
    rates = [[_rate(*pair) for pair in pairs] for _ in range(_ROUNDS)]
    fast, slow, most = (max(rounds) for rounds in zip(*rates, strict=True))
    beside = "phonemizer, a kept backend, a call a sentence"
    yield Figure("all different: sentences a second, 2 processes", fast, "/s", slow, beside, least=1.3)
    yield Figure("  espeak-ng alone: the upper bound", most, "/s", slow, beside)
    yield from _corpus(bench.recordings)


def _corpus(speech: Path) -> Iterator[Figure]:
    """Compares them on a real corpus, where many texts occur more than once."""
    texts = [" ".join(path.read_text(encoding="utf-8-sig").split()) for path in sorted(speech.rglob("*.txt"))]
    sentences = [("en", text) for text in texts if text.isascii()]
    rates = [[_rate(work, sentences) for work in (_ours, _phonemizer)] for _ in range(_ROUNDS)]
    fast, slow = (max(rounds) for rounds in zip(*rates, strict=True))
    beside = "phonemizer, a kept backend, a call a sentence"
    yield Figure(f"{len(sentences)} transcripts, {len(set(sentences))} different: a second", fast, "/s", slow, beside)


def transcripts(speech: Path) -> Sentences:
    """Returns the transcripts of at least `_SHORTEST` characters, with their detected languages."""
    texts = (" ".join(path.read_text(encoding="utf-8-sig").split()) for path in sorted(speech.rglob("*.txt")))
    return [(detect(text), text) for text in texts if len(text) >= _SHORTEST]


def documentation(count: int) -> list[str]:
    """Returns up to `count` sentences of Python's documentation: its topics, then its modules' docstrings."""
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
    """Splits each text at its punctuation marks and joins the parts with `_BETWEEN`."""
    from phonemizer.punctuation import Punctuation

    marks = Punctuation()
    return [(language, _BETWEEN.join(marks.preserve([text])[0])) for language, text in sentences]


def _cut_wrongly(text: str) -> bool:
    """Returns whether phonemizer splits a text in the wrong place, which leaves a mark inside a part."""
    from phonemizer.punctuation import Punctuation

    marks = Punctuation()
    return any(marks._marks_re.search(part) for part in marks.preserve([text])[0])


def _espeak_alone(sentences: Sentences) -> list[str]:
    """Returns espeak-ng's phonemes for the parts between the marks, without any pre- or postprocessing."""
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
    """Returns the sentences per second of two new processes, measured after one warm-up sentence per language.

    The seconds are the processes' own processor time: what else the machine does isn't measured.
    """
    context = get_context("spawn")
    one_each = sorted({language: (language, text) for language, text in sentences}.values())
    start = work, one_each, context.Barrier(_PROCESSES)
    parts = [sentences[n::_PROCESSES] for n in range(_PROCESSES)]
    with ProcessPoolExecutor(_PROCESSES, context, _ready, start) as pool:
        list(pool.map(len, parts))
        return sum(pool.map(partial(_own_rate, work), parts))


def _own_rate(work: Work, sentences: Sentences) -> float:
    started = time.process_time()
    return len(work(sentences)) / (time.process_time() - started)


def _ready(work: Work, one_each: Sentences, barrier: Barrier) -> None:
    """Loads a process's voices and text preparation, then waits for the other processes."""
    work(one_each)
    for language, _ in one_each:
        if speaker := speaker_of(language):
            _ = [rule.pattern for rule in speaker.rules]  # compiled when it is first asked for
    barrier.wait()


def _ours(sentences: Sentences) -> list[str]:
    """Returns our phoneme strings."""
    texts: dict[str, list[str]] = {}
    for language, text in sentences:
        texts.setdefault(language, []).append(text)
    read = {language: iter(phonemize(of_one, language)) for language, of_one in texts.items()}
    return [next(read[language]) for language, _ in sentences]


def _phonemizer(sentences: Sentences) -> list[str]:
    """Returns phonemizer's strings for prepared texts, with the same settings as ours."""
    made = [_backend(language).phonemize([text], strip=True) for language, text in sentences]
    return [" ".join(" ".join(parts).split()) for parts in made]


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


G2P = StageBench("g2p", g2p, 30, needs_speech=True)
