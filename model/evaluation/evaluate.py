"""What `valle eval` measures: each trial spoken by its speaker, through the codec alone, and by the model.

The ground truth says what the judges make of real speech, the resynthesis what the codec costs: only between them and
the model's own row do its numbers mean something.
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
from model.evaluation.judges import SAMPLE_RATE, Judges, Vector, similarity
from model.evaluation.metrics import Interval, bootstrap, characters, distance, error_rate, phones
from model.evaluation.protocols import PROTOCOLS, Clip, Trial
from model.evaluation.rows import REPORT, Rows, identity, kept_rows, wave_path
from stages.artefacts.disk import write_text
from stages.errors import StoppedError, UsageError
from stages.records import Codes

if TYPE_CHECKING:
    from model.inference.synthesizer import Speech, Synthesizer

from model.evaluation.sound import Sound

TRUTH, RESYNTHESIS, MODEL = "ground-truth", "resynthesis", "model"
SYSTEMS = TRUTH, RESYNTHESIS, MODEL

COLUMNS = {
    "wer": ("WER %", 100, 1),
    "cer": ("CER %", 100, 1),
    "per": ("PER %", 100, 1),
    "sim_o": ("SIM-o", 1, 3),
    "sim_r": ("SIM-r", 1, 3),
    "sig": ("SIG", 1, 2),
    "bak": ("BAK", 1, 2),
    "ovrl": ("OVRL", 1, 2),
}
"""What is averaged over the utterances: its heading in the table, and the factor and decimals that it is shown with."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance of one system."""

    whole: Sound
    """All that the trial's text says."""
    own: Sound
    """The part in which the voice is judged: without the prompt, where that is the beginning."""
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
    """Lets the model speak every trial and scores it beside the ground truth and the codec's resynthesis.

    WER, CER and PER are counted on the recognised text, normalised as the protocol's authors do; PER on the phonemes
    that espeak-ng reads it as, so that spelling doesn't count. SIM-o compares with the prompt as it was recorded, SIM-r
    with the prompt as the codec returns it (https://arxiv.org/abs/2306.15687, section 5.1). In a continuation the words
    of prompt and response count together, and the voice of the response alone, as with `wav2_cut_wav1` of UniSpeech's
    verification script.

    Args:
        voice: The model with its codec.
        protocol: A row of `PROTOCOLS`.
        trials: As `read_trials` returns them.
        judges: Who scores.
        decoding: How the model speaks.
        seed: Of the model's draws, a different one for each utterance, and of the bootstrap.
        out: Where to write `rows.jsonl` and `<system>/<utterance>.wav`; nothing is written if not given. Rows of the
            same evaluation (`model.evaluation.rows.identity`) that are there already are taken as they are.
        fresh: Remove what an earlier evaluation left in `out`.
        quiet: Show no progress.

    Returns:
        Plain values: `protocol`, `model`, `utterances`, `decoding` (in words), `seed`, `judges` (by role), `systems`
        (for each system its means with intervals, `wer_corpus`, and for the model `rtf` and `cut`) and `notes`.

    Raises:
        UsageError: if `out` holds another evaluation, a text has no words, or the model wasn't trained for what is
            asked.
        AudioError: if a recording can't be read.
        ArtefactError: if the rows in `out` are damaged.
        LockedError: if another evaluation is at work in `out`.
        StoppedError: on Ctrl-C; says whether the same command goes on from there.
    """
    decoding = voice.settled(decoding)
    for continues in {trial.prompt_text is not None for trial in trials}:
        voice.check_speech(continues=continues)
    systems = SYSTEMS if all(trial.truth for trial in trials) else (MODEL,)
    if judges.recogniser:
        _check_texts(trials, protocol)
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
        "decoding": str(decoding),
        "seed": seed,
        "judges": {role: judge.name for role, judge in judges.named().items() if judge},
        "systems": {
            system: summarise([row for row in rows.all if row["system"] == system], seed) for system in systems
        },
        "notes": _notes(judges, trials),
    }
    if out:
        write_text(out / REPORT, json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    return report


def summarise(rows: Sequence[dict[str, Any]], seed: int = 0) -> dict[str, Any]:
    """Returns the means of one system's rows with their intervals; what wasn't measured isn't there."""
    summary: dict[str, Any] = {
        name: asdict(bootstrap([row[name] for row in rows], seed=seed)) for name in COLUMNS if name in rows[0]
    }
    if "wer" in rows[0]:
        summary["wer_corpus"] = sum(row["word_errors"] for row in rows) / sum(row["words"] for row in rows)
    if "compute_s" in rows[0]:
        summary["rtf"] = sum(row["compute_s"] for row in rows) / sum(row["duration_s"] for row in rows)
        summary["cut"] = sum(row["cut"] for row in rows)
    return summary


def table(report: dict[str, Any]) -> str:
    """Returns the report for people: a row a system, means with their 95 % intervals, and who judged."""
    measured = [name for name in COLUMNS if any(name in summary for summary in report["systems"].values())]
    lines = [["", *(COLUMNS[name][0] for name in measured), "RTF"]]
    for system, summary in report["systems"].items():
        cells = [_cell(Interval(**summary[name]), *COLUMNS[name][1:]) for name in measured]
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
    original, resynthesised = (_embed(judges, sound) for sound in (prompt, _decode(voice, codes_KP)))
    for system in systems:
        spoken = _speak(voice, trial, system, codes_KP, decoding=decoding, seed=seed)
        row: dict[str, Any] = {"system": system, "id": trial.id}
        heard = spoken.whole.at(SAMPLE_RATE)
        if judges.recogniser:
            row |= _errors(trial, judges.recogniser.hear(heard, trial.language), protocol)
        own = _embed(judges, spoken.own)
        if own is not None and original is not None and resynthesised is not None:
            row |= {"sim_o": similarity(own, original), "sim_r": similarity(own, resynthesised)}
        if judges.quality:
            row |= judges.quality.score(heard)
        if said := spoken.speech:
            row |= {"compute_s": said.compute_s, "duration_s": said.duration_s, "cut": said.cut}
        if out:
            write_wav(wave_path(out, system, trial.id), spoken.whole.wave, spoken.whole.rate)
        yield row


def _speak(
    voice: "Synthesizer", trial: Trial, system: str, codes_KP: Codes, *, decoding: Decoding, seed: int
) -> Spoken:
    """Returns the trial as a system speaks it."""
    start_s = trial.prompt.length_s if trial.continues and trial.prompt.length_s else 0.0
    if system == MODEL:
        speech = voice.speak(
            trial.text,
            prompt=codes_KP,
            prompt_text=trial.prompt_text,
            language=trial.language,
            seed=zlib.crc32(f"{seed} {trial.id}".encode()),
            decoding=decoding,
        )
        own = Sound(speech.samples, speech.sample_rate)
        if not trial.continues:
            return Spoken(own, own, speech)
        # Decoded in one piece, so that there is no seam for the recogniser to stumble over.
        codes_KT = np.concatenate([codes_KP, speech.codes.astype(codes_KP.dtype)], axis=1)
        return Spoken(_decode(voice, codes_KT), own, speech)
    assert trial.truth is not None
    whole = Sound.read(Clip(trial.truth))
    if system == RESYNTHESIS:
        [codes] = voice.codec.encode([torch.from_numpy(whole.at(voice.codec.sample_rate))])
        whole = _decode(voice, codes.cpu().numpy())
    return Spoken(whole, whole.cut(start_s))


def _check_texts(trials: Sequence[Trial], protocol: str) -> None:
    """Raises `UsageError` for a text in which nothing could be counted, before any is spoken."""
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
    """Returns the words, characters and phones that are counted."""
    from stages.text.phonemes import phonemize

    words = PROTOCOLS[protocol].words(text, language)
    letters = characters(words, language)
    (read,) = phonemize(["".join(letters)], language, stress=False, punctuation=False)
    return words, letters, phones(read)


def _decode(voice: "Synthesizer", codes_KT: Codes) -> Sound:
    return Sound(voice.codec.decode(torch.from_numpy(codes_KT)).numpy(), voice.codec.sample_rate)


def _embed(judges: Judges, sound: Sound) -> Vector | None:
    return judges.speaker.embed(sound.at(SAMPLE_RATE)) if judges.speaker else None


def _progress(trials: Sequence[Trial], done: int, *, quiet: bool) -> Iterator[Trial]:
    """Yields the trials that come after those that are done."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True, quiet=quiet)
    if done:
        console.print(f"{done:,} of {len(trials):,} utterances are there already", highlight=False)
    hidden = quiet or not console.is_terminal
    yield from track(trials[done:], "utterances", console=console, disable=hidden)


def _interrupted(done: int, total: int, out: Path | None, *, fresh: bool) -> str:
    after = f"interrupted after {done:,} of {total:,} utterances"
    if out is None:
        return f"{after}: nothing of them is kept without `--out FOLDER`. With it the same command goes on later."
    again = "the same command without `--fresh`" if fresh else "the same command"
    return f"{after}: they are kept in `{out}`. Run {again} to go on."


def _notes(judges: Judges, trials: Sequence[Trial]) -> list[str]:
    options = {
        "recogniser": "error rates (--asr)",
        "speaker": "speaker similarity (--speaker)",
        "quality": "DNSMOS (--dnsmos)",
    }
    left_out = [options[role] for role, judge in judges.named().items() if judge is None]
    notes = [f"not measured: {', '.join(left_out)}"] if left_out else []
    if missing := [trial.id for trial in trials if not trial.truth]:
        notes.append(
            f"no rows for ground truth and resynthesis: {len(missing)} of {len(trials)} recordings are not there"
            f" ({missing[0]}, …)"
        )
    return notes


def _cell(value: Interval, factor: int, digits: int) -> str:
    mean, low, high = (factor * one for one in (value.mean, value.low, value.high))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
