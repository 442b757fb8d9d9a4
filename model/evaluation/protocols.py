"""The published test protocols: the format of each list, its prompts, and its text normalisation.

To add a protocol, add a row to `PROTOCOLS`: a function that reads its list into trials, and one that normalises text.
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
"""Seconds: lengths of the LibriSpeech utterances that VALL-E was tested on."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or a part of one."""

    path: Path
    start_s: float = 0.0
    length_s: float | None = None
    """None: to the end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One utterance to speak."""

    id: str
    text: str
    """What is said; in a continuation, the prompt's text included."""
    language: str
    prompt: Clip
    prompt_text: str | None
    """What the prompt says; None if unknown, "" if `text` begins with it."""
    truth: Path | None
    """The speaker's own recording of the utterance, if there is one."""
    continues: bool = False
    """Whether the prompt is the beginning of the utterance itself."""


@dataclass(frozen=True, slots=True)
class TrialList:
    """A test list of a protocol."""

    path: Path
    root: Path
    """Folder of the recordings."""
    seed: int
    """Seed of what the protocol draws at random."""

    def rows(self, separator: str, columns: tuple[int, ...]) -> Iterator[tuple[int, list[str]]]:
        """Yields number and fields of each line that isn't blank.

        Args:
            separator: Between fields; a space separates only the first ones.
            columns: Allowed numbers of fields.
        """
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
                    f"line {number} of `{self.path}` must have {counts} fields separated by {separator!r}, but is"
                    f" {line.strip()[:60]!r}. Check `--protocol`."
                )
            yield number, fields

    def recording(self, utterance: str, number: int) -> Path:
        """Returns an utterance's path in LibriSpeech's tree: `speaker/chapter/speaker-chapter-number`, flac or wav."""
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
    """Reads LibriSpeech's own transcripts (`UTTERANCE TEXT`, the `*.trans.txt` files joined); tests 4 to 10 s.

    Cross-sentence: the prompt is a random 3 s of another utterance of the speaker; its text is unknown. Continuation:
    the prompt is the utterance's first 3 s. Texts are lower-cased and get a full stop, as F5-TTS does with LibriSpeech.

    Source: VALL-E, section 5.1, https://arxiv.org/abs/2301.02111 (2.2 h of test-clean, 40 speakers; `VALL-E` and
    `VALL-E-continual`).
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
                f"`{name}` (line {number} of `{source.path}`) needs another utterance of its speaker in the list,"
                f" of {PROMPT_S} s or more, but has none. Give the whole list, and `--limit`."
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
    """Reads `utt|prompt_text|prompt_wav|text[|gt_wav]`, English or Chinese; `gt_wav` is by default `wavs/utt.wav`.

    Paths are relative to the root. The speaker's own recordings may be missing, as they are for the hard cases.

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


def _own(source: TrialList) -> list[Trial]:
    """Reads a list of one's own: `id`, `language`, `prompt`, `text` and, if there is one, `recording`, tab-separated.

    Paths are relative to the root. The prompt is the first 3 s of its recording, whose text is unknown, as in VALL-E's
    cross-sentence test.
    """
    from stages.text.languages import normalise_code

    trials = []
    for number, (name, language, prompt, text, *truth) in source.rows("\t", (4, 5)):
        for path in (prompt, *truth):
            _require(source.root / path, source, number)
        spoken = source.root / truth[0] if truth else None
        clip = Clip(source.root / prompt, 0.0, PROMPT_S)
        trials.append(Trial(name, text, normalise_code(language), clip, None, spoken))
    return trials


@dataclass(frozen=True, slots=True)
class Protocol:
    """A row of the table."""

    read: Callable[[TrialList], list[Trial]]
    words: Callable[[str, str], list[str]] = field(repr=False)
    """Returns the words that are counted, given text and language."""


PROTOCOLS: Mapping[str, Protocol] = {
    "ls-valle": Protocol(partial(_ls_valle, continues=False), words_librispeech),
    "ls-valle-continual": Protocol(partial(_ls_valle, continues=True), words_librispeech),
    "ls-pc": Protocol(_ls_pc, words_f5),
    "seed-tts": Protocol(_seed_tts, words_seed_tts),
    "own": Protocol(_own, words_librispeech),
}


def read_trials(
    protocol: str, path: Path, *, root: Path | None = None, limit: int | None = None, seed: int = 0
) -> list[Trial]:
    """Reads a test list.

    Args:
        protocol: A row of `PROTOCOLS`.
        path: The list, in the format of the protocol's authors.
        root: Folder of its recordings; by default the list's own.
        limit: Number of trials, spread evenly over the list; by default all.
        seed: Seed of the prompts that the protocol draws.

    Raises:
        UsageError: if there is no such protocol, a line has another format, an utterance is listed twice, or none is
            left to test.
        MissingInputError: if the list or a recording is missing.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"`--protocol` must be one of {', '.join(PROTOCOLS)}, but is `{protocol}`.")
    if limit is not None and limit < 1:
        raise UsageError(f"`--limit` must be 1 or more, but is {limit}.")
    trials = PROTOCOLS[protocol].read(TrialList(path, root or path.parent, seed))
    if not trials:
        raise UsageError(f"`{path}` must have an utterance that `{protocol}` tests, but has none.")
    name, times = Counter(trial.id for trial in trials).most_common(1)[0]
    if times > 1:
        raise UsageError(
            f"`{path}` must list each utterance once, but lists `{name}` {times} times. Remove the others."
        )
    count = min(limit or len(trials), len(trials))
    return [trials[index * len(trials) // count] for index in range(count)]


def _speaker(utterance: str) -> str:
    return utterance.partition("-")[0]


def _require(path: Path, source: TrialList, number: int) -> None:
    if not path.is_file():
        raise MissingInputError(
            f"`{path}` (line {number} of `{source.path}`) isn't there. Name the folder of the recordings:"
            " `--root FOLDER`."
        )
