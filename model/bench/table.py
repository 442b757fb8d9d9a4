"""The table of benchmarks of `valle bench`. To add one, add a row to `BENCHES` and its name to `What`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from model.config import TrainConfig

What = Literal[
    "train", "buckets", "fit", "decode", "modes", "ahead", "guidance", "samplers", "synth", "load", "serve", "archs"
]


@dataclass(frozen=True, slots=True)
class Bench:
    """A row of the table."""

    help: str
    """What is compared, for `--help`."""
    measure: "Callable[[TrainConfig, float], dict[str, float | int | str]]"
    """Takes a configuration and the seconds for each side; returns the results by name."""


def _train(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.training import training

    return training(config, seconds=seconds)


def _buckets(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.buckets import by_length

    return by_length(config, seconds=seconds)


def _fit(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.fitting import fitting

    return fitting(config, seconds=seconds)


def _decode(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.steps import decoding

    return decoding(config, seconds=seconds)


def _modes(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.modes import modes

    return modes(config, seconds=seconds)


def _ahead(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.ahead import ahead

    return ahead(config, seconds=seconds)


def _guidance(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.guidance import guidance

    return guidance(config, seconds=seconds)


def _samplers(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.samplers import samplers

    return samplers(config, seconds=seconds)


def _synth(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding.synth import synth

    return synth(config, seconds=seconds)


def _load(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.loading import loading

    return loading(config, seconds=seconds)


def _serve(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.serving import serving

    return serving(config, seconds=seconds)


def _archs(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.archs import archs

    return archs(config, seconds=seconds)


BENCHES: Mapping[What, Bench] = {
    "train": Bench("packed against padded", _train),
    "buckets": Bench("packing against buckets of similar length, on a dataset", _buckets),
    "fit": Bench("the memory of each way to fit against what was expected", _fit),
    "decode": Bench("cached against uncached", _decode),
    "modes": Bench("responses made at once against frame by frame, of a trained model", _modes),
    "ahead": Bench("heads ahead against single steps, of a trained model", _ahead),
    "guidance": Bench("one pass, as of a model with guidance built in, against guidance's two", _guidance),
    "samplers": Bench("all samplers against none", _samplers),
    "synth": Bench("many responses at once against one by one, and how soon a stream is heard", _synth),
    "load": Bench("the data", _load),
    "serve": Bench("eight clients against one", _serve),
    "archs": Bench("what each architecture learns of a dataset in the same time", _archs),
}
