"""The table of codecs, and loading a codec by name.

To add a codec, write one file in this folder: a class with the methods of `Codec` and of `CodecKind` (`NetworkCodec`
has most of them), and a `CodecRow` that describes it.
"""

from dataclasses import replace
from pathlib import Path

from stages.codecs.codec import Codec, CodecRow, Floats, Shortens, encode_arrays, identity_of, output_rate
from stages.codecs.network import NetworkCodec, Precision
from stages.codecs.weights import licence_of
from stages.errors import CodecError, UsageError
from stages.machine import on_gpu
from stages.records import CodecIdentity
from stages.tables import rows_in

__all__ = [
    "CODECS",
    "Codec",
    "codec_embeddings",
    "codec_identity",
    "encode_arrays",
    "identity_of",
    "load_codec",
    "output_rate",
]


_BFLOAT16_FROM = 8, 0
"""Lowest compute capability of CUDA devices that convolve in bfloat16 (Ampere)."""


def load_codec(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    sample_rate: int | None = None,
    precision: Precision = "float32",
    exact: bool = False,
    codebooks: int | None = None,
) -> Codec:
    """Loads a codec.

    Args:
        name: A row of `CODECS`.
        weights: A file or folder. By default the environment variable (`VALLE_ENCODEC_WEIGHTS` and the like, by the
            codec's name), then the cache of the codec's library, then its download. `encodec`: the state dict of the
            24 kHz model, `encodec_24khz-d7cc33bc.th`. `vocos`: a folder with `config.yaml`, `pytorch_model.bin` and
            EnCodec's `.th` file; if that is missing, it is looked for as for `encodec`. `dac`: a file that
            `DAC.save(path, package=False)` wrote, which also holds the model's sizes. `mimi`, `neucodec`, `xcodec2`,
            `higgs`: a folder with `config.json` and `model.safetensors`, as on the hub.
        device: `cpu`, `cuda` or `cuda:N`.
        sample_rate: Hz; chooses among the published models (`dac`: 44100, the default, 24000 or 16000). Ignored if
            `weights` are given.
        precision: Precision of the encoder. Half precision is faster on CUDA and flips some codes.
        exact: Whether to compute on the CPU as the codec's library does, bit for bit. Otherwise it is two to three
            times as fast, where the codec has such a way, and rounding may flip a few codes.
        codebooks: How many to use, from the first. By default `CodecRow.codebooks`, else all.

    Raises:
        UsageError: if there is no such codec, sample rate or device, or if it can't compute in this precision.
        WeightsError: if the weights are missing or don't fit; the message names every way to get them.
        CodecError: if the weights have fewer codebooks than asked for.
    """
    row = _row(name)
    _check_device(device)
    _check_precision(precision, device)
    codec = row.kind.load(weights, device, sample_rate)
    kept = _kept(row, codec.num_codebooks, codebooks)
    if kept < codec.num_codebooks:
        if not isinstance(codec, Shortens):
            raise CodecError(f"`{name}` needs all its {codec.num_codebooks} codebooks, but {kept} were asked for.")
        codec.keep(kept)
    if precision == "float32":
        if isinstance(codec, NetworkCodec):
            codec.quick = bool(row.way) and not exact and not on_gpu(device)
        return codec
    if not isinstance(codec, NetworkCodec):
        raise UsageError(f"`{name}` must compute in float32, but {precision} was requested.")
    codec.precision = precision
    return codec


def codec_identity(
    name: str, weights: str | Path | None = None, *, sample_rate: int | None = None, codebooks: int | None = None
) -> CodecIdentity:
    """Returns the identity of the codec that `load_codec` would load, without loading it. Arguments as there.

    It also tells the licence of the weights (`licence_of`).
    """
    row = _row(name)
    found = row.kind.identify(weights, sample_rate)
    licence = licence_of(row, weights, found.revision)
    return replace(found, num_codebooks=_kept(row, found.num_codebooks, codebooks), licence=licence)


def codec_embeddings(
    name: str, weights: str | Path | None = None, *, sample_rate: int | None = None, codebooks: int | None = None
) -> Floats:
    """Returns the embeddings of the codec that `load_codec` would load, `[K, V, D]`. Arguments and errors as there.

    Those of `embedded` are read without importing PyTorch, which the scheduling process doesn't need otherwise.
    """
    row = _row(name)
    tables_KVD = row.kind.tables(weights, sample_rate)
    return tables_KVD[: _kept(row, len(tables_KVD), codebooks)]


CODECS = rows_in("stages.codecs", CodecRow)
"""The codecs by name."""


def _row(name: str) -> CodecRow:
    if name not in CODECS:
        raise UsageError(f"`{name}` must be one of the codecs {', '.join(CODECS)}.")
    return CODECS[name]


def _kept(row: CodecRow, there: int, asked: int | None) -> int:
    """Returns how many codebooks to use of those that are there."""
    if asked is None:
        return min(row.codebooks or there, there)
    if not 1 <= asked <= there:
        raise CodecError(f"`{row.name}` must use 1 to {there} codebooks with these weights, but {asked} are asked for.")
    return asked


def _check_device(device: str) -> None:
    if not on_gpu(device):
        return
    import torch

    if not torch.cuda.is_available():
        raise UsageError(f"`{device}` needs a CUDA device and a CUDA build of torch, but there is none. Use `cpu`.")


def _check_precision(precision: Precision, device: str) -> None:
    if precision != "bfloat16" or not on_gpu(device):
        return
    import torch

    capability = torch.cuda.get_device_capability(device)
    if capability < _BFLOAT16_FROM:
        raise UsageError(
            f"`encode.precision` must be float16 or float32 on `{device}`, but is bfloat16. That needs compute"
            f" capability {_BFLOAT16_FROM[0]}.{_BFLOAT16_FROM[1]}; this device has {capability[0]}.{capability[1]}."
        )
