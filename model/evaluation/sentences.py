"""Tests whether a model says sentences that it never heard: lists for `valle eval`, and a report of what that finds.

    python -m model.evaluation.sentences lists sentences --librispeech RECORDINGS
    valle eval --protocol own --list sentences/lists/held-out.tsv --out sentences/eval/STEP/ar/held-out …
    python -m model.evaluation.sentences report sentences --step STEP

`make sentences` runs these. Which sentences, recordings and prompts are tested is decided by hashes of their names.

How a model speaks (passes, guidance, weights in 8 bits) is chosen on other sentences, those that it was validated on:

    python -m model.evaluation.sentences validation sentences --most 32
    valle eval --protocol own --list sentences/validation.tsv --model sentences/model --mode all --steps 6 …

* `held-out`: sentences of `stages.corpora.sentences` that were held out, in synthetic voices that the model has heard.
* `librispeech`: real recordings of 2 to 12 s, of speakers that the model has never heard.
* Voice: right where the speech is nearer to the mean of the prompt's speaker than to that of any other speaker in
  the folder. A recording doesn't count in the mean that it is compared with.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation.curve import draw_curve, milestones
from model.evaluation.evaluate import MODEL, RESYNTHESIS, SYSTEMS, TRUTH
from model.evaluation.judges import SAMPLE_RATE
from model.evaluation.protocols import Clip
from model.evaluation.rows import REPORT, ROWS, wave_path
from model.evaluation.sound import Sound
from model.evaluation.voices import Vector, similarity
from stages.artefacts.disk import write_text
from stages.errors import MissingInputError, UsageError, run_program

SETS = "held-out", "librispeech"
MOST = 50
"""Trials of a set."""
WAVES = 10
"""Waves that are put where one hears them first."""
_ENROLLED = 20
"""Most recordings of a speaker that make its mean."""
_SHORTEST_S, _LONGEST_S = 2.0, 12.0
_SHOWN = {TRUTH: "recordings", RESYNTHESIS: "codec"}
_LANGUAGE = "en"
_SYNTHETIC = "synthetic"
"""The folder of the recordings in the Piper voice."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording with its text, `<speaker>/<name>` with `.txt` beside it."""

    path: Path
    text: str

    @property
    def id(self) -> str:
        """Speaker and name."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def speaker(self) -> str:
        """The folder."""
        return self.path.parent.name


def by_hash(recordings: Iterable[Recording]) -> list[Recording]:
    """Returns recordings in the order of their hashes."""
    return sorted(recordings, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest())


def read_recordings(folder: Path, suffix: str) -> list[Recording]:
    """Returns the recordings of a folder, by hash; raises `MissingInputError` if there is none with a text."""
    found = [(path, path.with_suffix(".txt")) for path in sorted(folder.glob(f"*/*{suffix}"))]
    recordings = [Recording(path, text.read_text(encoding="utf-8").strip()) for path, text in found if text.is_file()]
    if not recordings:
        raise MissingInputError(f"`{folder}` must hold <speaker>/<name>{suffix} with a .txt beside each, but has none.")
    return by_hash(recordings)


def fit(recordings: Sequence[Recording]) -> list[Recording]:
    """Returns the recordings of 2 to 12 s."""
    from stages.audio.files import probe

    infos = [probe(one.path) for one in recordings]
    seconds = [info.samples / info.sample_rate for info in infos]
    return [one for one, length in zip(recordings, seconds, strict=True) if _SHORTEST_S <= length <= _LONGEST_S]


def list_of(recordings: Sequence[Recording], *, shouted: bool, most: int = MOST) -> str:
    """Returns the list of `valle eval --protocol own`: of each of the first recordings whose speaker has another one.

    Args:
        recordings: By hash. A speaker's prompt is the recording that follows in this order, after the last the first.
        shouted: Whether texts are in capitals without marks, as LibriSpeech's.
        most: How many.

    Raises:
        UsageError: if no speaker has two recordings.
    """
    of = {speaker: [one for one in recordings if one.speaker == speaker] for speaker in {r.speaker for r in recordings}}
    lines: list[str] = []
    for one in recordings:
        others = of[one.speaker]
        if len(others) > 1 and len(lines) < most:
            prompt = others[(others.index(one) + 1) % len(others)]
            text = f"{one.text[0].upper()}{one.text[1:].lower()}." if shouted else one.text
            lines.append("\t".join((one.id, _LANGUAGE, str(prompt.path.resolve()), text, str(one.path.resolve()))))
    if not lines:
        raise UsageError("to test a voice, a speaker must have two recordings, but none has. Give more.")
    return "".join(f"{line}\n" for line in lines)


def write_lists(out: Path, librispeech: Path | None, most: int) -> list[Path]:
    """Writes `<out>/lists/<set>.tsv` of the recordings in `<out>/held-out` and of LibriSpeech's; returns the paths."""
    folder = out / "lists"
    folder.mkdir(parents=True, exist_ok=True)
    lists = {SETS[0]: list_of(read_recordings(out / SETS[0], ".wav"), shouted=False, most=most)}
    if librispeech:
        lists[SETS[1]] = list_of(fit(read_recordings(librispeech, ".flac")), shouted=True, most=most)
    for name, text in lists.items():
        write_text(folder / f"{name}.tsv", text)
    return [folder / f"{name}.tsv" for name in lists]


def write_validation(out: Path, most: int) -> Path:
    """Writes `<out>/validation.tsv`, a list of synthetic sentences that the model was validated on, to choose by.

    Args:
        out: The folder of `make sentences`, with its dataset and its model.
        most: Trials of the list.

    Returns:
        The list's path. It isn't in `lists`: what was chosen by it isn't a result.

    Raises:
        MissingInputError: if there is no dataset or no model.
        UsageError: if no speaker has two such sentences.
    """
    from model.checkpoints.checkpoint import find, read_config, read_tokenizer
    from model.data.examples import Examples
    from stages.store.reader import open_store

    checkpoint = find(out / "model")
    store = open_store(out / "dataset")
    examples = Examples(store, read_tokenizer(checkpoint), read_config(checkpoint).data, "validation")
    validated = {store.ids[row] for row in examples.rows}  # of a whole file the id is its path below the voices
    recordings = read_recordings(out / "recordings" / _SYNTHETIC, ".wav")
    some = [one for one in recordings if f"{_SYNTHETIC}/{one.id}.wav" in validated]
    path = out / "validation.tsv"
    write_text(path, list_of(some, shouted=False, most=most))
    return path


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `valle eval` found for a set in a mode."""

    set: str
    mode: str
    folder: Path
    report: dict[str, Any]
    rows: list[dict[str, Any]]


def read_evaluations(out: Path, step: str) -> list[Evaluation]:
    """Reads the evaluations `<out>/eval/<step>/<mode>/<set>`; raises `MissingInputError` if there is none."""
    found = []
    for name in SETS:
        for folder in sorted((out / "eval" / step).glob(f"*/{name}")):
            if not (folder / REPORT).is_file():
                continue
            rows = [json.loads(line) for line in (folder / ROWS).read_text(encoding="utf-8").splitlines()]
            report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
            found.append(Evaluation(name, folder.parent.name, folder, report, rows))
    if not found:
        raise MissingInputError(f"`{out / 'eval' / step}` must hold a finished `valle eval`. Run `make sentences`.")
    return found


class Voices:
    """Compares speech with the speakers of a list's folder: with the mean vector of recordings of each."""

    def __init__(self, path: Path) -> None:
        from stages.listeners.resemblyzer import Resemblyzer

        self._encoder = Resemblyzer()
        self.name = self._encoder.name
        self._vectors: dict[str, dict[str, Vector]] = {}
        first = Path(path.read_text(encoding="utf-8").splitlines()[0].split("\t")[-1])
        for one in read_recordings(first.parent.parent, first.suffix):
            vectors = self._vectors.setdefault(one.speaker, {})
            if len(vectors) < _ENROLLED:
                vectors[one.id] = self._encoder.embed(Sound.read(Clip(one.path)).at(SAMPLE_RATE))

    def compare(self, wave: Path, name: str) -> tuple[float, float] | None:
        """Returns the similarity to the own speaker and to the nearest other; None if there is none."""
        vector = self._encoder.embed(Sound.read(Clip(wave)).at(SAMPLE_RATE))
        near = {}
        for speaker, vectors in self._vectors.items():
            kept = [one for other, one in vectors.items() if other != name]
            if kept:
                mean = np.mean(kept, axis=0)
                near[speaker] = similarity(vector, mean / np.linalg.norm(mean))
        own = near.pop(_speaker(name), None)
        return (own, max(near.values())) if own is not None and near else None


def _speaker(name: str) -> str:
    return name.partition("/")[0]


def summarise(one: Evaluation, voices: Voices, systems: Sequence[str]) -> list[dict[str, Any]]:
    """Returns a row of the table for each system of an evaluation."""
    rows = []
    for system in systems:
        compared = [
            near
            for row in one.rows
            if row["system"] == system and (near := voices.compare(wave_path(one.folder, system, row["id"]), row["id"]))
        ]
        found = one.report["systems"][system]
        rows.append(
            {
                "set": one.set,
                "system": _SHOWN.get(system, one.mode),
                "spoken": one.report["utterances"],
                "wer": found["wer_corpus"],
                "wer_low": found["wer"]["low"],
                "wer_high": found["wer"]["high"],
                "cer": found["cer"]["mean"],
                "own": float(np.mean([own for own, _ in compared])) if compared else None,
                "next": float(np.mean([other for _, other in compared])) if compared else None,
                "voice": float(np.mean([own > other for own, other in compared])) if compared else None,
                "rtf": found.get("rtf"),
            }
        )
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Formats rows as a table in Markdown."""
    heads = ("", "", "spoken", "WER % [95 %]", "CER %", "similarity", "to the next", "voice %", "RTF")
    lines = [heads, ("---",) * len(heads)]
    for row in rows:
        wer, low, high = (f"{100 * row[name]:.1f}" for name in ("wer", "wer_low", "wer_high"))
        near = [f"{row[name]:.3f}" if row[name] is not None else "-" for name in ("own", "next")]
        voice = f"{100 * row['voice']:.0f}" if row["voice"] is not None else "-"
        rtf = f"{row['rtf']:.2f}" if row["rtf"] is not None else "-"
        cells = (f"{wer} [{low}, {high}]", f"{100 * row['cer']:.1f}", *near, voice, rtf)
        lines.append((row["set"], row["system"], str(row["spoken"]), *cells))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(out: Path, step: str) -> str:
    """Joins the evaluations of a step: writes ten waves, `waves.tsv`, `curve.png`, `report.json` and `report.md`.

    Args:
        out: The folder of `make sentences`.
        step: The checkpoint's name, below `<out>/eval`.

    Returns:
        What `report.md` says.

    Raises:
        MissingInputError: if nothing was evaluated.
        WeightsError: if the speaker encoder isn't installed.
    """
    evaluations = read_evaluations(out, step)
    voices = {name: Voices(out / "lists" / f"{name}.tsv") for name in {one.set for one in evaluations}}
    rows: list[dict[str, Any]] = []
    for one in evaluations:
        first = one.set not in {row["set"] for row in rows}
        systems = [name for name in SYSTEMS if name in one.report["systems"] and (first or name == MODEL)]
        rows += summarise(one, voices[one.set], systems)
    waves = _put_waves(out, evaluations[0])
    marks = milestones(out / "model" / "log.jsonl")
    draw_curve(out / "model" / "log.jsonl", out / "curve.png")
    about = {
        "step": step,
        "judges": evaluations[0].report["judges"],
        "voices": next(iter(voices.values())).name,
        "decoding": {one.mode: one.report["decoding"] for one in evaluations},
        "texts": json.loads((out / "texts" / "texts.json").read_text(encoding="utf-8")),
        "rows": rows,
        "waves": waves,
        "milestones": marks.rows,
    }
    write_text(out / "report.json", json.dumps(about, ensure_ascii=False, indent=1) + "\n")
    told = _told(about, marks.table())
    write_text(out / "report.md", told)
    return told


def _put_waves(out: Path, one: Evaluation) -> list[dict[str, Any]]:
    """Copies the first ten waves of the model to `out`, and lists them in `waves.tsv`."""
    for old in out.glob("[0-9][0-9]-*.wav"):
        old.unlink()
    waves = []
    for number, row in enumerate([row for row in one.rows if row["system"] == MODEL][:WAVES], 1):
        name = f"{number:02d}-{row['id'].replace('/', '-')}.wav"
        shutil.copyfile(wave_path(one.folder, MODEL, row["id"]), out / name)
        waves.append({"file": name, "text": row["text"], "heard": row["heard"], "wer": row["wer"]})
    lines = [f"{one['file']}\t{one['text']}\t{one['heard']}\t{one['wer']:.3f}" for one in waves]
    write_text(out / "waves.tsv", "".join(f"{line}\n" for line in ("file\ttext\theard\twer", *lines)))
    return waves


def _told(about: dict[str, Any], marks: str) -> str:
    wave = about["waves"][0]
    sources = "; ".join(
        f"{about['texts']['train'][name]:,} of {told}" for name, told in about["texts"]["sources"].items()
    )
    decoding = "; ".join(f"{mode}: {told}" for mode, told in about["decoding"].items())
    return "\n".join(
        (
            f"# Sentences that it never heard, {about['step']}",
            "",
            "`held-out` is synthetic speech: its recordings and voices are of a Piper voice. `librispeech` is real.",
            "",
            table(about["rows"]),
            "",
            f"Texts trained on: {sources}.",
            f"Decoding: {decoding}.",
            f"Words: {about['judges']['recogniser']}. Voices: {about['voices']}.",
            "",
            "## One of them",
            "",
            f"* file: `{wave['file']}`",
            f"* text: {wave['text']}",
            f"* heard: {wave['heard']}",
            "",
            "## While it trained",
            "",
            "![loss and word error rate](curve.png)",
            "",
            marks,
            "",
        )
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser("python -m model.evaluation.sentences", description="Test a model of sentences.")
    parts = parser.add_subparsers(dest="part", required=True)
    lists = parts.add_parser("lists", help="write the lists for valle eval")
    lists.add_argument("out", type=Path, metavar="OUT", help="the folder of make sentences")
    lists.add_argument("--librispeech", type=Path, help="<speaker>/<clip>.flac, with .txt beside each")
    lists.add_argument("--most", type=int, default=MOST, help="trials of a list")
    chosen_by = parts.add_parser("validation", help="write a list of sentences to choose by how the model speaks")
    chosen_by.add_argument("out", type=Path, metavar="OUT", help="the folder of make sentences")
    chosen_by.add_argument("--most", type=int, default=MOST, help="trials of the list")
    joined = parts.add_parser("report", help="join what valle eval found")
    joined.add_argument("out", type=Path, metavar="OUT", help="the folder of make sentences")
    joined.add_argument("--step", required=True, help="the checkpoint's name")
    options = parser.parse_args()
    if options.part != "report" and options.most < 1:
        raise UsageError(f"`--most` must be 1 or more, but is {options.most}.")
    if options.part == "lists":
        for path in write_lists(options.out, options.librispeech, options.most):
            sys.stdout.write(f"{path}\n")
    elif options.part == "validation":
        sys.stdout.write(f"{write_validation(options.out, options.most)}\n")
    else:
        sys.stdout.write(report(options.out, options.step))


if __name__ == "__main__":
    run_program(main)
