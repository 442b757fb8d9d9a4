"""Previews: validation utterances spoken by the network during training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.data.examples import Examples
from model.data.reading import read_condition, read_response
from model.decoding.codes import generate
from model.decoding.options import FIRST_MODES, Decoding
from model.network.lora import merge_adapters
from model.sequences.documents import Mode
from model.training.run.failures import is_out_of_memory
from model.training.run.progress import RunLog
from stages.audio.files import write_wav
from stages.errors import UsageError, ValleError

if TYPE_CHECKING:
    from stages.codecs.table import Codec

_SEED = 1234
"""Seed of utterances, prompts and sampling. It is fixed, so that steps and runs can be compared."""


class Previews:
    """Speaks a few validation utterances, each always with the same prompt.

    Args:
        config: All sections; `trainer.samples` is the number of utterances.
        examples: The validation set.
        device: Device for decoding.
    """

    def __init__(self, config: TrainConfig, examples: Examples, device: torch.device) -> None:
        self.config, self.examples, self.device = config, examples, device
        rows = np.random.default_rng(_SEED).permutation(examples.rows)[: config.trainer.samples]
        self._draws = [examples.draw(int(row), np.random.default_rng((_SEED, row)), ("ar", 0)) for row in rows]
        ways = [Decoding(mode) for mode in FIRST_MODES]
        self._decoding = next((way for way in ways if not self._missing(way)), ways[0])
        self._codec: Codec | None = None
        self._unavailable = False

    def speak(self, weights: Mapping[str, Tensor], step: int, log: RunLog) -> None:
        """Writes `<run>/samples/step-…/` and TensorBoard's audio.

        For each utterance, `NN.wav` is the network's speech, `NN.reference.wav` the recording after the codec, and
        `NN.txt` the id, the language and the phonemes. It speaks in the first way that the network learns all modes of
        (`model.decoding.options.FIRST_MODES`). If there is none or the codec isn't available, a note says so once and
        nothing is written. A full disk or memory only causes a note.

        Args:
            weights: The network's weights, not sharded.
            step: The run's step.
            log: The log for notes and audio.
        """
        codec = self._find_codec(log)
        if codec is None:
            return
        try:
            self._speak(codec, weights, step, log)
        except (OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, OSError) and not is_out_of_memory(error):
                raise
            log.say(f"note: some samples of step {step} couldn't be written: {str(error).partition(chr(10))[0]}")

    def _speak(self, codec: "Codec", weights: Mapping[str, Tensor], step: int, log: RunLog) -> None:
        examples = self.examples
        network = build(self.config, examples.tokenizer, examples.store.codec)
        network.load_state_dict(weights)
        if self.config.lora.rank:
            merge_adapters(network)
        network.to(self.device).eval()
        folder = Path(self.config.trainer.out) / "samples" / f"step-{step:08d}"
        conditions = [read_condition(examples, draw) for draw in self._draws]
        longest = 2 * max(draw.frames for draw in self._draws)  # early in training, the network doesn't stop by itself
        seeds = range(_SEED, _SEED + len(conditions))
        decoding = self._decoding.settled(self.config.data, Path(self.config.trainer.out))
        spoken = generate(network, examples.tokenizer, conditions, max_frames=longest, decoding=decoding, seeds=seeds)
        for number, (draw, condition, spoken_KT) in enumerate(zip(self._draws, conditions, spoken, strict=True)):
            codes = {f"{number:02d}": spoken_KT, f"{number:02d}.reference": read_response(examples, draw)}
            for name, codes_KT in codes.items():
                wave = codec.decode(torch.from_numpy(codes_KT.copy())).numpy()
                write_wav(folder / f"{name}.wav", wave, codec.sample_rate)
                log.audio(f"samples/{name}", wave, codec.sample_rate, step)
            about = (examples.store.ids[draw.row], condition.language, condition.phonemes)
            (folder / f"{number:02d}.txt").write_text("\n".join(about) + "\n", encoding="utf-8")

    def _missing(self, decoding: Decoding) -> list[Mode]:
        """Returns the modes that a way to speak needs, but the network doesn't learn."""
        needed = decoding.modes(self.examples.store.codec.num_codebooks)
        return [mode for mode in needed if not self.config.data.modes.get(mode)]

    def _find_codec(self, log: RunLog) -> "Codec | None":
        """Returns the codec; None if no previews are possible, with a note the first time."""
        if self._codec is None and not self._unavailable:
            try:
                self._codec = self._load()
            except ValleError as error:
                log.say(f"note: `trainer.samples` is skipped: {error}")
                self._unavailable = True
        return self._codec

    def _load(self) -> "Codec":
        from stages.codecs.table import identity_of, load_codec

        if missing := self._missing(self._decoding):
            raise UsageError(f"the mode `{missing[0]}` has no weight in `data.modes`.")
        if not self._draws:
            raise UsageError("there are no validation utterances; raise `data.validation`.")
        identity = self.examples.store.codec
        codec = load_codec(identity.name, None, str(self.device), sample_rate=identity.sample_rate)
        identity_of(codec).require(identity, self.config.data.store)
        return codec
