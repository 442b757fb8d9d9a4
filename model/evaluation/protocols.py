"""The published test protocols: how each one's list reads, what the prompt is, and which words are counted.

A new protocol is a row in `PROTOCOLS`: a function that reads its list into trials, and one that normalises its text.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from model.evaluation.metrics import words_f5, words_librispeech, words_seed_tts
from stages.errors import MissingInputError, UsageError

PROMPT_S = 3.0
MIN_S, MAX_S = 4.0, 10.0
"""Seconds: the utterances of LibriSpeech that VALL-E was tested on."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or a part of one."""

    path: Path
    start_s: float = 0.0
    length_s: float | None = None
    """None: to the end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One utterance to be spoken."""

    id: str
    text: str
    """What is said; in a continuation that includes what the prompt says."""
    language: str
    prompt: Clip
    prompt_text: str | None
    """What the prompt says; None where that isn't known, "" where `text` begins with it."""
    truth: Path | None
    """The utterance as its speaker said it."""
    continues: bool = False
    """Whether the prompt is the beginning of the utterance itself."""


@dataclass(frozen=True, slots=True)
class TrialList:
    """A list of a protocol."""

    path: Path
    root: Path
    """Where the recordings lie."""
    seed: int
    """Of what the protocol leaves to chance."""

    def rows(self, separator: str, columns: tuple[int, ...]) -> Iterator[tuple[int, list[str]]]:
        """Yields the number and the fields of each line that isn't blank."""
        try:
            lines = self.path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise MissingInputError(f"`--list` can't be read from `{self.path}`: {error}. Check the path.") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            fields = [part.strip() for part in line.split(separator, columns[-1] - 1 if separator == " " else -1)]
            if len(fields) not in columns or not all(fields):
                counts = " or ".join(map(str, columns))
                raise UsageError(
                    f"line {number} of `{self.path}` must hold {counts} fields set apart by {separator!r}, but is"
                    f" {line.strip()[:60]!r}. Check `--protocol`."
                )
            yield number, fields

    def recording(self, utterance: str, number: int) -> Path:
        """Returns where an utterance lies in LibriSpeech's tree: `speaker/chapter/speaker-chapter-number.flac`."""
        parts = utterance.split("-")
        if len(parts) != 3:
            raise UsageError(
                f"line {number} of `{self.path}` must name an utterance as LibriSpeech does (`1089-134686-0000`), but"
                f" has `{utterance}`. Check `--protocol`."
            )
        stem = self.root / parts[0] / parts[1] / utterance
        return next(
            (path for end in (".flac", ".wav") if (path := stem.with_suffix(end)).is_file()), Path(f"{stem}.flac")
        )


def _ls_valle(source: TrialList, *, continues: bool) -> list[Trial]:
    """Reads LibriSpeech's own transcripts (`UTTERANCE TEXT`, the `*.trans.txt` files joined); 4 to 10 s are tested.

    Cross-sentence: the prompt is 3 s, cut at random from another utterance of the same speaker, drawn by the seed; its
    text isn't known. Continuation: the prompt is the utterance's first 3 s.

    Source: VALL-E, section 5.1, https://arxiv.org/abs/2301.02111 (2.2 h of test-clean, 40 speakers; `VALL-E` and
    `VALL-E-continual`). The text is put in lower case with a full stop, as F5-TTS does with plain LibriSpeech.
    """
    from stages.audio.files import probe

    rows = [(number, name, text, source.recording(name, number)) for number, (name, text) in source.rows(" ", (2,))]
    seconds = {}
    for number, name, _, path in rows:
        _require(path, source, number)
        info = probe(path)
        seconds[name] = info.samples / info.sample_rate
    paths = {name: path for _, name, _, path in rows}
    by_speaker: dict[str, list[str]] = {}
    for name in sorted(name for name, length in seconds.items() if length >= PROMPT_S):
        by_speaker.setdefault(_speaker(name), []).append(name)
    trials = []
    for number, name, text, path in rows:
        if not MIN_S <= seconds[name] <= MAX_S:
            continue
        draw = random.Random(f"{source.seed} {name}")
        others = [other for other in by_speaker[_speaker(name)] if other != name]
        if continues:
            prompt = Clip(path, 0.0, PROMPT_S)
        elif others:
            other = draw.choice(others)
            prompt = Clip(paths[other], draw.uniform(0.0, seconds[other] - PROMPT_S), PROMPT_S)
        else:
            raise UsageError(
                f"`{name}` (line {number} of `{source.path}`) must have another utterance of its speaker of"
                f" {PROMPT_S} s or more in the list, but has none. Give the whole list and `--limit`."
            )
        spoken = f"{text[0].upper()}{text[1:].lower()}."
        trials.append(Trial(name, spoken, "en", prompt, "" if continues else None, path, continues))
    return trials


def _ls_pc(source: TrialList) -> list[Trial]:
    """Reads F5-TTS's cross-sentence list of LibriSpeech-PC test-clean: the prompt is a whole utterance, with its text.

    A line is `ref_utt ref_dur ref_txt gen_utt gen_dur gen_txt`, tab-separated.

    Source: `librispeech_pc_test_clean_cross_sentence.lst` and `get_librispeech_test_clean_metainfo` of
    https://github.com/SWivid/F5-TTS.
    """
    trials = []
    for number, (reference, _, prompt_text, name, _, text) in source.rows("\t", (6,)):
        prompt, truth = source.recording(reference, number), source.recording(name, number)
        for path in (prompt, truth):
            _require(path, source, number)
        trials.append(Trial(name, text, "en", Clip(prompt), prompt_text, truth))
    return trials


def _seed_tts(source: TrialList) -> list[Trial]:
    """Reads `utt|prompt_text|prompt_wav|text[|gt_wav]`, English or Chinese; without `gt_wav` it is `wavs/utt.wav`.

    Relative paths start at the root. Recordings of the truth may be missing, as they are for the hard cases.

    Source: https://github.com/BytedanceSpeech/seed-tts-eval (`meta.lst`, `get_wav_res_ref_text.py`).
    """
    from stages.text.languages import detect

    trials = []
    for number, (name, prompt_text, prompt, text, *truth) in source.rows("|", (4, 5)):
        utterance = name.removesuffix(".wav")
        wave = source.root / prompt
        _require(wave, source, number)
        spoken = source.root / (truth[0] if truth else f"wavs/{utterance}.wav")
        language = detect(text, ("en", "zh"))
        trials.append(Trial(utterance, text, language, Clip(wave), prompt_text, spoken if spoken.is_file() else None))
    return trials


@dataclass(frozen=True, slots=True)
class Protocol:
    """A row of the table."""

    read: Callable[[TrialList], list[Trial]]
    words: Callable[[str, str], list[str]] = field(repr=False)
    """From text and language to the words that are counted."""


PROTOCOLS: Mapping[str, Protocol] = {
    "ls-valle": Protocol(partial(_ls_valle, continues=False), words_librispeech),
    "ls-valle-continual": Protocol(partial(_ls_valle, continues=True), words_librispeech),
    "ls-pc": Protocol(_ls_pc, words_f5),
    "seed-tts": Protocol(_seed_tts, words_seed_tts),
}


def read_trials(
    protocol: str, path: Path, *, root: Path | None = None, limit: int | None = None, seed: int = 0
) -> list[Trial]:
    """Reads the list of a protocol.

    Args:
        protocol: A row of `PROTOCOLS`.
        path: The list, in the format that the protocol's authors gave it.
        root: Where its recordings lie; the list's own folder if not given.
        limit: So many trials, spread evenly over the list; all if not given.
        seed: Of the prompts that the protocol draws.

    Raises:
        UsageError: if there is no such protocol, a line doesn't read as it should, an utterance stands there twice, or
            nothing is left to test.
        MissingInputError: if the list or a recording isn't there.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"`--protocol` must be one of {', '.join(PROTOCOLS)}, but is `{protocol}`.")
    if limit is not None and limit < 1:
        raise UsageError(f"`--limit` must be 1 or more, but is {limit}.")
    trials = PROTOCOLS[protocol].read(TrialList(path, root or path.parent, seed))
    if not trials:
        raise UsageError(f"`{path}` must hold something to test by `{protocol}`, but holds nothing.")
    name, times = Counter(trial.id for trial in trials).most_common(1)[0]
    if times > 1:
        raise UsageError(f"`{path}` must name each utterance once, but has `{name}` {times} times. Remove the others.")
    count = min(limit or len(trials), len(trials))
    return [trials[index * len(trials) // count] for index in range(count)]


def _speaker(utterance: str) -> str:
    return utterance.partition("-")[0]


def _require(path: Path, source: TrialList, number: int) -> None:
    if not path.is_file():
        raise MissingInputError(
            f"`{path}` must be there (line {number} of `{source.path}`), but isn't. Name the folder of the recordings:"
            " `--root FOLDER`."
        )
