"""`valle bench serve`: eight clients of a real server beside one."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from model.bench.basis.random_data import SEED
from model.bench.basis.rates import Values
from model.checkpoints.checkpoint import Checkpoint, Meta, build
from model.config import TrainConfig
from model.decoding.engine import Quantization
from model.decoding.engine.step import Step
from model.device import hardware, inference_dtype, resolve_device
from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from model.sequences.tokenizer import Tokenizer
from model.serving.client import ask_speech
from model.serving.server import check_packages, in_thread
from model.serving.settings import Settings
from stages.audio.files import write_wav
from stages.codecs.table import codec_identity, load_codec
from stages.errors import TrainingError

CLIENTS = 8
LENGTHS_S = 3.0, 8.0
"""Shortest and longest sentence, in seconds."""
_BYTES_PER_S = 24_000 * 2
_TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why it does."


def serving(config: TrainConfig, *, seconds: float) -> Values:
    """Measures the audio that a server makes for eight clients at once, and for one; each asks again when answered.

    The network is untaught, so sentences of 3 to 8 s are made by their `max_s`. Requests go over loopback, by HTTP. On
    a CPU that can, the weights are 8-bit. Both sides ask for the same sentences, so their answers are compared.

    Returns:
        Seconds of audio per second on each side, their ratio, the longest time to an answer, and how many answers of
        the clients together are byte for byte those of the one alone.
    """
    check_packages()
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    with TemporaryDirectory() as folder:
        synthesizer = _untaught(config, where, Path(folder))
        time_s = np.arange(48_000) / 16_000
        tone = (0.3 * np.sin(2 * np.pi * 200 * time_s)).astype(np.float32)
        write_wav(Path(folder) / "voices" / "tone.wav", tone, 16_000)
        settings = Settings("bench", voices=Path(folder) / "voices", port=0)
        with Service(synthesizer, capacity=settings.queue) as service, in_thread(service, settings) as url:
            _ask(url, 0)
            loads: dict[int, list[_Load]] = {1: [], CLIENTS: []}
            for clients in (1, CLIENTS, CLIENTS, 1):  # in turns: a busy machine slows both alike
                loads[clients].append(_run(url, clients, seconds / 2))
    one, many = (_together(loads[clients]) for clients in (1, CLIENTS))
    return {
        "hardware": hardware(where),
        "parameters": synthesizer.checkpoint.network.num_parameters(),
        "clients": CLIENTS,
        "requests": one.requests + many.requests,
        "one_client_audio_s_per_s": round(one.audio_s / one.taken_s, 3),
        "clients_audio_s_per_s": round(many.audio_s / many.taken_s, 3),
        "ratio": round(many.audio_s / many.taken_s / (one.audio_s / one.taken_s), 2),
        "one_client_longest_s": round(one.longest_s, 2),
        "clients_longest_s": round(many.longest_s, 2),
        "compared": len(shared := one.answers.keys() & many.answers.keys()),
        "equal": sum(one.answers[number] == many.answers[number] for number in shared),
    }


def _untaught(config: TrainConfig, where: torch.device, folder: Path) -> Synthesizer:
    """Returns a network of random weights, as if it had been trained in the modes `ar` and `nar`."""
    data = config.data.model_copy(update={"modes": {"ar": 1.0, "nar": 1.0}, "max_s": max(LENGTHS_S)})
    config = config.model_copy(update={"data": data})
    codec = codec_identity("embedded")
    tokenizer = Tokenizer.default(codec.num_codebooks)
    network = build(config, tokenizer, codec)
    network.initialise(torch.Generator().manual_seed(SEED))
    meta = Meta(0, codec, "random", (), None)
    checkpoint = Checkpoint(folder, config, tokenizer, meta, network.to(where, inference_dtype(where)))
    quantize: Quantization = "int8" if Step.fits(network) else "none"
    return Synthesizer(checkpoint, load_codec("embedded", None, str(where)), quantize=quantize)


@dataclass(frozen=True, slots=True)
class _Load:
    """What clients got."""

    requests: int
    audio_s: float
    taken_s: float
    longest_s: float
    """The longest time to an answer."""
    answers: Mapping[int, str]
    """The digest of the answer to each request."""


def _run(url: str, clients: int, seconds: float) -> _Load:
    """Has clients ask, each as soon as it is answered, until so many seconds are over."""
    numbers, started = count(), time.perf_counter()

    def client(_: int) -> list[_Answer]:
        answers: list[_Answer] = []
        while not answers or time.perf_counter() - started < seconds:
            answers.append(_ask(url, next(numbers)))
        return answers

    with ThreadPoolExecutor(clients) as pool:
        answers = [answer for part in pool.map(client, range(clients)) for answer in part]
    taken_s = time.perf_counter() - started
    audio_s, longest_s = sum(one.audio_s for one in answers), max(one.taken_s for one in answers)
    return _Load(len(answers), audio_s, taken_s, longest_s, {one.number: one.digest for one in answers})


def _together(loads: Sequence[_Load]) -> _Load:
    return _Load(
        sum(load.requests for load in loads),
        sum(load.audio_s for load in loads),
        sum(load.taken_s for load in loads),
        max(load.longest_s for load in loads),
        {number: digest for load in loads for number, digest in load.answers.items()},
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer to a request."""

    number: int
    audio_s: float
    taken_s: float
    digest: str


def _ask(url: str, number: int) -> _Answer:
    """Asks for a sentence."""
    started = time.perf_counter()
    max_s = float(np.random.default_rng(number).uniform(*LENGTHS_S))
    fields = {"model": "bench", "input": _TEXT, "voice": "tone", "language": "en", "response_format": "pcm"}
    status, audio = ask_speech(url, {**fields, "seed": number, "max_s": max_s, "temperature": 0})
    if status != 200:
        raise TrainingError(f"The server refused a request of the bench: {audio.decode()}")
    digest = hashlib.sha256(audio).hexdigest()
    return _Answer(number, len(audio) / _BYTES_PER_S, time.perf_counter() - started, digest)
