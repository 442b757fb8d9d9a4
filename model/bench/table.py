"""What `valle bench` can measure. A new bench is a row in `BENCHES`, with its name in `What`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from model.config import TrainConfig

What = Literal["train", "decode", "load", "serve"]


@dataclass(frozen=True, slots=True)
class Bench:
    """A row of the table."""

    help: str
    """What is measured against what, as the command line says it."""
    measure: "Callable[[TrainConfig, float], dict[str, float | int | str]]"
    """From a configuration and the seconds for each side to what was found."""


def _train(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.training import training

    return training(config, seconds=seconds)


def _decode(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.decoding import decoding

    return decoding(config, seconds=seconds)


def _load(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.loading import loading

    return loading(config, seconds=seconds)


def _serve(config: "TrainConfig", seconds: float) -> dict[str, float | int | str]:
    from model.bench.serving import serving

    return serving(config, seconds=seconds)


BENCHES: Mapping[What, Bench] = {
    "train": Bench("packed against padded", _train),
    "decode": Bench("cached against uncached", _decode),
    "load": Bench("the data", _load),
    "serve": Bench("eight clients against one", _serve),
}
