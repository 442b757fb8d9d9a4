#!/bin/sh
# llama.cpp of the wheel xllamacpp 2026.10.11549 ignores the epsilon of the norms (`attention.layer_norm_rms_epsilon`) of
# GGUF files of the architecture `qwen2vl`: it computes with 0. `paddleocr`, with the same tensors, heeds it.
#
# Shown by a model without layers that do anything: an embedding of 0.1 in each place has, divided by its root mean square
# with an epsilon of 0.03, the value 0.1 / sqrt(0.01 + 0.03) = 0.5; without it, 1.
# For files of Qwen2-VL it is too small to be heard; whoever takes the architecture for four positions a token meets it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "xllamacpp==2026.10.11549" "gguf==0.19.0" "numpy<3"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import ctypes
import importlib.util
from pathlib import Path

import gguf
import numpy as np

WIDTH, IDS, EPSILON = 32, 8, 0.03


def write(arch):
    writer = gguf.GGUFWriter(f"{arch}.gguf", arch)
    writer.add_context_length(32)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(16)
    writer.add_rope_dimension_sections([0, 8, 0, 0])
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(IDS)
    writer.add_tokenizer_model("none")
    zeros = np.zeros((WIDTH, WIDTH), np.float32)
    writer.add_tensor("token_embd.weight", np.full((IDS, WIDTH), 0.1, np.float32))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", np.full((IDS, WIDTH), 1 / WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", zeros)
    for name in ("attn_q", "attn_k", "attn_v"):
        writer.add_tensor(f"blk.0.{name}.bias", zeros[0])
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Words(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint32 * 128)]


class Batch(ctypes.Structure):
    names = "token", "embd", "pos", "n_seq_id", "seq_id", "logits"
    _fields_ = [("n_tokens", ctypes.c_int32), *((name, ctypes.c_void_p) for name in names)]


found = importlib.util.find_spec("xllamacpp").submodule_search_locations[0]
lib = ctypes.CDLL(str(next(Path(found).glob("*.so"))))
lib.llama_model_default_params.restype = lib.llama_context_default_params.restype = Words
lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, Words]
lib.llama_init_from_model.argtypes = [ctypes.c_void_p, Words]
lib.llama_model_load_from_file.restype = lib.llama_init_from_model.restype = ctypes.c_void_p
lib.llama_decode.argtypes = [ctypes.c_void_p, Batch]
lib.llama_get_logits_ith.argtypes = [ctypes.c_void_p, ctypes.c_int32]
lib.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
lib.llama_log_set(quiet, None)


def value(arch):
    write(arch)
    model = lib.llama_model_load_from_file(f"{arch}.gguf".encode(), lib.llama_model_default_params())
    context = lib.llama_init_from_model(model, lib.llama_context_default_params())
    embedding = np.full(WIDTH, 0.1, np.float32)
    positions, count, sequence, wanted = np.zeros(4, np.int32), np.ones(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int8)
    place = np.array([sequence.ctypes.data], np.uint64)
    parts = embedding, positions, count, place, wanted
    assert lib.llama_decode(context, Batch(1, None, *(part.ctypes.data for part in parts))) == 0
    return lib.llama_get_logits_ith(context, 0)[0]


values = {arch: value(arch) for arch in ("paddleocr", "qwen2vl")}
print("xllamacpp 2026.10.11549:", values)
assert abs(values["paddleocr"] - 0.5) < 1e-4, "paddleocr heeds the epsilon"
assert abs(values["qwen2vl"] - 1.0) < 1e-4, "qwen2vl doesn't; if this changed, the finding is over"
PYTHON
