"""Previews: validation utterances spoken by the network during training, heard by a judge, and drawn.

<run>/samples/step-00001000/
    00.wav             the network's speech
    00.reference.wav   the recording after the codec
    00.txt             id, language and phonemes, a line each; with `trainer.judge` also text and what was heard
    00.attention.png   which phoneme each frame attends to, in the head that follows the text best
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.data.examples import Examples
from model.data.lengths import lengths_of
from model.data.reading import read_condition, read_document, read_response
from model.decoding.codes import generate
from model.decoding.options import FIRST_MODES, Decoding
from model.network.decoder import Decoder
from model.network.lora import merge_adapters
from model.sequences.documents import Condition, Mode
from model.sequences.lengths import Lengths
from model.training.alignment import attention_to_text, draw_attention, followed
from model.training.listening import Heard, Listener, error_rate
from model.training.run.failures import is_out_of_memory
from model.training.run.progress import RunLog
from stages.audio.files import write_wav
from stages.errors import UsageError, ValleError
from stages.records import Codes, Wave

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
        judged: Whether to load `trainer.judge`; the other devices of a run don't speak.
        guidance: Scale of the guidance that is built in; None for none.

    Raises:
        WeightsError: if the judge isn't there, or doesn't know a sample's language.
    """

    def __init__(
        self,
        config: TrainConfig,
        examples: Examples,
        device: torch.device,
        *,
        judged: bool = True,
        guidance: float | None = None,
    ) -> None:
        self.config, self.examples, self.device, self._guidance = config, examples, device, guidance
        rows = np.random.default_rng(_SEED).permutation(examples.rows)[: config.trainer.samples]
        self._draws = [examples.draw(int(row), np.random.default_rng((_SEED, row)), ("ar", 0)) for row in rows]
        ways = [Decoding(mode) for mode in FIRST_MODES]
        self._decoding = next((way for way in ways if not self._missing(way)), ways[0])
        self._codec: Codec | None = None
        self._unavailable = False
        self._listener: Listener | None = None
        self._texts: dict[int, str] = {}
        self._references: list[Heard] = []
        if config.trainer.judge and judged and self._draws:
            languages = {examples.store.languages[draw.row] for draw in self._draws}
            self._listener = Listener(config.trainer.judge, str(device), languages)
            drawn = {draw.row for draw in self._draws}
            self._texts = {row: text for row, text in enumerate(examples.store.texts()) if row in drawn}

    def speak(self, weights: Mapping[str, Tensor], step: int, log: RunLog) -> dict[str, float]:
        """Writes `<run>/samples/step-…/` and TensorBoard's audio and pictures.

        It speaks in the first way that the network learns all modes of (`model.decoding.options.FIRST_MODES`), and
        draws the attention of the mode `ar`. If there is none or the codec isn't available, a note says so once and
        nothing is written. A full disk or memory only causes a note.

        Args:
            weights: The network's weights, not sharded.
            step: The run's step.
            log: The log for notes, audio and pictures.

        Returns:
            `validation/alignment`, how well the samples' best heads follow the text (`followed`), and with a judge
            `validation/wer` and `validation/wer_codec`: word error rates of the samples and of the recordings after the
            codec. What couldn't be measured is left out.
        """
        codec = self._find_codec(log)
        if codec is None:
            return {}
        try:
            network = self._network(weights)
            values = self._speak(network, codec, step, log)
            return self._draw(network, step, log) | values
        except (OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, OSError) and not is_out_of_memory(error):
                raise
            log.say(f"note: some samples of step {step} couldn't be written: {str(error).partition(chr(10))[0]}")
            return {}

    def _network(self, weights: Mapping[str, Tensor]) -> Decoder:
        network = build(self.config, self.examples.tokenizer, self.examples.store.codec)
        network.load_state_dict(weights)
        if self.config.lora.rank:
            merge_adapters(network)
        return network.to(self.device).eval()

    def _folder(self, step: int) -> Path:
        return Path(self.config.trainer.out) / "samples" / f"step-{step:08d}"

    def _speak(self, network: Decoder, codec: "Codec", step: int, log: RunLog) -> dict[str, float]:
        from stages.codecs.table import output_rate

        examples, folder, rate = self.examples, self._folder(step), output_rate(codec)
        # As at synthesis, nobody knows when a symbol is said.
        conditions = [replace(read_condition(examples, draw), times=None) for draw in self._draws]
        longest = 2 * max(draw.frames for draw in self._draws)  # early in training, the network doesn't stop by itself
        seeds = range(_SEED, _SEED + len(conditions))
        decoding = self._decoding.settled(self.config.data, Path(self.config.trainer.out), self._guidance)
        usual = [self._usual(condition) for condition in conditions]
        spoken = generate(
            network,
            examples.tokenizer,
            conditions,
            max_frames=longest,
            decoding=decoding,
            seeds=seeds,
            usual_frames=usual,
        )
        found: list[Heard] = []
        for number, (draw, condition, spoken_KT) in enumerate(zip(self._draws, conditions, spoken, strict=True)):
            codes = {f"{number:02d}": spoken_KT, f"{number:02d}.reference": read_response(examples, draw)}
            waves = {name: self._decoded(codec, codes_KT) for name, codes_KT in codes.items()}
            for name, wave in waves.items():
                write_wav(folder / f"{name}.wav", wave, rate)
                log.audio(f"samples/{name}", wave, rate, step)
            about = [examples.store.ids[draw.row], condition.language, condition.phonemes]
            if self._listener:
                text = self._texts[draw.row]
                heard = [self._listener.hear(one, rate, text, condition.language) for one in waves.values()]
                found.append(heard[0])
                self._references += heard[1:] if len(self._references) < len(self._draws) else []
                about += [text, f"heard: {heard[0].text}"]
            (folder / f"{number:02d}.txt").write_text("\n".join(about) + "\n", encoding="utf-8")
        rates = {"validation/wer": error_rate(found), "validation/wer_codec": error_rate(self._references)}
        return {name: rate for name, rate in rates.items() if rate is not None}

    def _draw(self, network: Decoder, step: int, log: RunLog) -> dict[str, float]:
        """Draws the attention of the samples' recordings, read as in the mode `ar`; RetNet has no weights to draw."""
        examples = self.examples
        if self.config.model.arch != "llama" or not self.config.data.modes.get("ar"):
            return {}
        best = []
        for number, draw in enumerate(self._draws):
            if not draw.phonemes:
                continue
            document = read_document(examples, draw)
            weights_HMS = attention_to_text(network, examples.tokenizer, document, draw.phonemes)
            follow_H = followed(weights_HMS)
            head = int(follow_H.argmax())
            best.append(float(follow_H[head]))
            layer, place = divmod(head, self.config.model.heads)
            title = f"{examples.store.ids[draw.row]}, step {step}: layer {layer}, head {place}, follows {best[-1]:.3f}"
            path = self._folder(step) / f"{number:02d}.attention.png"
            log.picture(f"attention/{number:02d}", draw_attention(weights_HMS[head], draw.phonemes, title, path), step)
        return {"validation/alignment": float(np.mean(best))} if best else {}

    def _usual(self, condition: Condition) -> tuple[int, int, int] | None:
        """Returns the frames that a response usually takes, if its text is all that it says."""
        if condition.task != "tts" or not condition.phonemes:
            return None
        return self._lengths.usual_frames(self.examples.tokenizer, condition.phonemes)

    @cached_property
    def _lengths(self) -> Lengths:
        return lengths_of(self.examples)

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

    @staticmethod
    def _decoded(codec: "Codec", codes_KT: Codes) -> Wave:
        wave: Wave = codec.decode(torch.from_numpy(codes_KT.copy())).numpy()
        return wave

    def _load(self) -> "Codec":
        from stages.codecs.table import identity_of, load_codec

        if missing := self._missing(self._decoding):
            raise UsageError(f"the mode `{missing[0]}` has no weight in `data.modes`.")
        if not self._draws:
            raise UsageError("there are no validation utterances; raise `data.validation`.")
        identity = self.examples.store.codec
        rate, codebooks = identity.sample_rate, identity.num_codebooks
        codec = load_codec(identity.name, None, str(self.device), sample_rate=rate, codebooks=codebooks)
        identity_of(codec).require(identity, self.config.data.store)
        return codec
