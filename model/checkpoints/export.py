"""A model in other forms: one file, or a folder that `transformers` opens as Llama; and back from either.

Both hold all the weights and the JSON of a checkpoint (`model.checkpoints.checkpoint.PARTS`), and not what training goes on with.
Adapters (`lora`) are merged into the network first.

One file (`safetensors`) is a model wherever one is asked for (`valle synth --model model.safetensors`). Its tensors
have the network's names; its metadata holds the JSON under the key `valle`. The embedding tables among them:

    token_embedding.weight  [tokens, D]           a row a token, in the order of the vocabulary
    code_embedding.weight   [K * codebook + 1, D] row k * codebook + c: code c of codebook k; the last row is zero;
                            with `model.group` G before it G - 1 more times a codebook of rows: frames 1 ... of a group

A folder (`hf`) holds `config.json` and `model.safetensors` as `transformers.LlamaModel` reads them, the other tensors
in `valle.safetensors`, the JSON in `valle.json`, and in `README.md` the inputs for which its hidden states are those of
the network. The blocks of `model.arch: llama` are Llama's (https://arxiv.org/abs/2302.13971): the same norms, the same
pairs (i, i + H/2) in the rotary positions, no biases; only are q, k and v one matrix here, and so are gate and up.

Axes: L positions, K codebooks, D width, H head width.
"""

import json
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
from model.checkpoints.llama import read_folder, write_folder
from model.checkpoints.model import Model
from stages.artefacts.disk import atomic
from stages.errors import MachineError, MissingInputError, UsageError

Format = Literal["safetensors", "hf"]


def export(source: Path, out: Path, form: Format) -> Model:
    """Writes a model in another form; what was there stays as it is.

    Args:
        source: A run (its newest checkpoint is taken), a checkpoint, or what `export` wrote.
        out: The file (`safetensors`) or folder (`hf`) to write; must not exist.
        form: Which form.

    Returns:
        What was written.

    Raises:
        MissingInputError: if there is no model.
        ArtefactError: if a part of it is damaged, or doesn't fit the others.
        UsageError: if `out` exists or has the wrong suffix, or if Llama has no place for a part of the network.
        MachineError: if `out` can't be written.
    """
    _check_out(out, form)
    model = read_model(source)
    write = {"safetensors": _write_file, "hf": write_folder}[form]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic(out) as temporary:
            write(model, temporary)
    except (OSError, SafetensorError) as error:
        raise MachineError(f"`{out}` can't be written: {error}. Make room (`df`), or name another place.") from error
    return model


def _check_out(out: Path, form: Format) -> None:
    if out.exists() or out.is_symlink():
        raise UsageError(f"`{out}` must be new, but is there already. Name another, or remove it.")
    if form == "safetensors" and out.suffix != ".safetensors":
        raise UsageError(f"`OUT` must end in `.safetensors`, but is `{out}`. For a folder, give `--format hf`.")


def read_model(source: Path) -> Model:
    """Reads a model from a run, a checkpoint, or what `export` wrote; raises as `export` does."""
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
    """Tells a model of `transformers` that isn't ours from a damaged checkpoint."""
    if (source / "config.json").is_file() and not (source / "meta.json").is_file():
        raise MissingInputError(
            f"`{source}` must be a run's folder, a checkpoint or what `valle export` wrote, but lacks"
            f" `{EXPORTED}.json` and `meta.json`. Take them over from where the model came from."
        )


def _write_file(model: Model, path: Path) -> None:
    save_file(model.weights, path, {EXPORTED: json.dumps(model.parts, ensure_ascii=False)})
