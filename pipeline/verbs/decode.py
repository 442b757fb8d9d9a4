"""`valle-prep decode ID|FILE OUT.wav`: decodes codes into a WAV file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config import PrepConfig
from pipeline.dataset.folder import HEAD, stored_config
from pipeline.dataset.lookup import ambiguous, matching
from pipeline.options import device_of
from stages.audio import files as audio
from stages.codecs.table import Codec, identity_of, load_codec, output_rate
from stages.config import load_config
from stages.errors import UsageError
from stages.ids import MIXTURES, utterance_of
from stages.records import CodecIdentity, Codes, Record
from stages.store.reader import Store, open_store

if TYPE_CHECKING:
    from pipeline.options import Options


@dataclass(frozen=True, slots=True)
class Decoded(Record):
    """The result of `decode`."""

    id: str
    """The utterance's id, or the path of the codes file."""
    codec: CodecIdentity
    """The codec that decoded it."""
    codebooks: int
    frames: int
    seconds: float
    out: str
    """Path of the WAV file."""

    def describe(self) -> str:
        """Returns the result as one line."""
        return (
            f"{self.id}: {self.codebooks} x {self.frames} codes, {self.seconds:.2f} s, {self.codec.name} -> {self.out}"
        )


@dataclass(frozen=True, slots=True)
class _FoundCodes:
    """Codes and their origin."""

    id: str
    codes_KT: Codes
    where: str
    """The dataset or file they were read from, for error messages."""
    codec: CodecIdentity | None = None
    """The codec that made them; None for a codes file."""


def decode(options: "Options", name: str, target: Path) -> Decoded:
    """Decodes an utterance of a dataset, or a file of codes, into a 16-bit WAV file.

    Args:
        options: The command's options: dataset, device and codec weights. A dry run writes nothing.
        name: A `.npy` file of codes `[K, T]`, a row number of the store, an id (of an utterance or a mixture), or an
            unambiguous part of an utterance's id.
        target: The `.wav` file to write.

    Raises:
        UsageError: if no row or several rows match `name`, or if the target doesn't end in `.wav` or can't be written.
        MissingInputError: if the dataset has no store.
        CodecError: if the codes don't fit the codec, or another codec made them.
    """
    import torch

    if target.suffix.lower() != ".wav":
        raise UsageError(f"`{target}` must end in `.wav`: only WAV files are written.")
    found = _read_file(Path(name)) if name.lower().endswith(".npy") else _look_up(options.out, name)
    codec = _load(options, found)
    wave = codec.decode(torch.from_numpy(found.codes_KT.astype(np.int64))).numpy()
    try:
        if not options.dry_run:
            audio.write_wav(target, wave, output_rate(codec))
    except OSError as error:
        raise UsageError(f"`{target}` can't be written: {error.strerror}. Name another file.") from error
    seconds = round(len(wave) / output_rate(codec), 6)
    codebooks, frames = found.codes_KT.shape
    return Decoded(found.id, identity_of(codec), codebooks, frames, seconds, str(target))


def _read_file(path: Path) -> _FoundCodes:
    try:
        codes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not an array of numbers"
        raise UsageError(f"`{path}` can't be read: {why}. Give a `.npy` file of codes, [K, T].") from error
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu" or codes.ndim != 2:
        shape = f"{codes.dtype} {list(codes.shape)}" if isinstance(codes, np.ndarray) else "an archive"
        raise UsageError(f"`{path}` must contain codes, integers [K, T], but contains {shape}.")
    return _FoundCodes(str(path), codes, str(path))


def _look_up(folder: Path, name: str) -> _FoundCodes:
    store = open_store(folder)
    uid, _, kind = name.rpartition("@")
    if utterance_of(name) != name:
        row = _row(store, uid, folder)
        [mixture] = [known for known in MIXTURES if known == kind]
        if not store.has_mixture(mixture)[row]:
            raise UsageError(f"`{store.ids[row]}` has no `{kind}` mixture in `{folder}`. Run `valle-prep mix`.")
        return _FoundCodes(f"{store.ids[row]}@{kind}", store.mixture(mixture, row), str(folder), store.codec)
    row = _row(store, name, folder)
    return _FoundCodes(store.ids[row], store.codes(row), str(folder), store.codec)


def _row(store: Store, name: str, folder: Path) -> int:
    """Returns the row number for a row number, an id or an unambiguous part of an id."""
    ids = list(store.ids)
    if name.isdecimal() and name not in ids:
        if int(name) >= len(ids):
            raise UsageError(f"`{name}` must be a row of `{folder}` (0 to {len(ids) - 1}) or part of an id.")
        return int(name)
    matches = [name] if name in ids else matching(name, ids)
    if len(matches) != 1:
        raise UsageError(ambiguous(name, matches, ids, folder))
    return ids.index(matches[0])


def _load(options: "Options", found: _FoundCodes) -> "Codec":
    """Loads the codec that made the dataset, unless the options name another."""
    base = {"encode": {"codec": found.codec.name}} if found.codec else {}
    if (options.out / HEAD).is_file():
        base = stored_config(options.out).model_dump(mode="json")
    encode = load_config(PrepConfig, options.config, options.sets or [], base=base).encode
    rate = found.codec.sample_rate if found.codec else encode.sample_rate
    device = device_of(options.device)
    codebooks = found.codec.num_codebooks if found.codec else encode.codebooks
    codec = load_codec(encode.codec, encode.weights, device, sample_rate=rate, exact=encode.exact, codebooks=codebooks)
    if found.codec:
        identity_of(codec).require(found.codec, found.where)
    return codec
