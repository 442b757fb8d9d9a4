"""Drives llama.cpp through its C interface, as the library lies in the wheel of xllamacpp.

It does what docs/exports.md tells: sums rows of `token_embd.weight`, passes four positions a token, reads logits.
"""

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

_WORDS = 128
"""Words of 4 bytes that hold llama.cpp's parameters, with room to spare; their number changes between versions."""
_CONTEXT = {"n_ctx": (0, 512), "n_batch": (1, 2048), "n_ubatch": (2, 512), "n_threads": (7, 4), "batch_threads": (8, 4)}
_CONTEXT |= {"flash_attention": (13, 0xFFFFFFFF), "type_k": (26, 1), "type_v": (27, 1)}
"""Where fields of `llama_context_params` lie, and their defaults, by which a test knows that they still lie there."""


class _Parameters(ctypes.Structure):
    _fields_ = (("words", ctypes.c_uint32 * _WORDS),)


class _Batch(ctypes.Structure):
    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("token", "embd", "pos", "n_seq_id", "seq_id", "logits")),
    )


def library() -> ctypes.CDLL:
    """Opens llama.cpp; skips the test if it isn't there, or if its parameters lie elsewhere than here."""
    found = importlib.util.find_spec("xllamacpp")
    if found is None or not found.submodule_search_locations:
        pytest.skip("llama.cpp isn't installed: pip install xllamacpp")
    lib = ctypes.CDLL(str(next(Path(found.submodule_search_locations[0]).glob("xllamacpp*.so"))))
    lib.llama_model_default_params.restype = lib.llama_context_default_params.restype = _Parameters
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, _Parameters]
    lib.llama_init_from_model.argtypes = [ctypes.c_void_p, _Parameters]
    lib.llama_decode.argtypes = [ctypes.c_void_p, _Batch]
    lib.llama_set_causal_attn.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    lib.llama_memory_clear.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    lib.llama_get_logits_ith.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    lib.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
    for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_get_memory"):
        getattr(lib, name).restype = ctypes.c_void_p
    for name in ("llama_get_memory", "llama_free", "llama_model_free"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    words = lib.llama_context_default_params().words
    if any(words[at] != default for at, default in _CONTEXT.values()):
        pytest.skip("this version of llama.cpp has its parameters elsewhere")
    return lib


_QUIET = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)


class LlamaCpp:
    """A GGUF file of `valle export`, opened by llama.cpp on one thread, with a cache in float32."""

    def __init__(self, path: Path, room: int = 512) -> None:
        self._lib = library()
        self._lib.llama_log_set(_QUIET, None)
        reader = GGUFReader(path)
        table = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
        self._rows = dequantize(table.data, table.tensor_type)
        self.codes, self.stop, self.size, self.group = (
            reader.get_field(f"valle.{name}").contents() for name in ("ids.codes", "ids.stop", "codebook_size", "group")
        )
        self._model = self._lib.llama_model_load_from_file(str(path).encode(), self._lib.llama_model_default_params())
        assert self._model, "llama.cpp can't load the file"
        parameters = self._lib.llama_context_default_params()
        asked = {"n_ctx": room, "n_batch": room, "n_ubatch": room, "n_threads": 1, "batch_threads": 1}
        for name, value in {**asked, "flash_attention": 0, "type_k": 0, "type_v": 0}.items():
            parameters.words[_CONTEXT[name][0]] = value
        self._context = self._lib.llama_init_from_model(self._model, parameters)
        self._read = 0

    def close(self) -> None:
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)

    def begin(self, *, causal: bool) -> None:
        """Forgets what was read."""
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
        self._lib.llama_set_causal_attn(self._context, causal)
        self._read = 0

    def read(self, tokens_L: np.ndarray, codes_LC: np.ndarray, positions_L: np.ndarray) -> np.ndarray:
        """Reads positions after those read before; returns the logits of all ids at each, `[L, ids]`."""
        length, columns = codes_LC.shape
        ids_LC = self.codes + np.arange(columns) * self.size + codes_LC
        known_LC1 = (codes_LC >= 0)[..., None]
        embedded_LD = self._rows[tokens_L] + np.where(known_LC1, self._rows[np.maximum(ids_LC, 0)], 0).sum(1)
        embedded_LD = np.ascontiguousarray(embedded_LD, np.float32)
        positions_4L = np.zeros((4, length), np.int32)
        positions_4L[:2] = np.arange(self._read, self._read + length), positions_L
        counts_L, sequences_L, wanted_L = (
            np.ones(length, np.int32),
            np.zeros(length, np.int32),
            np.ones(length, np.int8),
        )
        places_L = sequences_L.ctypes.data + 4 * np.arange(length, dtype=np.uint64)
        parts = embedded_LD, positions_4L, counts_L, places_L, wanted_L
        batch = _Batch(length, None, *(part.ctypes.data for part in parts))
        assert self._lib.llama_decode(self._context, batch) == 0
        self._read += length
        rows = [self._lib.llama_get_logits_ith(self._context, place) for place in range(length)]
        return np.stack([np.ctypeslib.as_array(row, (len(self._rows),)).copy() for row in rows])
