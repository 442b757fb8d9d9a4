"""Evaluates a model: scores each trial as recorded, as resynthesised by the codec, and as spoken by the model.

The recordings show how the judges score real speech, the resynthesis what the codec costs. The model's numbers mean
something only beside these two.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model.decoding.options import Decoding
from model.evaluation.judges import JUDGES, SAMPLE_RATE, Column, Judge, Judges, columns, having
from model.evaluation.metrics import Interval, bootstrap, characters, distance, error_rate
from model.evaluation.protocols import PROTOCOLS, Clip, Trial
from model.evaluation.rows import REPORT, Rows, identity, kept_rows, wave_path
from model.evaluation.sound import Sound
from model.evaluation.voices import similarity
from model.inference.guards.guard import OFF
from stages.artefacts.disk import write_text
from stages.errors import StoppedError, UsageError
from stages.records import Codes
from stages.text.ipa import phones

if TYPE_CHECKING:
    from model.evaluation.voices import Vector
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer

TRUTH, RESYNTHESIS, MODEL = "ground-truth", "resynthesis", "model"
SYSTEMS = TRUTH, RESYNTHESIS, MODEL


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance of one system."""

    whole: Sound
    """The trial's whole text."""
    own: Sound
    """The part whose voice is compared: without the prompt, if the utterance begins with it."""
    speech: "Speech | None" = None


def evaluate(
    voice: "Synthesizer",
    protocol: str,
    trials: Sequence[Trial],
    judges: Judges,
    *,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    seed: int = 0,
    out: Path | None = None,
    fresh: bool = False,
    quiet: bool = True,
) -> dict[str, Any]:
    """Lets the model speak every trial, and scores it beside the recording and the codec's resynthesis.

    WER, CER and PER are computed on the recognised text, normalised as the protocol's authors do; PER on espeak-ng's
    phonemes of it, so that spelling doesn't count. SIM-o compares with the prompt as recorded, SIM-r with the prompt as
    resynthesised by the codec (https://arxiv.org/abs/2306.15687, section 5.1). In a continuation, the words of prompt
    and response count together, but only the response's voice is compared, as with `wav2_cut_wav1` of UniSpeech's
    verification script.

    Args:
        voice: The model with its codec.
        protocol: A row of `PROTOCOLS`.
        trials: As `read_trials` returns them.
        judges: As `load_judges` returns them.
        decoding: How the model speaks.
        seed: Seed of the model's draws (combined with each utterance's id) and of the bootstrap.
        out: Folder for `rows.jsonl` and `<system>/<utterance>.wav`; not given: nothing is written. Rows that the same
            evaluation (`model.evaluation.rows.identity`) left there are kept, and only the missing ones are made.
        fresh: Remove an earlier evaluation from `out`.
        quiet: Show no progress.

    Returns:
        Plain values: `protocol`, `model`, `utterances`, `decoding` (in words), `seed`, `judges` (names by row),
        `systems` (for each its means with intervals, `wer_corpus`, and for the model `rtf` and `cut`) and `notes`.

    Raises:
        WeightsError: if a recogniser does not know a language of the trials.
        UsageError: if `out` holds another evaluation, a text has no words, or the model wasn't trained for the request.
        AudioError: if a recording can't be read.
        ArtefactError: if the rows in `out` are damaged.
        LockedError: if another evaluation is running in `out`.
        StoppedError: on Ctrl-C; the message says whether the same command continues.
    """
    decoding = voice.settled(decoding)
    for continues in {trial.prompt_text is not None for trial in trials}:
        voice.check_speech(continues=continues)
    systems = SYSTEMS if all(trial.truth for trial in trials) else (MODEL,)
    if recognisers := having("recogniser", judges):
        _check_texts(trials, protocol)
        for _, recogniser in recognisers:
            recogniser.check({trial.language for trial in trials})
    with ExitStack() as stack:
        rows = Rows()
        if out:
            made_with = identity(voice, protocol, trials, judges, decoding=decoding, seed=seed)
            wanted = [(trial.id, system) for trial in trials for system in systems]
            rows = stack.enter_context(kept_rows(out, made_with, wanted, systems=len(systems), fresh=fresh))
        done = len(rows.all) // len(systems)
        try:
            for trial in _progress(trials, done, quiet=quiet):
                for row in _score(voice, protocol, trial, judges, systems, decoding=decoding, seed=seed, out=out):
                    rows.add(row)
                done += 1
        except KeyboardInterrupt as stop:
            raise StoppedError(_interrupted(done, len(trials), out, fresh=fresh)) from stop
    report = {
        "protocol": protocol,
        "model": str(voice.checkpoint.folder),
        "utterances": len(trials),
        "decoding": str(decoding) if voice.quantize == "none" else f"{decoding}, {voice.quantize}",
        "seed": seed,
        "judges": {row.name: judges[row.name].name for row in JUDGES.values() if row.name in judges},
        "systems": {
            system: summarise([row for row in rows.all if row["system"] == system], seed) for system in systems
        },
        "notes": _notes(judges, trials),
    }
    if out:
        write_text(out / REPORT, json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    return report


def summarise(rows: Sequence[dict[str, Any]], seed: int = 0) -> dict[str, Any]:
    """Returns the means of one system's rows with their intervals; scores that weren't measured are left out."""
    summary: dict[str, Any] = {
        name: asdict(bootstrap([row[name] for row in rows], seed=seed)) for name in columns() if name in rows[0]
    }
    for prefix in [row.prefix for row in JUDGES.values() if row.role == "recogniser"]:
        if f"{prefix}words" in rows[0]:
            wrong, words = (sum(row[f"{prefix}{name}"] for row in rows) for name in ("word_errors", "words"))
            summary[f"{prefix}wer_corpus"] = wrong / words
    if "compute_s" in rows[0]:
        summary["rtf"] = sum(row["compute_s"] for row in rows) / sum(row["duration_s"] for row in rows)
        summary["cut"] = sum(row["cut"] for row in rows)
    return summary


def table(report: dict[str, Any]) -> str:
    """Formats a report for people: a line per system with means and 95 % intervals, then the judges and notes."""
    shown_as = columns()
    measured = [name for name in shown_as if any(name in summary for summary in report["systems"].values())]
    lines = [["", *(shown_as[name].heading for name in measured), "RTF"]]
    for system, summary in report["systems"].items():
        cells = [_cell(Interval(**summary[name]), shown_as[name]) for name in measured]
        lines.append([system, *cells, f"{summary['rtf']:.2f}" if "rtf" in summary else "-"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    about = f"{report['utterances']} utterances, {report['decoding']}, seed {report['seed']}"
    shown = [f"{report['protocol']}: {about}, {report['model']}"]
    shown += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    shown.append("Means over utterances [95 % bootstrap interval]; RTF: seconds of computing per second of speech.")
    shown += [f"{role}: {name}" for role, name in report["judges"].items()]
    shown += [f"note: {note}" for note in report["notes"]]
    return "\n".join(shown)


def _score(
    voice: "Synthesizer",
    protocol: str,
    trial: Trial,
    judges: Judges,
    systems: Sequence[str],
    *,
    decoding: Decoding,
    seed: int,
    out: Path | None,
) -> Iterator[dict[str, Any]]:
    from stages.audio.files import write_wav

    prompt = Sound.read(trial.prompt)
    codes_KP = voice.prompt_codes(prompt.at(voice.codec.sample_rate))
    references = [sound.at(SAMPLE_RATE) for sound in (prompt, _decode(voice, codes_KP))]
    enrolled = {row.name: [speaker.embed(wave) for wave in references] for row, speaker in having("speaker", judges)}
    for system in systems:
        spoken = _speak(voice, trial, system, codes_KP, decoding=decoding, seed=seed)
        row: dict[str, Any] = {"system": system, "id": trial.id}
        wave = spoken.whole.at(SAMPLE_RATE)
        for judge, recogniser in having("recogniser", judges):
            row |= _prefixed(judge, _errors(trial, recogniser.hear(wave, trial.language), protocol))
        for judge, speaker in having("speaker", judges):
            row |= _prefixed(judge, _similarities(speaker.embed(spoken.own.at(SAMPLE_RATE)), *enrolled[judge.name]))
        for judge, quality in having("quality", judges):
            row |= _prefixed(judge, quality.score(wave))
        if said := spoken.speech:
            row |= {"compute_s": said.compute_s, "duration_s": said.duration_s, "cut": said.cut}
        if out:
            write_wav(wave_path(out, system, trial.id), spoken.whole.wave, spoken.whole.rate)
        yield row


def _speak(
    voice: "Synthesizer", trial: Trial, system: str, codes_KP: Codes, *, decoding: Decoding, seed: int
) -> Spoken:
    """Returns a trial as spoken by a system."""
    start_s = trial.prompt.length_s if trial.continues and trial.prompt.length_s else 0.0
    if system == MODEL:
        speech = voice.speak(
            trial.text,
            prompt=codes_KP,
            prompt_text=trial.prompt_text,
            language=trial.language,
            seed=zlib.crc32(f"{seed} {trial.id}".encode()),
            decoding=decoding,
            guard=OFF,  # protocols score what is said first
        )
        own = Sound(speech.samples, speech.sample_rate)
        if not trial.continues:
            return Spoken(own, own, speech)
        if len(speech.parts) > 1:  # a text longer than the model has learnt: it has pauses that the codes lack
            prompt = _decode(voice, codes_KP)
            return Spoken(Sound(np.concatenate([prompt.wave, own.wave]), own.rate), own, speech)
        # Decoded in one piece: a seam could confuse the recogniser.
        codes_KT = np.concatenate([codes_KP, speech.codes.astype(codes_KP.dtype)], axis=1)
        return Spoken(_decode(voice, codes_KT), own, speech)
    assert trial.truth is not None
    whole = Sound.read(Clip(trial.truth))
    if system == RESYNTHESIS:
        [codes] = voice.codec.encode([torch.from_numpy(whole.at(voice.codec.sample_rate))])
        whole = _decode(voice, codes.cpu().numpy())
    return Spoken(whole, whole.cut(start_s))


def _check_texts(trials: Sequence[Trial], protocol: str) -> None:
    """Raises `UsageError` for a text without words or phonemes, before anything is spoken."""
    for trial in trials:
        words, _, read = _symbols(trial.text, trial.language, protocol)
        if not words or not read:
            raise UsageError(f"`{trial.id}` must have words to be recognised, but its text is `{trial.text}`.")


def _errors(trial: Trial, heard: str, protocol: str) -> dict[str, Any]:
    wanted, found = (_symbols(text, trial.language, protocol) for text in (trial.text, heard))
    wrong = distance(wanted[0], found[0])
    rates = {name: error_rate(*pair) for name, *pair in zip(("wer", "cer", "per"), wanted, found, strict=True)}
    return {"text": trial.text, "heard": heard, "words": len(wanted[0]), "word_errors": wrong, **rates}


def _symbols(text: str, language: str, protocol: str) -> tuple[list[str], list[str], list[str]]:
    """Returns the words, characters and phones whose errors are counted, of what is said: `$5` is `five dollars`."""
    from stages.text.phonemes import in_words, phonemize

    words = PROTOCOLS[protocol].words(in_words(text, language), language)
    letters = characters(words, language)
    (read,) = phonemize(["".join(letters)], language, stress=False, punctuation=False)
    return words, letters, phones(read)


def _decode(voice: "Synthesizer", codes_KT: Codes) -> Sound:
    from stages.codecs.table import output_rate

    return Sound(voice.codec.decode(torch.from_numpy(codes_KT)).numpy(), output_rate(voice.codec))


def _similarities(own: "Vector", original: "Vector", resynthesised: "Vector") -> dict[str, float]:
    return {"sim_o": similarity(own, original), "sim_r": similarity(own, resynthesised)}


def _prefixed(judge: Judge, scores: dict[str, Any]) -> dict[str, Any]:
    return {f"{judge.prefix}{name}": value for name, value in scores.items()}


def _progress(trials: Sequence[Trial], done: int, *, quiet: bool) -> Iterator[Trial]:
    """Yields the trials after the first `done`, with a progress bar."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True, quiet=quiet)
    if done:
        console.print(f"{done:,} of {len(trials):,} utterances are done already", highlight=False)
    hidden = quiet or not console.is_terminal
    yield from track(trials[done:], "utterances", console=console, disable=hidden)


def _interrupted(done: int, total: int, out: Path | None, *, fresh: bool) -> str:
    after = f"interrupted after {done:,} of {total:,} utterances"
    if out is None:
        return f"{after}: nothing is kept without `--out FOLDER`. With it, the same command continues later."
    again = "the same command without `--fresh`" if fresh else "the same command"
    return f"{after}: they are kept in `{out}`. Run {again} to continue."


def _notes(judges: Judges, trials: Sequence[Trial]) -> list[str]:
    absent = [row for row in JUDGES.values() if row.name not in judges]
    left_out = [f"{row.measures} (--{row.option.replace('_', '-')})" for row in absent]
    notes = [f"not measured: {', '.join(left_out)}"] if left_out else []
    if missing := [trial.id for trial in trials if not trial.truth]:
        notes.append(
            f"no rows for ground truth and resynthesis: {len(missing)} of {len(trials)} recordings are missing"
            f" ({missing[0]}, …)"
        )
    return notes


def _cell(value: Interval, column: Column) -> str:
    mean, low, high = (f"{column.factor * number:.{column.digits}f}" for number in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"
