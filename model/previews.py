"""What a run sounds like so far: utterances of the validation set, spoken by the network as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from model.checkpoint import build
from model.config import TrainConfig
from model.dataset import Examples
from model.generate import generate
from model.lora import merge_adapters
from model.progress import RunLog
from stages.audio import write_wav
from stages.errors import ValleError

if TYPE_CHECKING:
    from stages.codecs import Codec

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
        self._cant = False

    def speak(self, weights: Mapping[str, Tensor], step: int, log: RunLog) -> None:
        """Writes `<run>/samples/step-…/` and TensorBoard's audio.

        For each utterance `NN.wav` is what the network says, `NN.reference.wav` what the codec makes of the recording
        and `NN.txt` what was to be said: id, language, phonemes. Where the codec can't be had, or the network doesn't
        learn the mode `ar`, that is said once, and there is nothing to hear.

        Args:
            weights: Of the network, whole.
            step: How far the run is.
            log: Where to.
        """
        codec = self._load(log)
        if codec is None:
            return
        network = build(self.config, self.examples.tokenizer, self.examples.store.codec)
        network.load_state_dict(weights)
        if self.config.lora.rank:
            merge_adapters(network)
        network.to(self.device).eval()
        folder = Path(self.config.trainer.out) / "samples" / f"step-{step:08d}"
        for number, draw in enumerate(self._draws):
            generator = torch.Generator(self.device).manual_seed(_SEED)
            reference_KT, condition = self.examples.response(draw), self.examples.condition(draw)
            (spoken_KT,) = generate(
                network, self.examples.tokenizer, [condition], max_frames=2 * draw.frames, generator=generator
            )
            for name, codes_KT in ((f"{number:02d}", spoken_KT), (f"{number:02d}.reference", reference_KT)):
                wave = codec.decode(torch.from_numpy(codes_KT)).numpy()
                write_wav(folder / f"{name}.wav", wave, codec.sample_rate)
                log.audio(f"samples/{name}", wave, codec.sample_rate, step)
            about = (self.examples.store.ids[draw.row], condition.language, condition.phonemes)
            (folder / f"{number:02d}.txt").write_text("\n".join(about) + "\n", encoding="utf-8")

    def _load(self, log: RunLog) -> "Codec | None":
        from stages.codecs import identity_of, load_codec

        if self._codec or self._cant:
            return self._codec
        identity = self.examples.store.codec
        try:
            if not self.config.data.modes.get("ar"):
                raise ValleError("the mode `ar` has no weight in `data.modes`")  # noqa: TRY301 (said like the others)
            if not self._draws:
                raise ValleError("no utterance is kept for validation (`data.validation`)")  # noqa: TRY301
            codec = load_codec(identity.name, None, str(self.device), sample_rate=identity.sample_rate)
            identity_of(codec).require(identity, self.config.data.store)
        except ValleError as error:
            log.say(f"note: `trainer.samples` are left out: {error}")
            self._cant = True
            return None
        self._codec = codec
        return codec
