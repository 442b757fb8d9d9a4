"""Checkpoints: everything needed to speak and to train on, in a folder that appears whole or not at all.

<run>/checkpoints/step-00001000/
    model.safetensors   weights
    config.json         all sections of the configuration
    tokenizer.json      the vocabulary
    meta.json           step, codec identity, dataset fingerprint and symbols
    trainer.pt          optimiser, place in the data, generators (read with `weights_only`)
"""

import json
import os
import pickle
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model.config import TrainConfig
from model.network import Decoder
from model.tokenizer import Tokenizer
from stages.errors import ArtefactError, MissingInputError
from stages.records import CodecIdentity

_STEP = re.compile(r"step-(\d{8,})")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Meta:
    """What a checkpoint is, beside its weights."""

    step: int
    codec: CodecIdentity
    """What made the codes it learnt, and must turn its codes into sound."""
    dataset: str
    """Fingerprint of the dataset it learnt from."""
    symbols: tuple[str, ...]
    """Every symbol of that dataset's phonemes."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint, opened; the weights are in `network`."""

    folder: Path
    config: TrainConfig
    tokenizer: Tokenizer
    meta: Meta
    network: Decoder


def build(config: TrainConfig, tokenizer: Tokenizer, codec: CodecIdentity) -> Decoder:
    """Returns the network of a configuration, its weights not yet drawn or loaded."""
    return Decoder(config.model, len(tokenizer), codec.num_codebooks, codec.codebook_size)


def save(
    run: Path,
    network: Decoder,
    trainer_state: dict[str, Any],
    *,
    config: TrainConfig,
    tokenizer: Tokenizer,
    meta: Meta,
    keep: int,
) -> Path:
    """Writes a checkpoint, then removes all but the newest `keep`.

    Args:
        run: The run's folder.
        network: The weights.
        trainer_state: Tensors and plain values in dictionaries and lists.
        config: All sections.
        tokenizer: The vocabulary.
        meta: What the checkpoint is.
        keep: How many to keep.

    Returns:
        The checkpoint's folder.
    """
    parent = run / "checkpoints"
    parent.mkdir(parents=True, exist_ok=True)
    final = parent / f"step-{meta.step:08d}"
    for unfinished in parent.glob(".step-*"):
        shutil.rmtree(unfinished)
    temporary = parent / f".{final.name}"
    temporary.mkdir()
    weights = {name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()}
    save_file(weights, temporary / "model.safetensors", {"format": "pt"})
    torch.save(trainer_state, temporary / "trainer.pt")
    (temporary / "config.json").write_text(config.model_dump_json(indent=1), encoding="utf-8")
    tokenizer.save(temporary / "tokenizer.json")
    about = {"format": FORMAT, **asdict(meta), "codec": meta.codec.to_json()}
    (temporary / "meta.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    for path in [*temporary.iterdir(), temporary]:
        _sync(path)
    temporary.rename(final)
    _sync(parent)
    for _, old in _steps(run)[:-keep]:
        shutil.rmtree(old)
    return final


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _steps(run: Path) -> list[tuple[int, Path]]:
    """Returns the run's checkpoints, oldest first."""
    folders = (run / "checkpoints").glob("step-*")
    return sorted((int(match[1]), path) for path in folders if (match := _STEP.fullmatch(path.name)))


def newest(run: Path) -> Path | None:
    """Returns the run's newest checkpoint, None where there is none."""
    steps = _steps(run)
    return steps[-1][1] if steps else None


def find(path: Path) -> Path:
    """Returns the checkpoint that `path` names: itself, or the newest of a run.

    Raises:
        MissingInputError: if there is none.
    """
    if (path / "model.safetensors").is_file():
        return path
    found = newest(path)
    if found is None:
        raise MissingInputError(
            f"`{path}` must be a checkpoint or a run's folder, but holds neither."
            f" Make one with `valle train CONFIG --set trainer.out={path}`."
        )
    return found


def read_config(folder: Path) -> TrainConfig:
    """Reads a checkpoint's configuration; raises `ArtefactError` if it doesn't fit this version."""
    path = folder / "config.json"
    try:
        return TrainConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise _damaged(path, "a configuration of this version", error) from error


def read_meta(folder: Path) -> Meta:
    """Reads what a checkpoint is; raises `ArtefactError` if it is damaged or of another format."""
    path = folder / "meta.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        codec = CodecIdentity.from_json(about["codec"])
        meta = Meta(about["step"], codec, about["dataset"], tuple(about["symbols"]))
        found = about["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "a checkpoint's description", error) from error
    if found != FORMAT:
        raise ArtefactError(f"`{path}` must be of format {FORMAT}, but is {found}. Use the version that wrote it.")
    return meta


def load(path: Path, device: str = "cpu") -> Checkpoint:
    """Opens a checkpoint, or the newest of a run.

    Raises:
        MissingInputError: if there is none.
        ArtefactError: if a part is damaged or doesn't fit the others; says which.
    """
    folder = find(path)
    config, meta = read_config(folder), read_meta(folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    network = build(config, tokenizer, meta.codec)
    load_weights(network, folder)
    return Checkpoint(folder, config, tokenizer, meta, network.to(device))


def load_weights(network: Decoder, folder: Path) -> None:
    """Reads a checkpoint's weights into a network; raises `ArtefactError` naming the first that doesn't fit."""
    path = folder / "model.safetensors"
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _damaged(path, "the weights", error) from error
    wanted = network.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        here = tuple(wanted[name].shape) if name in wanted else "absent"
        there = tuple(weights[name].shape) if name in weights else "absent"
        if here != there:
            raise ArtefactError(
                f"`{path}` must fit the configuration beside it, but `{name}` is {there} instead of {here}."
                " Take the weights and config.json from the same checkpoint."
            )
    network.load_state_dict(weights)


def load_trainer_state(folder: Path) -> dict[str, Any]:
    """Reads what a trainer needs to go on; raises `ArtefactError` if it is damaged."""
    path = folder / "trainer.pt"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise _damaged(path, "the trainer's state", error) from error
    return state


def _damaged(path: Path, what: str, error: Exception) -> ArtefactError:
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    return ArtefactError(
        f"`{path}` must hold {what}, but can't be read as that: {reason}."
        f" Remove `{path.parent}` to use the checkpoint before it."
    )
