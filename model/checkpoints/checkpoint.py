"""Checkpoints: folders with everything needed to speak and to continue training; each is complete or absent.

<run>/checkpoints/step-00001000/
    model.safetensors   weights
    config.json         all sections of the configuration
    tokenizer.json      the vocabulary
    meta.json           step, codec identity, and the dataset's fingerprint, symbols, languages, lengths, lexicon
    trainer.pt          optimiser and place in the data (read with `weights_only`)

`model.checkpoints.saving` writes them. `valle export` writes one file with the weights, and the three JSON files in its
metadata, without `trainer.pt`.
"""

import json
import pickle
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from model.config import LoraConfig, TrainConfig
from model.network.decoder import Decoder
from model.network.lora import add_adapters, merge_adapters
from model.sequences.lengths import Lengths
from model.sequences.tokenizer import Tokenizer
from stages.errors import ArtefactError, MissingInputError
from stages.records import CodecIdentity

_STEP = re.compile(r"step-(\d{8,})")
FORMAT = 2
"""Version of the checkpoints' format, in meta.json."""
PARTS = ("config", "tokenizer", "meta")
"""The JSON files of a checkpoint."""
EXPORTED = "valle"
"""Where `valle export` puts `PARTS`: this key of a safetensors file's metadata, or a JSON file of this name."""
BEST = "best"
"""`<run>/best` names the checkpoint with the best validation loss."""
_UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True)
class Meta:
    """Description of a checkpoint."""

    step: int
    codec: CodecIdentity
    """The codec of the codes that it was trained on; needed to decode its codes."""
    dataset: str
    """Fingerprint of the training dataset."""
    symbols: tuple[str, ...]
    """Every symbol in that dataset's phonemes or, with `data.text: characters`, in its texts."""
    validation_loss: float | None = None
    """Mean loss on the validation set; None if it wasn't validated at this step."""
    loudness_lufs: float | None = None
    """Loudness of the training utterances, in LUFS; None if it wasn't changed."""
    languages: tuple[str, ...] = ()
    """Codes of the languages it was trained on, the most frequent first; () in older checkpoints."""
    lengths: Lengths | None = None
    """How long the training utterances are; None in older checkpoints."""
    lexicon: tuple[str, ...] = ()
    """The lines of the lexicon that the dataset was made with: language, word and phonemes, with tabs between them."""
    guidance: float | None = None
    """Scale of the guidance that is built in (`distill.guidance`); None for none."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What it was trained on (`model.data.figures`), and the values of its last validation, for its card."""
    characters: tuple[str, ...] = ()
    """Every character of that dataset's texts, if the model reads or writes them."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An open checkpoint, with its weights in `network`."""

    folder: Path
    """The checkpoint's folder, or the file that `valle export` wrote."""
    config: TrainConfig
    tokenizer: Tokenizer
    meta: Meta
    network: Decoder

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages it was trained on, the most frequent first; () if unknown (an older checkpoint)."""
        return self.meta.languages or tuple(self.config.data.languages or ())

    @property
    def lengths(self) -> Lengths:
        """How long the utterances are that it was trained on; assumed for an older checkpoint."""
        data = self.config.data
        rate = self.meta.codec.frame_rate
        return self.meta.lengths or Lengths.assumed(frame_rate=rate, min_s=data.min_s, max_s=data.max_s)


def build(config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity) -> Decoder:
    """Builds the network of a configuration with its adapters; its weights must still be drawn or loaded.

    What the configuration doesn't train is frozen.
    """
    network = Decoder(config.model, len(tokenizer), codec.num_codebooks, codec.codebook_size)
    if config.lora.rank:
        add_adapters(network, config.lora)
    if config.ahead.only:
        network.train_only_ahead()
    return network


def checkpoint_folder(run: Path, step: int) -> Path:
    """Returns the folder of a run's checkpoint at a step."""
    return run / "checkpoints" / f"step-{step:08d}"


def steps(run: Path) -> list[tuple[int, Path]]:
    """Returns the steps and folders of a run's checkpoints, oldest first."""
    folders = (run / "checkpoints").glob("step-*")
    return sorted((int(match[1]), path) for path in folders if (match := _STEP.fullmatch(path.name)))


def newest(run: Path) -> Path | None:
    """Returns the run's newest checkpoint; None if there is none."""
    found = steps(run)
    return found[-1][1] if found else None


def ranked(run: Path) -> list[tuple[float, Path]]:
    """Returns the validation losses and folders of a run's checkpoints that have one, best first."""
    losses = []
    for _, folder in steps(run):
        with suppress(ArtefactError):  # opening a damaged checkpoint reports the error
            losses.append((read_meta(folder).validation_loss, folder))
    return sorted((loss, folder) for loss, folder in losses if loss is not None)


def find(path: Path) -> Path:
    """Finds the checkpoint that a path names.

    Args:
        path: A checkpoint, a file of `valle export`, a run's folder (for its newest checkpoint), or `<run>/best` (for
            the one with the best validation loss).

    Raises:
        MissingInputError: if there is none.
    """
    if (path / f"{EXPORTED}.json").is_file():
        raise MissingInputError(
            f"`{path}` must be a checkpoint or a run's folder, but is a model for `transformers`."
            f" Convert it with `valle export {path} model.safetensors` and give that file."
        )
    if path.is_file() or (path / "model.safetensors").is_file():
        return path
    if path.name == BEST and not path.exists() and newest(path.parent):
        best = ranked(path.parent)
        if not best:
            raise MissingInputError(
                f"`{path}` must name a validated checkpoint, but none in `{path.parent}` was validated."
                f" Give `{path.parent}` for the newest."
            )
        return best[0][1]
    checkpoint = newest(path)
    if checkpoint is None:
        raise MissingInputError(
            f"`{path}` must be a checkpoint or a run's folder, but holds neither."
            f" Make one with `valle train CONFIG --set trainer.out={path}`."
        )
    return checkpoint


def read_part(source: Path, part: str) -> str:
    """Reads the JSON text of one of `PARTS` from a checkpoint or from a file of `valle export`."""
    if not source.is_file():
        return (source / f"{part}.json").read_text(encoding="utf-8")
    if source.suffix == ".json":
        together = source.read_text(encoding="utf-8")
    else:
        with safe_open(source, "pt") as file:
            together = (file.metadata() or {}).get(EXPORTED, "")
        if not together:
            raise ValueError("`valle export` didn't write it")
    return json.dumps(json.loads(together)[part])


def read_config(source: Path) -> TrainConfig:
    """Reads a checkpoint's configuration; raises `ArtefactError` if it is damaged or not of this version."""
    try:
        return TrainConfig.model_validate_json(read_part(source, "config"))
    except _UNREADABLE as error:
        raise _damaged(source, "config.json", "a configuration of this version", error) from error


def read_tokenizer(source: Path) -> Tokenizer:
    """Reads a checkpoint's vocabulary; raises `ArtefactError` if it is damaged."""
    shape = read_config(source).model
    if not source.is_file():
        tokenizer = Tokenizer.load(source / "tokenizer.json")
    else:
        try:
            tokenizer = Tokenizer.from_json(json.loads(read_part(source, "tokenizer")))
        except _UNREADABLE as error:
            raise _damaged(source, "tokenizer.json", "a vocabulary", error) from error
    return tokenizer.spaced(shape.even_spacing, names_said=shape.names_said)


def read_meta(source: Path) -> Meta:
    """Reads a checkpoint's description; raises `ArtefactError` if it is damaged or of another format."""
    try:
        about = json.loads(read_part(source, "meta"))
        codec = CodecIdentity.from_json(about["codec"])
        symbols, loss = tuple(about["symbols"]), about.get("validation_loss")
        languages, lengths = tuple(about.get("languages", ())), Lengths.from_json(about.get("lengths"))
        loudness = about.get("loudness_lufs")
        lexicon, characters = tuple(about.get("lexicon", ())), tuple(about.get("characters", ()))
        read = about["step"], codec, about["dataset"], symbols, loss, loudness, languages, lengths, lexicon
        meta = Meta(*read, about.get("guidance"), about.get("figures", {}), characters)
        version = about["format"]
    except _UNREADABLE as error:
        raise _damaged(source, "meta.json", "a checkpoint's description", error) from error
    if version != FORMAT:
        raise ArtefactError(
            f"`{source}` must have format {FORMAT}, but has format {version}. Use the version of `valle` that wrote it."
        )
    return meta


def load(path: Path, device: str = "cpu") -> Checkpoint:
    """Opens the checkpoint that `find` finds, and merges its adapters into the network.

    Raises:
        MissingInputError: if there is none.
        ArtefactError: if a part is damaged or doesn't fit the others; the message names it.
    """
    source = find(path)
    config, meta, tokenizer = read_config(source), read_meta(source), read_tokenizer(source)
    network = build(config, tokenizer, meta.codec)
    load_weights(network, source)
    if config.lora.rank:
        merge_adapters(network)
        config = config.model_copy(update={"lora": LoraConfig()})
    return Checkpoint(source, config, tokenizer, meta, network.to(device))


def load_weights(network: Decoder, source: Path) -> None:
    """Loads a checkpoint's weights into a network; raises `ArtefactError` naming the first that doesn't fit."""
    weights = read_weights(source)
    check_weights(network, weights, source)
    network.load_state_dict(weights)


def read_weights(source: Path, name: str = "model.safetensors") -> dict[str, Tensor]:
    """Reads the tensors of a file, or of `name` in a folder; raises `ArtefactError` if they are damaged."""
    try:
        return load_file(source if source.is_file() else source / name)
    except (OSError, SafetensorError) as error:
        raise _damaged(source, name, "the weights", error) from error


def check_weights(network: Decoder, weights: dict[str, Tensor], source: Path) -> None:
    """Checks that weights fit a network; raises `ArtefactError` naming the first that doesn't."""
    wanted = network.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        here = tuple(wanted[name].shape) if name in wanted else "absent"
        there = tuple(weights[name].shape) if name in weights else "absent"
        if here != there:
            raise ArtefactError(
                f"`{source}` must hold weights that fit its configuration, but `{name}` is {there} instead of {here}."
                " Take the weights and config.json from the same checkpoint."
            )


def load_trainer_state(folder: Path) -> dict[str, Any]:
    """Reads the trainer's state (`trainer.pt`); raises `ArtefactError` if it is damaged."""
    try:
        state: dict[str, Any] = torch.load(folder / "trainer.pt", map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise _damaged(folder, "trainer.pt", "the trainer's state", error) from error
    return state


def _damaged(source: Path, name: str, what: str, error: Exception) -> ArtefactError:
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    path, advice = source / name, f"Remove `{source}` to use the checkpoint before it"
    if source.is_file():
        path, advice = source, "Make it again with `valle export`"
    return ArtefactError(f"`{path}` must hold {what}, but can't be read as that: {reason}. {advice}.")
