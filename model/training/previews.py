"""What a run sounds like so far: utterances of the validation set, spoken by the network as it is."""

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
from model.decoding.options import Decoding
from model.network.lora import merge_adapters
from model.training.run.failures import is_out_of_memory
from model.training.run.progress import RunLog
from stages.audio.files import write_wav
from stages.errors import UsageError, ValleError

if TYPE_CHECKING:
    from stages.codecs.table import Codec

_SEED = 1234
"""Of utterances, prompts and draws: the same in every run and at every step, so that they can be compared."""


class Previews:
    """Speaks a few validation utterances, each with the prompt that it always has.

    Args:
        config: All sections; `trainer.samples` utterances are spoken.
        examples: The validation set.
        device: Where to speak.
    """

    def __init__(self, config: TrainConfig, examples: Examples, device: torch.device) -> None:
        self.config, self.examples, self.device = config, examples, device
        rows = np.random.default_rng(_SEED).permutation(examples.rows)[: config.trainer.samples]
        self._draws = [examples.draw(int(row), np.random.default_rng((_SEED, row)), ("ar", 0)) for row in rows]
        self._codec: Codec | None = None
        self._told = False

    def speak(self, weights: Mapping[str, Tensor], step: int, log: RunLog) -> None:
        """Writes `<run>/samples/step-…/` and TensorBoard's audio.

        For each utterance `NN.wav` is what the network says, `NN.reference.wav` what the codec makes of the recording
        and `NN.txt` what was to be said: id, language, phonemes. Where the codec can't be had, or the network doesn't
        learn the modes `ar` and `nar`, that is said once, and there is nothing to hear. A full disk or memory is said,
        too, and ends nothing.

        Args:
            weights: Of the network, whole.
            step: How far the run is.
            log: Where to.
        """
        codec = self._at_hand(log)
        if codec is None:
            return
        try:
            self._speak(codec, weights, step, log)
        except (OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, OSError) and not is_out_of_memory(error):
                raise
            log.say(f"note: not all samples of step {step} are written: {str(error).partition(chr(10))[0]}")

    def _speak(self, codec: "Codec", weights: Mapping[str, Tensor], step: int, log: RunLog) -> None:
        examples = self.examples
        network = build(self.config, examples.tokenizer, examples.store.codec)
        network.load_state_dict(weights)
        if self.config.lora.rank:
            merge_adapters(network)
        network.to(self.device).eval()
        folder = Path(self.config.trainer.out) / "samples" / f"step-{step:08d}"
        conditions = [read_condition(examples, draw) for draw in self._draws]
        longest = 2 * max(draw.frames for draw in self._draws)  # a young network doesn't know when to stop
        generator = torch.Generator(self.device).manual_seed(_SEED)
        spoken = generate(network, examples.tokenizer, conditions, max_frames=longest, generator=generator)
        for number, (draw, condition, spoken_KT) in enumerate(zip(self._draws, conditions, spoken, strict=True)):
            codes = {f"{number:02d}": spoken_KT, f"{number:02d}.reference": read_response(examples, draw)}
            for name, codes_KT in codes.items():
                wave = codec.decode(torch.from_numpy(codes_KT.copy())).numpy()
                write_wav(folder / f"{name}.wav", wave, codec.sample_rate)
                log.audio(f"samples/{name}", wave, codec.sample_rate, step)
            about = (examples.store.ids[draw.row], condition.language, condition.phonemes)
            (folder / f"{number:02d}.txt").write_text("\n".join(about) + "\n", encoding="utf-8")

    def _at_hand(self, log: RunLog) -> "Codec | None":
        """Returns the codec; None where there is nothing to hear, which is said the first time."""
        if self._codec is None and not self._told:
            try:
                self._codec = self._load()
            except ValleError as error:
                log.say(f"note: `trainer.samples` are left out: {error}")
                self._told = True
        return self._codec

    def _load(self) -> "Codec":
        from stages.codecs.table import identity_of, load_codec

        needed = Decoding().modes(self.examples.store.codec.num_codebooks)
        if missing := [mode for mode in needed if not self.config.data.modes.get(mode)]:
            raise UsageError(f"the mode `{missing[0]}` has no weight in `data.modes`.")
        if not self._draws:
            raise UsageError("no utterance is kept for validation (`data.validation`).")
        identity = self.examples.store.codec
        codec = load_codec(identity.name, None, str(self.device), sample_rate=identity.sample_rate)
        identity_of(codec).require(identity, self.config.data.store)
        return codec
