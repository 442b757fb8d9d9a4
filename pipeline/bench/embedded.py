"""Fits the embedded codec's weights, or measures them: `python -m pipeline.bench.embedded VOICES [--evaluate]`.

Data: the groups `librispeech-train-clean-100` (LibriSpeech, CC BY 4.0, Panayotov et al. 2015,
https://www.openslr.org/12) and `kerstin-de` (rhasspy dataset-voice-kerstin, CC0 1.0) below VOICES. A hash of the name
holds out about one in ten of LibriSpeech's speakers. All other groups are held out.
"""

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.artefacts.disk import atomic
from stages.audio.files import read_at, resample
from stages.codecs.embedded import WEIGHTS, EmbeddedCodec, log_mel, quantise
from stages.codecs.frames import FLOOR, NUM_MELS, SAMPLE_RATE, Tables, mel_filters
from stages.corpora.scan import scan
from stages.errors import UsageError, run_program
from stages.ids import path_of
from stages.machine import processor
from stages.records import Recording, Wave

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SOURCES = {
    "librispeech-train-clean-100": "LibriSpeech train-clean-100, CC BY 4.0, https://www.openslr.org/12",
    "kerstin-de": "rhasspy dataset-voice-kerstin, CC0 1.0, https://github.com/rhasspy/dataset-voice-kerstin",
}
"""Groups of the training data -> their source and licence."""
NUM_CODEBOOKS = 8
CODEBOOK_SIZE = 1024
_ITERATIONS = 12
_REFINEMENTS = 2
_LEAST_FRAMES = 4
_LEAST_SCALE = 1.6
"""Lower bound of a band's scale, in log magnitude.

Without it, a band that is nearly always silent would dominate the distance in the few frames where it isn't.
"""
_HIGH_BAND = 88
"""First mel band above 8 kHz, where LibriSpeech is silent."""
_SILENCE = 0.01
"""Share of silent frames added to the data: digital silence is rare in recordings but common in padding."""


def is_held_out(recording: Recording) -> bool:
    """Returns whether a recording is reserved for evaluation."""
    if recording.group == "librispeech-train-clean-100":
        return hashlib.sha256(recording.speaker.encode()).digest()[0] < 24
    return recording.group not in SOURCES


def fit(voices: Path, *, seed: int = 0) -> Tables:
    """Fits mean, scale and codebooks on the recordings of `SOURCES`.

    Args:
        voices: The folder that contains the groups.
        seed: Seed of the initial k-means centres.

    Raises:
        UsageError: if a group of `SOURCES` is missing.
    """
    import torch

    recordings = [recording for recording in scan(voices).recordings if not is_held_out(recording)]
    missing = sorted(SOURCES.keys() - {recording.group for recording in recordings})
    if missing:
        raise UsageError(f"`{voices}` must contain the groups {', '.join(SOURCES)}, but has no {', '.join(missing)}.")
    filters_MF = torch.tensor(mel_filters())
    mels = [log_mel(torch.tensor(wave), filters_MF) for wave in _training_waves(voices, recordings)]
    frames_TM = torch.cat(mels)
    mean_M, scale_M = frames_TM.mean(dim=0), frames_TM.std(dim=0).clamp_min(_LEAST_SCALE)
    scale_M[_HIGH_BAND:] *= 2  # high bands are less audible, and few of these recordings have them
    silence_TM = torch.full((round(len(frames_TM) * _SILENCE), NUM_MELS), math.log(FLOOR))
    frames_TM = (torch.cat([frames_TM, silence_TM]) - mean_M) / scale_M
    codebooks_KVM = _residual_k_means(frames_TM, torch.Generator().manual_seed(seed))
    for _ in range(_REFINEMENTS):
        codebooks_KVM = _refine(frames_TM, codebooks_KVM)
    return Tables(mean_M.numpy(), scale_M.numpy(), codebooks_KVM.numpy())


def _training_waves(voices: Path, recordings: Sequence[Recording]) -> Iterator[Wave]:
    """Yields every recording, and some of them at other speeds too: slower voices are deeper, faster ones higher.

    LibriSpeech has nothing above 8 kHz. Without the faster copies, all speech above would be of one German speaker.
    """
    for index, recording in enumerate(recordings):
        wave = read_at(voices / path_of(recording.id), SAMPLE_RATE)
        yield wave
        if recording.group == "kerstin-de" and index % 2:
            speed = (0.8, 0.9, 1.12, 1.25)[index // 2 % 4]
            yield resample(wave, round(SAMPLE_RATE * speed), SAMPLE_RATE)
        elif recording.group != "kerstin-de" and not index % 5:
            yield resample(wave, round(SAMPLE_RATE * 1.35), SAMPLE_RATE)


def _residual_k_means(frames_TM: "Tensor", generator: "torch.Generator") -> "Tensor":
    """Fits `[K, V, M]` codebooks, each to the residual of those before it."""
    import torch

    codebooks = []
    for k in range(NUM_CODEBOOKS):
        codebook_VM = _k_means(frames_TM, generator)
        frames_TM = frames_TM - codebook_VM[_nearest(frames_TM, codebook_VM)]
        codebooks.append(codebook_VM)
        _say(f"codebook {k}: mean squared error {float(frames_TM.square().mean()):.4f}")
    return torch.stack(codebooks)


def _refine(frames_TM: "Tensor", codebooks_KVM: "Tensor") -> "Tensor":
    """Fits the codebooks again, to the codes that beam search (not the greedy choice) gives the frames.

    Each codebook in turn gets the vectors with the least squared error while the others stay fixed. Half of the weight
    is on the error of all codebooks, half on the errors of the first 1, 2, … K-1 codebooks, which must stay usable
    alone.
    """
    import torch

    codebooks_KVM = codebooks_KVM.clone()
    codes_KT = torch.cat([quantise(chunk_TM, codebooks_KVM) for chunk_TM in torch.split(frames_TM, 2048)], dim=1)
    weight_K = torch.tensor([1.0] * (NUM_CODEBOOKS - 1) + [NUM_CODEBOOKS - 1.0])  # of the first k + 1 codebooks' error
    for k, code_T in enumerate(codes_KT):
        wanted_TM = frames_TM.clone()
        for other in set(range(NUM_CODEBOOKS)) - {k}:
            # The weight of the errors that depend on both codebooks, over that of all errors that depend on k.
            share = weight_K[max(k, other) :].sum() / weight_K[k:].sum()
            wanted_TM -= share * codebooks_KVM[other, codes_KT[other]]
        codebooks_KVM[k] = _means(wanted_TM, code_T, codebooks_KVM[k])
    rest_TM = frames_TM - sum(codebook_VM[code_T] for codebook_VM, code_T in zip(codebooks_KVM, codes_KT, strict=True))
    _say(f"refined: mean squared error {float(rest_TM.square().mean()):.4f}")
    return codebooks_KVM


def _means(frames_TM: "Tensor", code_T: "Tensor", unused_VM: "Tensor") -> "Tensor":
    """Returns `[V, M]`: the mean frame of each code, or its row of `unused_VM` if it has no frames."""
    import torch

    count_V1 = code_T.bincount(minlength=len(unused_VM))[:, None]
    sum_VM = torch.zeros_like(unused_VM).index_add_(0, code_T, frames_TM)
    return torch.where(count_V1 > 0, sum_VM / count_V1.clamp_min(1), unused_VM)


def _k_means(frames_TM: "Tensor", generator: "torch.Generator") -> "Tensor":
    """Returns `[V, M]` centres by Lloyd's algorithm; a centre with too few frames restarts at a random frame."""
    import torch

    def random_frames(count: int) -> "Tensor":
        return frames_TM[torch.randperm(len(frames_TM), generator=generator)[:count]]

    centres_VM = random_frames(CODEBOOK_SIZE)
    for _ in range(_ITERATIONS):
        nearest_T = _nearest(frames_TM, centres_VM)
        centres_VM = _means(frames_TM, nearest_T, centres_VM)
        lost_V = nearest_T.bincount(minlength=CODEBOOK_SIZE) < _LEAST_FRAMES
        centres_VM[lost_V] = random_frames(int(lost_V.sum()))
    return centres_VM


def _nearest(frames_TM: "Tensor", centres_VM: "Tensor") -> "Tensor":
    import torch

    half_norm_V = centres_VM.square().sum(dim=1) / 2
    return torch.cat(
        [(chunk_TM @ centres_VM.T - half_norm_V).argmax(dim=1) for chunk_TM in torch.split(frames_TM, 2048)]
    )


def save(tables: Tables, path: Path) -> None:
    """Writes the weights file; the same tables give the same bytes."""
    from safetensors.numpy import save_file

    tensors: dict[str, Any] = {**tables.by_name(), "codebooks_KVM": tables.codebooks_KVM.astype(np.float16)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as partial:
        save_file(tensors, partial, metadata={"data": "; ".join(SOURCES.values())})


@dataclass(frozen=True, slots=True)
class Score:
    """Intelligibility of a group's held-out clips after encoding and decoding."""

    group: str
    clips: int
    speakers: int
    stoi: dict[int, float]
    """Number of codebooks used -> mean short-time objective intelligibility (STOI)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The quality and speed of a codec."""

    scores: list[Score]
    """One score per group, and one over all groups at the end."""
    encode_speed: float
    """Seconds of audio per second, on one thread."""
    decode_speed: float
    """Seconds of audio per second, on one thread."""
    hardware: str


def evaluate(voices: Path, codec: EmbeddedCodec, *, clips_per_speaker: int = 3, seconds: float = 8.0) -> Evaluation:
    """Measures a codec on held-out recordings.

    Args:
        voices: The folder that contains the groups.
        codec: The codec to measure.
        clips_per_speaker: Most clips per speaker: the first by name that last 2 s or more.
        seconds: Length of the start of each clip that is used.

    Source: STOI, Taal et al. 2011, https://doi.org/10.1109/TASL.2011.2114881, by pystoi.
    """
    import torch
    from pystoi import stoi

    counts = (1, 4, codec.num_codebooks)
    values: dict[tuple[str, str], list[list[float]]] = {}
    encoding = decoding = total = 0.0
    for recording in scan(voices).recordings:
        done = values.setdefault((recording.group, recording.speaker), [])
        if not is_held_out(recording) or len(done) == clips_per_speaker:
            continue
        wave = torch.tensor(read_at(voices / path_of(recording.id), SAMPLE_RATE)[: round(seconds * SAMPLE_RATE)])
        if len(wave) < 2 * SAMPLE_RATE:
            continue
        started = time.perf_counter()
        [codes_KT] = codec.encode([wave])
        encoded = time.perf_counter()
        decoded = [codec.decode(codes_KT[:count]) for count in counts]
        ended = time.perf_counter()
        encoding, decoding = encoding + encoded - started, decoding + (ended - encoded) / len(counts)
        total += len(wave) / SAMPLE_RATE
        done.append([float(stoi(wave.numpy(), out[: len(wave)].numpy(), SAMPLE_RATE)) for out in decoded])
    scores = _scores({key: rows for key, rows in values.items() if rows}, counts)
    return Evaluation(scores, total / encoding, total / decoding, _hardware())


def _scores(values: dict[tuple[str, str], list[list[float]]], counts: Sequence[int]) -> list[Score]:
    """Returns a score for each group, and one over all groups."""
    groups = [*sorted({group for group, _ in values}), "all"]
    scores = []
    for name in groups:
        speakers = [rows for (group, _), rows in values.items() if name in (group, "all")]
        rows = [row for speaker in speakers for row in speaker]
        means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
        scores.append(Score(name, len(rows), len(speakers), dict(zip(counts, means, strict=True))))
    return scores


def _hardware() -> str:
    import torch

    return f"{processor()}, {torch.get_num_threads()} thread, torch {torch.__version__}"


def _table(result: Evaluation) -> str:
    counts = list(result.scores[0].stoi)
    width = max(len(score.group) for score in result.scores)
    lines = [f"{'STOI, held out':<{width}}  clips  speakers" + "".join(f"  {count:>3} cb" for count in counts)]
    for score in result.scores:
        stoi = "".join(f"  {score.stoi[count]:6.3f}" for count in counts)
        lines.append(f"{score.group:<{width}}  {score.clips:5}  {score.speakers:8}{stoi}")
    speed = f"encodes at {result.encode_speed:.0f}x real time, decodes at {result.decode_speed:.0f}x"
    return "\n".join([*lines, f"{speed} ({result.hardware})"])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Fits or measures the codec, as the command line asks."""
    import torch

    parser = argparse.ArgumentParser(
        "python -m pipeline.bench.embedded", description="Fits or measures the embedded codec."
    )
    parser.add_argument("voices", type=Path, metavar="VOICES", help="the folder that contains the groups of recordings")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the weights file to write, or to measure")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial vectors of each codebook")
    parser.add_argument(
        "--evaluate", action="store_true", help="measure the weights on held-out recordings instead of fitting them"
    )
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the order of sums, and with it the bytes of the file, depends on the number of threads
    if not options.evaluate:
        save(fit(options.voices, seed=options.seed), options.out)
        _say(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")
        return
    result = evaluate(options.voices, EmbeddedCodec.load(options.out))
    _say(json.dumps(asdict(result)) if options.json else _table(result))


if __name__ == "__main__":
    run_program(main)
