"""Converts a model to ONNX, for onnxruntime: a step of the mode `ar` with a cache, and a pass of the mode `nar`.

    ar.onnx      tokens [B, L], codes [B, L, C], positions [B, L], past -> logits [B, G, V + 1], present
    nar.onnx     tokens [B, L], codes [B, L, K], positions [B, L], level [] -> logits [B, L, V]
    weights.bin  the weights of both
    valle.json   configuration, vocabulary, codec

The inputs are those of `model.sequences.documents`, int64; a code is -1 where it is unknown. `ar.onnx` reads what is
given in one call with an empty `past`, then a position (group of frames) a call; `present` is the next `past`. Its
logits are those after the last position. With `model.window` it also takes `before` [], the positions before the
response. All sizes but C, K, G and V may differ from call to call; the rows of a batch are of one length.

Axes: B batch, L new positions, P past ones, S = P + L, C columns of codes (K + G - 1), K codebooks, G frames a group,
V codes, D width, N heads, M key heads, R queries of a key head, H head width.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from model.checkpoints.card import model_card
from model.checkpoints.checkpoint import EXPORTED, build
from model.checkpoints.model import Model
from model.checkpoints.portable import check_portable
from model.network.decoder import Decoder
from model.network.ssm import Scan
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
WEIGHTS = "weights.bin"
_INLINE = 1024
"""Bytes up to which a tensor stays in the graph's own file."""
_ALIGNED = 4096
"""Tensors begin at multiples of a page, so that they can be mapped."""


_USE = """
For onnxruntime. `docs/exports.md` of `valle` has a program of 80 lines that speaks with it, by onnxruntime and NumPy
alone. `ar.onnx` is a step of codebook 0 with a cache, `nar.onnx` a pass of another one; `weights.bin` belongs to both.
"""


def write_onnx(model: Model, folder: Path, evaluation: str = "") -> None:
    """Writes a model as a folder for onnxruntime, in float32.

    Raises:
        UsageError: if the packages aren't installed, or the network isn't of `model.arch: llama` or wasn't trained on
            the mode `ar`; as `check_portable`.
    """
    try:
        import onnx  # noqa: F401 (so that both are asked for at once)
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError('`--format onnx` needs the packages of `pip install "valle-prep[onnx]"`.') from error
    config = model.config
    if config.model.arch != "llama":
        raise UsageError(
            f"`--format onnx` needs a model with `model.arch: llama`, but this one is `{config.model.arch}`, which has"
            " no keys and values to keep. Use `--format safetensors`."
        )
    if config.model.experts > 1:
        raise UsageError(
            f"`--format onnx` needs a model without `model.experts`, but this one has {config.model.experts}, whose"
            " positions go different ways. Use `--format safetensors`."
        )
    check_portable(config, "onnx")
    if not config.data.modes.get("ar"):
        modes = ", ".join(mode for mode, weight in config.data.modes.items() if weight)
        raise UsageError(
            f"`--format onnx` needs a model trained on the mode `ar`, but this one knows {modes}. Use"
            " `--format safetensors`."
        )
    network = _network(model)
    folder.mkdir()
    graphs = {"ar.onnx": _step(network)}
    if network.num_codebooks > 1 and config.data.modes.get("nar"):
        graphs["nar.onnx"] = _pass(network)
    _save(graphs, folder)
    card = model_card(model, use=_USE, tag="onnx", evaluation=evaluation)
    (folder / "README.md").write_text(card, encoding="utf-8")
    (folder / f"{EXPORTED}.json").write_text(json.dumps(model.parts, ensure_ascii=False), encoding="utf-8")


def _network(model: Model) -> Decoder:
    tokenizer = Tokenizer(model.parts["tokenizer"]["tokens"])
    network = build(model.config, tokenizer, model.meta.codec).eval().requires_grad_(False)
    network.load_state_dict({name: weight.float() for name, weight in model.weights.items()})
    return network


class _Attention:
    """Attention over past and new positions, as plain products; keeps the keys and values of each layer."""

    def __init__(self, past: Tensor | None, allowed_LS: Tensor | None) -> None:
        self._past, self._allowed_LS = past, allowed_LS
        self.present: list[Tensor] = []
        """Keys and values of each layer, `[2, B, M, S, H]`."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[B, L, N, H]` tensors."""
        kv = torch.stack((k, v)).transpose(2, 3)
        if self._past is not None:
            kv = torch.cat((self._past[layer], kv), -2)
        self.present.append(kv)
        k_BM1SH, v_BM1SH = kv.unsqueeze(3).unbind(0)
        q_BMRLH = q.reshape(*q.shape[:2], k.shape[2], -1, q.shape[-1]).permute(0, 2, 3, 1, 4)
        scores = (q_BMRLH @ k_BM1SH.mT) * q.shape[-1] ** -0.5
        if self._allowed_LS is not None:
            scores = scores.masked_fill(~self._allowed_LS, -torch.inf)
        out_BMRLH: Tensor = scores.softmax(-1) @ v_BM1SH
        return out_BMRLH.permute(0, 3, 1, 2, 4).flatten(2, 3)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Raises `NotImplementedError`."""
        raise NotImplementedError("retention has no keys and values to keep")

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Raises `NotImplementedError`."""
        raise NotImplementedError("a state space has no keys and values to keep")


class _Graph(nn.Module):
    """What both graphs share: the input embeddings without `EmbeddingBag`, which ONNX lacks."""

    def __init__(self, network: Decoder) -> None:
        super().__init__()
        self.network = network

    def hidden(self, tokens: Tensor, codes: Tensor, positions: Tensor, attend: _Attention) -> Tensor:
        """Returns the normalised output of the last layer, `[B, L, D]`."""
        network = self.network
        rows = torch.where(codes < 0, network.absent, codes + network.rows_before_C[: codes.shape[-1]])
        embedded = network.token_embedding(tokens) + network.code_embedding.weight[rows].sum(-2)
        return network.read(embedded, positions, attend)


class _Step(_Graph):
    def forward(
        self, tokens: Tensor, codes: Tensor, positions: Tensor, past: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns the logits after the last position, `[B, G, V + 1]`, and `[layers, 2, B, M, S, H]`."""
        length, read = tokens.shape[1], past.shape[4]
        own_L1 = (torch.arange(length) + read)[:, None]
        key_S = torch.arange(read + length)
        allowed_LS = key_S <= own_L1
        window = self.network.config.window_positions
        if window is not None and before is not None:
            allowed_LS = allowed_LS & ((key_S > own_L1 - window) | (key_S < before))
        attend = _Attention(past, allowed_LS)
        last_BD = self.hidden(tokens, codes, positions, attend)[:, -1]
        logits_BGV = self.network.heads[0](last_BD).reshape(last_BD.shape[0], self.network.config.group, -1)
        return logits_BGV, torch.stack(attend.present)


class _Pass(_Graph):
    def forward(self, tokens: Tensor, codes: Tensor, positions: Tensor, level: Tensor) -> Tensor:
        """Returns the logits of codebook `level` at every position, `[B, L, V]`."""
        hidden_BLD = self.hidden(tokens, codes, positions, _Attention(None, None))
        heads = self.network.heads[1 : self.network.num_codebooks]
        weights_KVD = torch.stack([cast("nn.Linear", head).weight for head in heads])
        return hidden_BLD @ weights_KVD[level - 1].mT


def _inputs(columns: int) -> dict[str, tuple[Tensor, Any]]:
    """Returns an example and the changing axes of the inputs that both graphs have."""
    shape = 2, 3
    axes = {0: "batch", 1: "length"}
    return {
        "tokens": (torch.zeros(shape, dtype=torch.int64), axes),
        "codes": (torch.zeros((*shape, columns), dtype=torch.int64), axes),
        "positions": (torch.arange(shape[1]).repeat(shape[0], 1), axes),
    }


def _step(network: Decoder) -> "ModelProto":
    config = network.config
    inputs = _inputs(network.num_codebooks + config.group - 1)
    past = torch.zeros(config.layers, 2, 2, config.num_kv_heads, 5, config.head_width)
    inputs["past"] = past, {2: "batch", 4: "past"}
    if config.window is not None:
        inputs["before"] = torch.tensor(4), {}
    return _exported(_Step(network), inputs, ["logits", "present"])


def _pass(network: Decoder) -> "ModelProto":
    inputs = {**_inputs(network.num_codebooks), "level": (torch.tensor(1), {})}
    return _exported(_Pass(network), inputs, ["logits"])


def _exported(graph: nn.Module, inputs: Mapping[str, tuple[Tensor, Any]], outputs: list[str]) -> "ModelProto":
    """Traces a graph for all sizes of its changing axes."""
    dims: dict[str, Any] = dict.fromkeys(("batch", "length", "past"), torch.export.Dim.DYNAMIC)
    shapes = {name: {axis: dims[dim] for axis, dim in axes.items()} for name, (_, axes) in inputs.items()}
    with _quiet():
        program = torch.onnx.export(
            graph.eval(),
            kwargs={name: example for name, (example, _) in inputs.items()},
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: ModelProto = program.model_proto
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the exporter tells its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _save(graphs: Mapping[str, "ModelProto"], folder: Path) -> None:
    """Writes graphs, and the weights that they have in common once."""
    from onnx import numpy_helper
    from onnx.external_data_helper import set_external_data

    places: dict[bytes, int] = {}
    with (folder / WEIGHTS).open("wb") as file:
        for name, proto in graphs.items():
            for tensor in proto.graph.initializer:
                content = numpy_helper.to_array(tensor).tobytes()
                if len(content) <= _INLINE:
                    continue
                key = hashlib.sha256(content).digest()
                if key not in places:
                    file.write(bytes(-file.tell() % _ALIGNED))
                    places[key] = file.tell()
                    file.write(content)
                tensor.raw_data = b""
                set_external_data(tensor, WEIGHTS, places[key], len(content))
                tensor.ClearField("raw_data")
            (folder / name).write_bytes(proto.SerializeToString())
