"""Tests on real speech whether a model learns to speak: it says each digit in each voice, and judges classify both.

    valle-prep run RECORDINGS --out digits/dataset --set encode.codec=embedded --set slice.min_s=0.1
    valle train configs/digits.yaml
    python -m model.evaluation.digits RECORDINGS --model digits/model

`make digits` runs these three. RECORDINGS is the Free Spoken Digit Dataset as `<speaker>/<clip>.wav` with its texts.

* Speech: the model says every digit in every voice, as `valle synth --retries 0` does. The prompt is two recordings of
  the speaker, joined, that say other digits and were held out from training (the validation split).
* Digit: named by a classifier trained on the recordings of the training split alone, never on resynthesised or
  synthesised speech.
* Voice: right if its vector is nearest to the mean vector of the prompt's speaker. The means, and the within-class
  covariance that normalises the vectors, are of the training split's recordings; the column `plain` uses the vectors
  as they are.
* The rows above the model's show the judges' ceiling: the held-out recordings, and their resynthesis by the codec.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from model.decoding.engine import Quantization
from model.decoding.options import Decoding
from model.evaluation.digit_judge import SAMPLE_RATE, DigitJudge, VoiceJudge
from model.evaluation.judges import SAMPLE_RATE as VOICE_RATE
from model.evaluation.sound import Sound
from model.evaluation.voices import Vector, similarity
from model.evaluation.ways import DECODINGS, Way, decodings_of, spoken
from model.inference.guards.guard import OFF
from stages.errors import UsageError, run_program
from stages.ids import path_of, split_of
from stages.listeners.resemblyzer import Resemblyzer
from stages.records import Utterance

if TYPE_CHECKING:
    from model.inference.synthesizer import Synthesizer
    from stages.store.reader import Store

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RECORDINGS, CODEC = "recordings", "codec"

Decode = Callable[[torch.Tensor], Sound]
"""Decodes codes `[K, T]`."""

_ENROLLED = 60
"""Recordings per speaker that the judge of voices is trained on."""
_PROMPTS = 2
"""Recordings joined to a prompt: one digit is shorter than prompts were in training."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One spoken digit with the judges' decisions."""

    row: str
    """What spoke: the recordings, the codec or a mode of the model."""
    speaker: str
    digit: str
    heard: str
    """The digit recognised."""
    own: float
    """Similarity to the speaker."""
    other: float
    """Similarity to the nearest of the other speakers."""
    seconds: float
    """Length."""
    nearest: str
    """The nearest speaker by normalised vectors."""
    nearest_plain: str
    """The nearest speaker by the encoder's vectors as they are."""
    prompt: tuple[str, ...] = ()
    """Ids of the prompt's recordings."""


@dataclass(frozen=True, slots=True)
class Judges:
    """The classifiers of digits and voices."""

    digit: DigitJudge
    encoder: Resemblyzer
    """Turns a voice into a vector."""
    voice: VoiceJudge
    means: dict[str, Vector]
    """Mean vector of each speaker, of length 1."""

    def judge(self, row: str, speaker: str, digit: str, sound: Sound, prompt: tuple[str, ...] = ()) -> Judged:
        """Judges one spoken digit."""
        vector = self.encoder.embed(sound.at(VOICE_RATE))
        near = {name: similarity(vector, mean) for name, mean in self.means.items()}
        return Judged(
            *(row, speaker, digit, self.digit.hear(sound.at(SAMPLE_RATE)), near[speaker]),
            other=max(value for name, value in near.items() if name != speaker),
            seconds=len(sound.wave) / sound.rate,
            nearest=self.voice.hear(vector),
            nearest_plain=max(near, key=near.__getitem__),
            prompt=prompt,
        )


class Corpus:
    """The recordings of a dataset of digits, in two splits.

    Args:
        recordings: The folder that the dataset was made from.
        store: The dataset.
        validation: Share held out from training (`data.validation`).

    Raises:
        UsageError: if a recording isn't of a digit, there is one speaker, or a speaker has no held-out recording.
    """

    def __init__(self, recordings: Path, store: "Store", validation: float) -> None:
        self._folder = recordings
        self._store = store
        self.rows = [store.row(index) for index in range(len(store))]
        if wrong := [row for row in self.rows if row.text not in DIGITS]:
            raise UsageError(
                f"each recording must say one of {', '.join(DIGITS)}, but `{wrong[0].id}` says `{wrong[0].text}`."
                " Prepare a dataset of the Free Spoken Digit Dataset alone."
            )
        held_out = [split_of(row.id, validation) == "validation" for row in self.rows]
        self.training = [index for index, held in enumerate(held_out) if not held]
        self.held_out = [index for index, held in enumerate(held_out) if held]
        self.speakers = sorted({row.speaker for row in self.rows})
        lonely = set(self.speakers) - {self.rows[index].speaker for index in self.held_out}
        if len(self.speakers) < 2 or lonely:
            raise UsageError(
                "the dataset must have two speakers or more, each with recordings in the validation split, but"
                f" {f'`{min(lonely)}` has none' if lonely else 'has one speaker'}. Take the whole Free Spoken Digit"
                " Dataset, and a `data.validation` above 0."
            )

    def sound(self, index: int) -> Sound:
        """Reads a recording."""
        from stages.audio.files import read

        row = self.rows[index]
        return Sound(*read(self.path(row), row.start_samples, row.end_samples))

    def path(self, row: Utterance) -> Path:
        """Returns the path of a recording."""
        return self._folder / path_of(row.recording)

    def codes(self, index: int) -> torch.Tensor:
        """Returns a recording's codes, `[K, T]`."""
        return torch.from_numpy(self._store.codes(index).astype(np.int64))

    def prompt(self, speaker: str, digit: str, rng: np.random.Generator) -> list[int]:
        """Draws two held-out recordings of a speaker that say other digits."""
        rows = [(index, self.rows[index]) for index in self.held_out]
        others = [index for index, row in rows if row.speaker == speaker and row.text != digit]
        if len(others) < _PROMPTS:
            raise UsageError(
                f"`{speaker}` must have at least {_PROMPTS} held-out recordings of digits other than `{digit}`, but has"
                f" {len(others)}. Take the whole Free Spoken Digit Dataset."
            )
        return [int(index) for index in rng.permutation(others)[:_PROMPTS]]


def teach(corpus: Corpus) -> Judges:
    """Trains the judges on the training split.

    Raises:
        WeightsError: if the speaker encoder's package isn't installed.
    """
    encoder = Resemblyzer()
    waves, said = [], []
    vectors: dict[str, list[Vector]] = {speaker: [] for speaker in corpus.speakers}
    for index in np.random.default_rng(0).permutation(corpus.training).tolist():
        row, sound = corpus.rows[index], corpus.sound(index)
        waves.append(sound.at(SAMPLE_RATE))
        said.append(row.text)
        if len(vectors[row.speaker]) < _ENROLLED:
            vectors[row.speaker].append(encoder.embed(sound.at(VOICE_RATE)))
    means = {speaker: np.mean(found, axis=0) for speaker, found in vectors.items()}
    means = {speaker: mean / np.linalg.norm(mean) for speaker, mean in means.items()}
    return Judges(DigitJudge.fit(waves, said), encoder, VoiceJudge.fit(vectors), means)


def real_rows(corpus: Corpus, judges: Judges, decode: Decode) -> list[Judged]:
    """Judges the held-out recordings and their resynthesis by the codec: the ceiling."""
    rows = []
    for index in corpus.held_out:
        row = corpus.rows[index]
        sounds = {RECORDINGS: corpus.sound(index), CODEC: decode(corpus.codes(index))}
        rows += [judges.judge(name, row.speaker, row.text, sound) for name, sound in sounds.items()]
    return rows


def spoken_rows(
    corpus: Corpus,
    judges: Judges,
    voice: "Synthesizer",
    seed: int,
    out: Path,
    *,
    way: Way = "alone",
    decodings: Mapping[str, Decoding] = DECODINGS,
) -> list[Judged]:
    """Judges every digit spoken in every voice and mode; writes `<out>/<mode>/<speaker>-<digit>.wav`."""
    from model.inference.requests import Request
    from stages.audio.files import write_wav
    from stages.codecs.table import output_rate

    rows = []
    for name, decoding in decodings.items():
        asked = [*product(corpus.speakers, DIGITS)]
        seeds = [zlib.crc32(f"{seed} {speaker} {digit}".encode()) for speaker, digit in asked]
        # All modes get the same prompt.
        prompts = [corpus.prompt(*one, np.random.default_rng(drawn)) for one, drawn in zip(asked, seeds, strict=True)]
        requests = [
            Request(
                digit,
                torch.cat([corpus.codes(index) for index in prompt], dim=1),
                language="en",
                seed=drawn,
                decoding=decoding,
                guard=OFF,
            )
            for (_, digit), drawn, prompt in zip(asked, seeds, prompts, strict=True)
        ]
        for (speaker, digit), prompt, wave in zip(asked, prompts, spoken(voice, requests, way), strict=True):
            sound, ids = Sound(wave, output_rate(voice.codec)), tuple(corpus.rows[index].id for index in prompt)
            write_wav(out / decoding.mode / f"{speaker}-{digit}.wav", sound.wave, sound.rate)
            rows.append(judges.judge(name, speaker, digit, sound, ids))
    return rows


def summarise(rows: Sequence[Judged]) -> dict[str, Any]:
    """Returns a row's shares: recognised (overall, by digit, by speaker) and in the right voice."""

    def share(right: Iterable[bool]) -> float:
        return float(np.mean(list(right)))

    def recognised(key: str, value: str) -> float:
        return share(one.heard == one.digit for one in rows if getattr(one, key) == value)

    return {
        "spoken": len(rows),
        "recognised": share(one.heard == one.digit for one in rows),
        "by_digit": {digit: recognised("digit", digit) for digit in DIGITS if any(one.digit == digit for one in rows)},
        "by_speaker": {name: recognised("speaker", name) for name in sorted({one.speaker for one in rows})},
        "own_voice": share(one.nearest == one.speaker for one in rows),
        "own_voice_plain": share(one.nearest_plain == one.speaker for one in rows),
        "similarity_own": float(np.mean([one.own for one in rows])),
        "similarity_nearest_other": float(np.mean([one.other for one in rows])),
        "seconds": float(np.mean([one.seconds for one in rows])),
    }


def table(report: dict[str, Any]) -> str:
    """Formats the report for people."""
    rows = report["rows"]
    digits, speakers = (list(next(iter(rows.values()))[key]) for key in ("by_digit", "by_speaker"))

    def grid(heads: Sequence[str], cells: Callable[[dict[str, Any]], Iterable[str]]) -> list[str]:
        lines = [["", *heads], *([name, *cells(row)] for name, row in rows.items())]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
        return ["  ".join(line).rstrip() for line in shown]

    def percent(share: float) -> str:
        return f"{100 * share:.1f}"

    heads = ["spoken", "mean s", "digit %", "voice %", "plain %", "similarity", "to the next"]
    all_in_all = grid(
        heads,
        lambda row: [
            *(str(row["spoken"]), f"{row['seconds']:.2f}", percent(row["recognised"]), percent(row["own_voice"])),
            percent(row["own_voice_plain"]),
            *(f"{row['similarity_own']:.3f}", f"{row['similarity_nearest_other']:.3f}"),
        ],
    )
    by_digit = grid(digits, lambda row: [f"{100 * row['by_digit'][digit]:.0f}" for digit in digits])
    by_speaker = grid(speakers, lambda row: [f"{100 * row['by_speaker'][name]:.0f}" for name in speakers])
    notes = [f"{key}: {value}" for key, value in report.items() if key not in ("rows", "judged")]
    sections = [all_in_all, ["digit %, by digit", *by_digit], ["digit %, by speaker", *by_speaker], notes]
    return "\n\n".join("\n".join(section) for section in sections)


def prove(
    recordings: Path,
    dataset: Path,
    model: Path,
    out: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    quantize: Quantization = "none",
    way: Way = "alone",
) -> dict[str, Any]:
    """Lets a trained model speak, judges it, and writes the waves and `report.json` to `out`.

    Args:
        recordings: The folder that the dataset was made from.
        dataset: The dataset.
        model: A run, checkpoint or export.
        out: For the results.
        seed: Of prompts and draws.
        device: Of the model.
        quantize: As in `Synthesizer.load`.
        way: How the digits are asked for.

    Returns:
        Plain values: the settings, `rows` (for each what `summarise` returns) and `judged` (each digit).

    Raises:
        MissingInputError: if there is no dataset or no model.
        UsageError: if the dataset isn't of digits, or the model wasn't trained in one of the modes.
        AudioError: if a recording can't be read.
        WeightsError: if the speaker encoder isn't installed.
    """
    from model.device import hardware
    from model.inference.synthesizer import Synthesizer
    from stages.codecs.table import output_rate
    from stages.store.reader import open_store

    voice = Synthesizer.load(model, device, quantize=quantize)
    corpus = Corpus(recordings, open_store(dataset), voice.checkpoint.config.data.validation)

    def decode(codes_KT: torch.Tensor) -> Sound:
        return Sound(voice.codec.decode(codes_KT).numpy(), output_rate(voice.codec))

    _say(f"training the judges on {len(corpus.training):,} recordings")
    judges = teach(corpus)
    _say(f"judging {len(corpus.held_out)} held-out recordings")
    judged = real_rows(corpus, judges, decode)
    decodings = decodings_of(voice.checkpoint.config.data, voice.checkpoint.meta.codec.num_codebooks)
    _say(f"speaking {len(corpus.speakers) * len(DIGITS) * len(decodings)} digits")
    judged += spoken_rows(corpus, judges, voice, seed, out, way=way, decodings=decodings)
    report: dict[str, Any] = {
        "model": f"{voice.checkpoint.folder.name}, {voice.checkpoint.network.num_parameters():,} parameters",
        **{name: str(decoding) for name, decoding in decodings.items()},
        "spoken": way if quantize == "none" else f"{way}, {quantize}",
        "seed": seed,
        "digit": judges.digit.name,
        "voice": judges.encoder.name,
        "hardware": hardware(voice.device),
        "rows": {
            name: summarise([one for one in judged if one.row == name]) for name in (RECORDINGS, CODEC, *decodings)
        },
        "judged": [asdict(one) for one in judged],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser("python -m model.evaluation.digits", description="Test a model of spoken digits.")
    parser.add_argument("recordings", type=Path, metavar="RECORDINGS", help="folder that the dataset was made from")
    parser.add_argument("--dataset", type=Path, default=Path("digits/dataset"), help="the dataset")
    parser.add_argument("--model", type=Path, default=Path("digits/model"), help="a run, checkpoint or export of valle")
    parser.add_argument("--out", type=Path, default=Path("digits/spoken"), help="folder for waves and report.json")
    parser.add_argument("--seed", type=int, default=0, help="seed of prompts and draws")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quantize", choices=get_args(Quantization), default="none", help="how weights are held")
    parser.add_argument("--way", choices=get_args(Way), default="alone", help="how the digits are asked for")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    report = prove(
        *(options.recordings, options.dataset, options.model, options.out),
        seed=options.seed,
        device=options.device,
        quantize=options.quantize,
        way=options.way,
    )
    sys.stdout.write(f"{json.dumps(report) if options.json else table(report)}\n")


if __name__ == "__main__":
    run_program(main)
