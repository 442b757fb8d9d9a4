"""Converts a model to a Llama folder for `transformers`, and back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from model.architecture import ModelConfig
from model.checkpoints.card import model_card
from model.checkpoints.checkpoint import EXPORTED, read_weights
from model.checkpoints.model import Model
from model.config import TrainConfig
from stages.artefacts.manifest import NOT_KNOWN
from stages.errors import ArtefactError, UsageError

_OUTSIDE = {"token_embedding.weight": "embed_tokens.weight", "norm.gain": "norm.weight"}
_BLOCK = {
    "attention_norm.gain": ("input_layernorm.weight",),
    "attention.qkv.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "attention.out.weight": ("self_attn.o_proj.weight",),
    "feedforward_norm.gain": ("post_attention_layernorm.weight",),
    "feedforward.gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "feedforward.down.weight": ("mlp.down_proj.weight",),
}
"""Llama's names for each tensor of a block; several if one matrix here is several in Llama."""
_BESIDE = ("code_embedding.", "heads.", "ahead.")
"""Prefixes of the tensors outside Llama's decoder, which are stored beside it."""

_USE = '''
`transformers` opens `config.json` and `model.safetensors` as a `LlamaModel`. `valle.safetensors` has the layers before
and after it: the embeddings of the codes, and the heads. `valle.json` has the configuration, the vocabulary, and the
codec and dataset of the model. `valle export FOLDER model.safetensors` converts the folder back to a model for `valle`.

Speaking also needs the weights of its codec: {codec}. Their licence: {licence}.

The input at a position is the embedding of its token plus those of the codes known there. Positions restart at each
segment (text, prompt, response); with `model.text_spacing`, those of the text are other ones, which `text_positions` in
`docs/exports.md` of `valle` computes. With `text_spacing: aligned`, the frames of a response have one more column of
codes: the id of the token that each says, in the mode `ar` that the next one says; `<end>` for none.

This computes the same hidden states as `valle` in evaluation mode:

```python
import torch
from safetensors.torch import load_file
from transformers import LlamaModel

CODEBOOK_SIZE = {codebook_size}


def hidden_states(folder, tokens_L, codes_LK, positions_L, causal):
    """Returns `[L, D]`. `codes_LK` is negative where a code is unknown; `causal` is for codebook 0 and for tokens."""
    llama = LlamaModel.from_pretrained(folder)
    table = load_file(f"{{folder}}/valle.safetensors")["code_embedding.weight"]
    rows_LK = codes_LK + torch.arange(codes_LK.shape[1]) * CODEBOOK_SIZE
    rows_LK = torch.where(codes_LK < 0, len(table) - 1, rows_LK)
    inputs_LD = llama.embed_tokens(tokens_L) + table[rows_LK].sum(-2)
    length = len(tokens_L)
    # Without a mask, `transformers` would treat restarting positions as separate documents.
    mask = torch.ones(1, length) if causal else torch.zeros(1, 1, length, length, dtype=inputs_LD.dtype)
    with torch.no_grad():
        return llama(inputs_embeds=inputs_LD[None], position_ids=positions_L[None], attention_mask=mask)[0][0]
```

The logits of head k are `hidden_states @ heads.k.weight.T`. Head k predicts codebook k; head 0 has the stop code as its
last output; head {num_codebooks} predicts tokens. With grouped codes, head 0 has the logits of each frame of the group,
one after the other. A head ahead n (`ahead.n.…`, if there are any) predicts n + 1 steps later: it is head 0, applied
to `h + silu(h @ up.T) @ down.T`, where h are the hidden states. `valle.safetensors` contains:

{tensors}
'''


def write_folder(model: Model, folder: Path, evaluation: str = "") -> None:
    """Writes a model as a folder for `transformers`; raises as `to_llama` does."""
    llama, beside = to_llama(model.weights, model.config.model)
    dtype = str(llama["norm.weight"].dtype).removeprefix("torch.")
    about = {**_llama_config(model.config, len(llama["embed_tokens.weight"])), "torch_dtype": dtype}
    codec = model.meta.codec
    tensors = "\n".join(f"* `{name}` {list(weight.shape)}" for name, weight in beside.items())
    told = {"codec": codec.describe(), "licence": codec.licence or NOT_KNOWN, "tensors": tensors}
    use = _USE.format(num_codebooks=codec.num_codebooks, codebook_size=codec.codebook_size, **told)
    folder.mkdir()
    save_file(llama, folder / "model.safetensors", {"format": "pt"})
    save_file(beside, folder / f"{EXPORTED}.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    (folder / f"{EXPORTED}.json").write_text(json.dumps(model.parts, ensure_ascii=False), encoding="utf-8")
    card = model_card(model, use=use, library="transformers", evaluation=evaluation)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _llama_config(config: TrainConfig, num_tokens: int) -> dict[str, Any]:
    """Returns the values of `transformers.LlamaConfig`, with the rotary positions as versions 4 and 5 name them."""
    model = config.model
    return {
        "architectures": ["LlamaModel"],
        "model_type": "llama",
        "vocab_size": num_tokens,
        "hidden_size": model.width,
        "intermediate_size": model.feedforward,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.num_kv_heads,
        "head_dim": model.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": model.norm_eps,
        "rope_theta": model.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "max_position_embeddings": config.data.batch_tokens,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def to_llama(
    weights: dict[str, Tensor], config: ModelConfig, form: str = "hf"
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Splits a network's weights into those of a `transformers.LlamaModel`, by its names, and those beside it.

    Args:
        weights: By the network's names.
        config: Section `model`.
        form: The format that they are for, for messages.

    Raises:
        UsageError: if `model.arch` isn't `llama`, or Llama has no place for a weight, for `model.experts` or for
            `model.window`.
    """
    if config.arch != "llama":
        raise UsageError(
            f"`--format {form}` needs a model with `model.arch: llama`, but this one is `{config.arch}`, which Llama"
            " can't represent. Use `--format safetensors`."
        )
    if config.experts > 1:
        raise UsageError(
            f"`--format {form}` needs a model without `model.experts`, but this one has {config.experts}: Llama has one"
            " feed-forward a block. Use `--format safetensors`."
        )
    if config.window is not None:
        raise UsageError(
            f"`--format {form}` needs a model without `model.window`, but this one's is {config.window}: Llama attends"
            " to all positions, and would speak otherwise. Use `--format safetensors`."
        )
    llama: dict[str, Tensor] = {}
    taken = {name for name in weights if name.startswith(_BESIDE)}
    for name, theirs, sizes in _pairs(config):
        pieces = torch.split(weights[name], sizes) if len(theirs) > 1 else (weights[name],)
        llama |= {their: piece.clone() for their, piece in zip(theirs, pieces, strict=True)}
        taken.add(name)
    if left := sorted(weights.keys() - taken):
        raise UsageError(
            f"`--format {form}` can't store `{left[0]}`: Llama has no place for it. Use `--format safetensors`."
        )
    return llama, {name: weight for name, weight in weights.items() if name.startswith(_BESIDE)}


def from_llama(llama: dict[str, Tensor], beside: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Joins the weights again: the inverse of `to_llama`."""
    fused = {name: torch.cat([llama[their] for their in theirs]) for name, theirs, _ in _pairs(config)}
    return fused | beside


def _pairs(config: ModelConfig) -> Iterator[tuple[str, tuple[str, ...], list[int]]]:
    """Yields each tensor's name, Llama's names for its pieces, and the rows of each piece if there are several."""
    queries, keys = config.heads * config.head_width, config.num_kv_heads * config.head_width
    rows = {
        "attention.qkv.weight": [queries, keys, keys],
        "feedforward.gate_up.weight": [config.feedforward, config.feedforward],
    }
    for name, their in _OUTSIDE.items():
        yield name, (their,), []
    for layer in range(config.layers):
        for name, theirs in _BLOCK.items():
            yield f"blocks.{layer}.{name}", tuple(f"layers.{layer}.{their}" for their in theirs), rows.get(name, [])


def read_folder(folder: Path, config: TrainConfig, num_tokens: int) -> dict[str, Tensor]:
    """Reads the weights of a folder for `transformers`, which may have trained them further."""
    _check_llama_config(folder / "config.json", _llama_config(config, num_tokens))
    llama = read_weights(folder)
    known = {their for _, theirs, _ in _pairs(config.model) for their in theirs}
    if wrong := sorted(known - llama.keys()) or sorted(llama.keys() - known):
        state = "lacks" if wrong[0] in known else "has an unknown"
        raise ArtefactError(
            f"`{folder / 'model.safetensors'}` must hold the weights of the LlamaModel that `valle.json` describes, but"
            f" {state} `{wrong[0]}`. Save only the LlamaModel, without adapters, as one file."
        )
    return from_llama(llama, read_weights(folder, f"{EXPORTED}.safetensors"), config.model)


def _check_llama_config(path: Path, wanted: dict[str, Any]) -> None:
    """Checks the values that change the hidden states but not the weights' shapes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rope = found.get("rope_parameters") or found
        found["rope_theta"] = rope["rope_theta"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ArtefactError(f"`{path}` must be a Llama configuration, but can't be read as one: {error!r}.") from error
    keys = ("model_type", "num_attention_heads", "num_key_value_heads", "hidden_act", "rms_norm_eps", "rope_theta")
    for key in keys:
        if found.get(key) != wanted[key]:
            raise ArtefactError(
                f"`{path}` must agree with `{EXPORTED}.json` beside it, but `{key}` is {found.get(key)!r} instead of"
                f" {wanted[key]!r}. `valle` uses the latter; undo the change."
            )
