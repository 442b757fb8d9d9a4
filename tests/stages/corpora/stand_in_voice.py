"""A stand-in for a voice of Piper: its inputs, settings and noise, but a hum in place of speech."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SYMBOLS = "_^$ .,?!abdefhijklmnopstuvwzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒθʔᵻˈˌː\u0329"
SAMPLES = 400
"""Per id, at a length scale of 1."""


def write_voice(folder: Path, **changed: object) -> Path:
    """Writes the voice, with settings changed, and returns the path of its ONNX file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "voice.onnx"
    nodes = [
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "one"], ["length"]),
        helper.make_node("Gather", ["scales", "zero"], ["loudness"]),
        helper.make_node("Mul", ["length", "samples"], ["long"]),
        helper.make_node("Cast", ["long"], ["each"], to=TensorProto.INT64),
        helper.make_node("Concat", ["ones", "each"], ["times"], axis=0),
        helper.make_node("Tile", ["ids", "times"], ["held"]),
        helper.make_node("RandomNormalLike", ["held"], ["drawn"]),
        helper.make_node("Mul", ["drawn", "loudness"], ["noise"]),
        helper.make_node("Add", ["held", "noise"], ["sum"]),
        helper.make_node("Mul", ["sum", "quiet"], ["output"]),
    ]
    constants = {
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "ones": np.array([1], np.int64),
        "samples": np.array([SAMPLES], np.float32),
        "quiet": np.array([0.005], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "voice",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    settings = {
        "audio": {"sample_rate": 16_000},
        "inference": {"noise_scale": 0.5, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "num_speakers": 1,
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    }
    path.with_name("voice.onnx.json").write_text(json.dumps(settings | changed), encoding="utf-8")
    return path
