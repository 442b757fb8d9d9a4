"""Makes the configurations of the proofs; it can drop a key, to imitate code that ignores it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from model.config import TrainConfig
from model.network.packing import Batch
from model.training.trainer import Trainer
from pipeline.config import PrepConfig, stage_class
from pipeline.runner.attempt import open_attempt
from pipeline.runner.runner import Run
from pipeline.runner.shard import _process_all, _Task
from stages.audio import files as audio
from stages.base import Context, Filtered, Stage
from stages.config import Config
from stages.records import Encoded, Utterance, Wave
from tests.model.conftest import MemoryStore, make_config, make_store

RATE = 16_000


def fields(kind: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields `section.key` and its field for every key, at any depth."""
    for name, one in kind.model_fields.items():
        if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel):
            yield from fields(one.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}", one


def without(config: Config, path: str) -> Config:
    """Returns a configuration with the key at `path` reset to its default, without validation."""
    name, _, rest = path.partition(".")
    if rest:
        return config.model_copy(update={name: without(getattr(config, name), rest)})
    return config.model_copy(update={name: type(config).model_fields[name].get_default(call_default_factory=True)})


@dataclass
class World:
    """What a proof works with: a folder, patches that are undone afterwards, and configurations."""

    folder: Path
    patch: pytest.MonkeyPatch
    ignored: str = ""
    """The key that is reset to its default in every configuration; "" for none."""
    store: MemoryStore = field(default_factory=make_store)

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)

    # ---------------------------------------------------------------------------------------------------- valle-prep

    def section(self, name: str, **values: Any) -> Any:
        """Returns a section of `valle-prep`'s configuration."""
        return getattr(self.prep(**{name: values}), name)

    def prep(self, **sections: Any) -> PrepConfig:
        """Returns `valle-prep`'s configuration."""
        return self._seen(PrepConfig.model_validate(sections))

    def stage(self, name: str, *, device: str = "cpu", **values: Any) -> Stage[Any, Any, Any]:
        """Returns a stage, not set up; `folder` is the folder of the recordings and of the dataset."""
        return stage_class(name)(self.section(name, **values), Context(self.folder, self.folder, device))

    def context(self, **sections: Any) -> Context:
        """Returns the context that a run of `valle-prep` gives its stages."""
        missing: Any = None
        dataset: Any = SimpleNamespace(voices=self.folder, folder=self.folder)
        run = Run(dataset, self.prep(**sections), device="cpu", cluster=missing, cache=missing, reporter=missing)
        return run.stage("mix").context

    def outcomes(self, name: str, *items: Any, **values: Any) -> list[Any]:
        """Runs a stage on items and returns all outcomes."""
        stage = self.stage(name, **values)
        stage.setup()
        return [outcome for outcomes in stage.process(items) for outcome in outcomes]

    def batches(self, name: str, items: int, seen: Callable[[], Any], **values: Any) -> list[tuple[int, Any]]:
        """Returns the size of each batch that the runner gives a stage, with the value of `seen()` at that time."""
        stage, found = self.stage(name, **values), []

        def process(batch: Sequence[Any]) -> list[list[Filtered]]:
            found.append((len(batch), seen()))
            return [[Filtered(one.id, "Seen", "")] for one in batch]

        self.patch.setattr(stage, "process", process)
        tasks = [_Task(SimpleNamespace(id=str(number)), "", "") for number in range(items)]
        job: Any = SimpleNamespace(context=stage.context, shard="0")
        _process_all(stage, self.folder, job, open_attempt(self.folder, "0", "run"), tasks)
        return found

    def wav(self, name: str, wave: Wave | Sequence[float], rate: int = RATE) -> Path:
        """Writes a recording."""
        audio.write_wav(self.folder / name, np.asarray(wave, np.float32), rate)
        return self.folder / name

    # --------------------------------------------------------------------------------------------------------- valle

    def config(self, **values: Any) -> TrainConfig:
        """Returns the tiny configuration of `tests.model.conftest`, changed by `section__key=value`."""
        return self._seen(make_config(**{"trainer__out": str(self.folder / "run"), **values}))

    def trainer(self, **values: Any) -> Trainer:
        """Returns a trainer of the tiny network on the tiny dataset."""
        return Trainer(self.config(**values), self.store, quiet=True)

    @cached_property
    def batch(self) -> Batch:
        """A packed batch of the tiny dataset, always the same."""
        trainer = Trainer(make_config(trainer__out="unused"), make_store(), quiet=True)
        return next(trainer.stream.batches())

    # ---------------------------------------------------------------------------------------------------------- both

    def _seen(self, config: Any) -> Any:
        here = self.ignored and self.ignored.partition(".")[0] in type(config).model_fields
        return without(config, self.ignored) if here else config


Proof = Callable[[World], None]


def noise(seconds: float, *, level: float = 0.1, seed: int = 0, rate: int = RATE) -> Wave:
    """Returns white noise."""
    wave: Wave = np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.float32)
    return wave


def utterance(name: str = "ann/one.wav", *, seconds: float = 1.0, text: str = "Hello.", **values: Any) -> Utterance:
    """Returns a row that covers a whole recording."""
    plain = {"group": "", "speaker": name.partition("/")[0], "language": "en", "phonemes": "həlˈoʊ."}
    end = round(seconds * RATE)
    fixed = {"start_samples": 0, "end_samples": end, "sample_rate": RATE, "text": text, "frames": round(75 * seconds)}
    return Utterance(id=name, recording=name, **{**plain, **fixed, **values})


def encoded(name: str = "ann/one.wav", *, codes: Any = None, **values: Any) -> Encoded:
    """Returns a row with codes."""
    row = utterance(name, **values)
    return Encoded(row, np.zeros((8, row.frames), np.uint16) if codes is None else codes)
