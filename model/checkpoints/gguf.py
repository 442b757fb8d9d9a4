"""Converts a model to GGUF, for llama.cpp (https://github.com/ggml-org/llama.cpp).

The blocks of `model.arch: llama` are Llama's, but llama.cpp's `llama` can't compute them: it hides what has a
higher position, and here positions restart at each segment (`model.sequences.documents`), so that a frame would see
neither text nor prompt. So the file has the architecture `paddleocr`: Llama's blocks with rotary pairs (i, i + H/2) as
here, and four positions a token. The first one says what is hidden; `rope.dimension_sections` says which ones rotate,
and here that is the second alone. (`qwen2vl` has these too, but ignores the epsilon of the norms:
findings/llama-cpp-qwen2vl-epsilon.sh.) So a driver passes:

    embeddings   the sum of the rows of `token_embd.weight` of all that is known at a position
    positions    its number in the sequence; its position in its segment; 0; 0

and gets a logit for every id. The ids, of which `valle.ids` has the first of each kind:

    0 ...                     the vocabulary; logits are those of the head for tokens
    codes + k * size + c      code c of codebook k; logits are those of head k
    codes + (K + g) * size + c    with `model.group` above 1: code c of frame g + 1 of a group, g from 0
    stop + g                  the stop code, of frame g of a group; it has no embedding

Codebook 0 is decoded causally, with a cache; the others by one pass each with `llama_set_causal_attn(context, false)`.
So the file has the whole network but the heads ahead, which make decoding faster and change nothing.

Axes: K codebooks, D width, H head width.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from model.checkpoints.checkpoint import EXPORTED
from model.checkpoints.llama import to_llama
from model.checkpoints.model import Model
from model.checkpoints.portable import check_portable
from stages.errors import UsageError

if TYPE_CHECKING:
    from gguf import GGUFWriter

GGUFType = Literal["f32", "f16", "q8_0"]
"""How the matrices are stored; gains are float32. `q8_0`: 8 bits, with a scale for each 32 values."""

ARCH = "paddleocr"
_BLOCK = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
"""llama.cpp's names for the tensors of a block of `model.checkpoints.llama`."""
_Q8_BLOCK = 32


def write_gguf(model: Model, path: Path, kind: GGUFType) -> None:
    """Writes a model as one GGUF file.

    Raises:
        UsageError: if the package `gguf` isn't installed, llama.cpp can't represent the network, or its widths can't
            be stored in 8 bits; as `check_portable`.
    """
    try:
        import gguf
    except ImportError as error:
        raise UsageError('`--format gguf` needs the package gguf: `pip install "valle-prep[gguf]"`.') from error
    check_portable(model.config, "gguf")
    shape = model.config.model
    if kind == "q8_0" and (wrong := [n for n in (shape.width, shape.feedforward) if n % _Q8_BLOCK]):
        raise UsageError(
            f"`--type q8_0` needs `model.width` and `model.feedforward` to be multiples of {_Q8_BLOCK}, but one is"
            f" {wrong[0]}. Use `--type f16`."
        )
    tensors = dict(tensors_of(model))
    writer = gguf.GGUFWriter(path, ARCH)
    _describe(writer, model, len(tensors["token_embd.weight"]))
    writer.add_file_type(gguf.LlamaFileType[{"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}[kind]])
    for name, weight in tensors.items():
        stored = gguf.GGMLQuantizationType[kind.upper() if weight.dim() > 1 else "F32"]
        writer.add_tensor(name, gguf.quantize(weight.float().numpy(), stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors_of(model: Model) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors of the file by llama.cpp's names, in the network's dtype; raises as `to_llama` does."""
    shape, size = model.config.model, model.meta.codec.codebook_size
    llama, beside = to_llama(model.weights, shape, "gguf")
    yield "token_embd.weight", torch.cat([llama["embed_tokens.weight"], *_code_rows(model, beside)])
    yield "output_norm.weight", llama["norm.weight"]
    yield "output.weight", torch.cat(list(_logit_rows(beside, model.meta.codec.num_codebooks, size)))
    for layer in range(shape.layers):
        for theirs, name in _BLOCK.items():
            yield f"blk.{layer}.{name}", llama[f"layers.{layer}.{theirs}"]


def _code_rows(model: Model, beside: dict[str, Tensor]) -> list[Tensor]:
    """Returns the embeddings of the codes, and zeros for the stop codes."""
    table = beside["code_embedding.weight"][:-1]
    return [table, table.new_zeros(model.config.model.group, table.shape[1])]


def _logit_rows(beside: dict[str, Tensor], num_codebooks: int, size: int) -> Iterator[Tensor]:
    """Yields the rows of the heads, in the order of the ids."""
    first = beside["heads.0.weight"].view(-1, size + 1, beside["heads.0.weight"].shape[1])
    yield beside[f"heads.{num_codebooks}.weight"]
    yield first[0, :size]
    for codebook in range(1, num_codebooks):
        yield beside[f"heads.{codebook}.weight"]
    for frame in first[1:]:
        yield frame[:size]
    yield first[:, size]


def _describe(writer: "GGUFWriter", model: Model, ids: int) -> None:
    """Writes the keys that llama.cpp reads, and those of `valle`."""
    shape, codec, tokens = model.config.model, model.meta.codec, model.parts["tokenizer"]["tokens"]
    columns = codec.num_codebooks + shape.group - 1
    writer.add_name(f"valle {codec.name}")
    writer.add_context_length(model.config.data.batch_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feedforward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_dimension_sections([0, shape.head_width // 2, 0, 0])
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(ids)
    writer.add_tokenizer_model("none")
    codes = [f"<code {column} {code}>" for column in range(columns) for code in range(codec.codebook_size)]
    writer.add_token_list([*tokens, *codes, *(f"<stop {frame}>" for frame in range(shape.group))])
    writer.add_uint32(f"{EXPORTED}.codebooks", codec.num_codebooks)
    writer.add_uint32(f"{EXPORTED}.codebook_size", codec.codebook_size)
    writer.add_uint32(f"{EXPORTED}.group", shape.group)
    writer.add_uint32(f"{EXPORTED}.ids.codes", len(tokens))
    writer.add_uint32(f"{EXPORTED}.ids.stop", len(tokens) + columns * codec.codebook_size)
    writer.add_string(EXPORTED, json.dumps(model.parts, ensure_ascii=False))


def read_kind(path: Path) -> str:
    """Returns how the matrices of a GGUF file are stored, one of `GGUFType`."""
    from gguf import GGUFReader

    return next(str(one.tensor_type.name).lower() for one in GGUFReader(path).tensors if one.name == "output.weight")


def read_parts(path: Path) -> dict[str, Any]:
    """Reads the JSON of a model from its GGUF file; {} if there is none."""
    from gguf import GGUFReader

    field = GGUFReader(path).get_field(EXPORTED)
    parts: dict[str, Any] = json.loads(field.contents()) if field else {}
    return parts
