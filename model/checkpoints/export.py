"""Exports a model to one file, or for `transformers`, llama.cpp or onnxruntime; and converts the first two back.

`model.checkpoints.gguf` writes GGUF for llama.cpp, `model.checkpoints.onnx` ONNX for onnxruntime.
All have the weights and the JSON of a checkpoint (`model.checkpoints.checkpoint.PARTS`), but no trainer state. Adapters
(`lora`) are merged first.

One file (`safetensors`) works wherever a model is expected (`valle synth --model model.safetensors`). Its tensors have
the network's names; the JSON is in its metadata under the key `valle`. The embedding tables are:

    token_embedding.weight  [tokens, D]           one row per token, in the order of the vocabulary
    code_embedding.weight   [K * codebook + 1, D] row k * codebook + c: code c of codebook k; the last row is zero;
                            with `model.group` G, (G - 1) * codebook rows before it are for frames 1 ... of a group

A folder (`hf`) has `config.json` and `model.safetensors` as `transformers.LlamaModel` reads them, the other tensors in
`valle.safetensors`, the JSON in `valle.json`, and a `README.md` that shows how to compute the network's hidden states.
The blocks of `model.arch: llama` are Llama's (https://arxiv.org/abs/2302.13971), with the same norms, the same rotary
pairs (i, i + H/2) and no biases. The only difference is that q, k and v are one matrix here, and so are gate and up.

Axes: K codebooks, D width, H head width.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from model.checkpoints.checkpoint import (
    EXPORTED,
    PARTS,
    build,
    check_weights,
    find,
    load,
    read_config,
    read_meta,
    read_part,
    read_tokenizer,
    read_weights,
)
from model.checkpoints.gguf import GGUFType, write_gguf
from model.checkpoints.llama import read_folder, write_folder
from model.checkpoints.model import Model
from model.checkpoints.onnx import write_onnx
from stages.artefacts.disk import atomic
from stages.errors import MachineError, MissingInputError, UsageError

Format = Literal["safetensors", "hf", "gguf", "onnx"]
FOLDERS: dict[Format, str] = {"hf": "config.json", "onnx": "ar.onnx"}
"""The formats that are folders, with a card, and a file that only theirs have."""
_SUFFIXES: dict[Format, str] = {"safetensors": ".safetensors", "gguf": ".gguf"}


def export(source: Path, out: Path, form: Format, *, kind: GGUFType = "f16", evaluation: str = "") -> Model:
    """Exports a model; the source stays unchanged.

    Args:
        source: A run (for its newest checkpoint), a checkpoint, or an earlier export.
        out: The file (`safetensors`, `gguf`) or folder (`hf`, `onnx`) to write; must not exist.
        form: The format.
        kind: For `gguf`: how matrices are stored.
        evaluation: Rows of `valle eval` for the card of a folder.

    Returns:
        The exported model.

    Raises:
        MissingInputError: if there is no model.
        ArtefactError: if a part of it is damaged or doesn't fit the others.
        UsageError: if `out` exists or has the wrong suffix, if a package is missing, or if the format has no place for
            a part of the network.
        MachineError: if `out` can't be written.
    """
    _check_out(out, form)
    model = read_model(source)
    writers: dict[Format, Callable[[Model, Path], None]] = {
        "safetensors": _write_file,
        "hf": partial(write_folder, evaluation=evaluation),
        "gguf": partial(write_gguf, kind=kind),
        "onnx": partial(write_onnx, evaluation=evaluation),
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic(out) as temporary:
            writers[form](model, temporary)
    except (OSError, SafetensorError) as error:
        raise MachineError(f"`{out}` can't be written: {error}. Make room (`df`), or name another path.") from error
    return model


def _check_out(out: Path, form: Format) -> None:
    if out.exists() or out.is_symlink():
        raise UsageError(f"`{out}` must not exist, but does. Name another path, or remove it.")
    if (suffix := _SUFFIXES.get(form, out.suffix)) != out.suffix:
        raise UsageError(f"`OUT` must end in `{suffix}`, but is `{out}`. For a folder, give `--format hf`.")


def read_model(source: Path) -> Model:
    """Reads a model from a run, a checkpoint or an earlier export; raises as `export` does."""
    about = source / f"{EXPORTED}.json"
    as_llama = about.is_file()
    if not as_llama:
        _refuse_foreign(source)
        about = find(source)
    config, tokenizer, meta = read_config(about), read_tokenizer(about), read_meta(about)
    parts = {part: json.loads(read_part(about, part)) for part in PARTS}
    if config.lora.rank:
        merged = load(about)
        parts["config"]["lora"] = merged.config.lora.model_dump(mode="json")
        return Model(parts, merged.config, meta, dict(merged.network.state_dict()))
    weights = read_folder(source, config, len(tokenizer)) if as_llama else read_weights(about)
    with torch.device("meta"):
        network = build(config, tokenizer, meta.codec)
    check_weights(network, weights, source if as_llama else about)
    return Model(parts, config, meta, weights)


def _refuse_foreign(source: Path) -> None:
    """Raises a clear error for a `transformers` model that `valle` didn't export."""
    if (source / "config.json").is_file() and not (source / "meta.json").is_file():
        raise MissingInputError(
            f"`{source}` must be a run's folder, a checkpoint or an export of `valle export`, but lacks"
            f" `{EXPORTED}.json` and `meta.json`. Copy `{EXPORTED}.json` and `{EXPORTED}.safetensors` from"
            " the folder that `valle export` wrote."
        )


def _write_file(model: Model, path: Path) -> None:
    save_file(model.weights, path, {EXPORTED: json.dumps(model.parts, ensure_ascii=False)})
