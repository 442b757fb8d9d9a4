"""Trains several configurations for the same processor time each, and compares their held-out losses.

    python -m model.bench.trials .setup/trials.yaml --minutes 2.5 --out runs/trials

The file names a configuration, and the settings of each trial; of two for one key, a trial's is taken:

    base: configs/sentences.yaml        # what `valle train` would read
    set: [data.store=sentences/dataset] # for all trials
    trials:
      as it is: []
      in groups of 2: [model.group=2]

A trial is timed for some steps first, to find how many fit. So its schedule of the learning rate ends with its time,
whatever a step costs. Validation, samples and pictures aren't counted. A trial that has its result is kept, so an
interrupted call goes on with the next one. Its settings must not be changed without removing its folder.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from model.config import TrainConfig
from model.training.trainer import Trainer
from stages.artefacts.disk import write_text
from stages.config import load_config
from stages.errors import UsageError, run_program
from stages.store.reader import open_store

RESULT = "trial.json"
_TIMED_STEPS = 6
"""Steps that tell how long one takes, after one that isn't counted."""
_SHOWN = {
    "loss": "loss",
    "loss_0": "ar",
    "loss_nar": "nar",
    "loss_canvas": "nar-len",
    "loss_all": "all",
    "alignment": "alignment",
    "wer": "word error rate",
}


@dataclass(frozen=True, slots=True)
class Trials:
    """What a file of trials asks for."""

    base: Path
    settings: tuple[str, ...]
    """Of all trials."""
    each: Mapping[str, tuple[str, ...]]
    """Those of each trial."""


def read_trials(path: Path) -> Trials:
    """Reads a file of trials.

    Raises:
        UsageError: if it can't be read or has another form.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        each = {str(name): tuple(map(str, values)) for name, values in found["trials"].items()}
        trials = Trials(Path(found["base"]), tuple(map(str, found.get("set", []))), each)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"`{path}` must have `base`, the path of a configuration, and `trials`, a list of settings for each, but"
            f" can't be read so ({error!r}). See `python -m model.bench.trials --help`."
        ) from error
    return trials


def run_trial(trials: Trials, name: str, out: Path, *, seconds: float) -> dict[str, Any]:
    """Runs a trial, or reads what it gave.

    Args:
        trials: All of them.
        name: Which one.
        out: The folder of all trials; the trial's is in it.
        seconds: Processor time for its steps.

    Returns:
        The values of its last validation, without their prefix; `steps`, `step_s`, the processor time of one, and
        `parameters`.
    """
    folder = out / re.sub(r"[^\w.-]+", "-", name)
    if (folder / RESULT).is_file():
        known: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return known
    asked = {one.partition("=")[0]: one for one in (*trials.settings, *trials.each[name], f"trainer.out={folder}")}
    config = load_config(TrainConfig, trials.base, [*asked.values()])
    store = open_store(Path(config.data.store))
    step_s = _seconds_of_a_step(Trainer(_with(config, samples=0, judge=None), store, quiet=True))
    steps = max(1, round(seconds / step_s))
    lasts = _with(config, max_steps=steps, validate_every=steps, save_every=steps, log_every=max(1, steps // 20))
    trainer = Trainer(lasts, store, quiet=True)
    start = time.process_time()
    trainer.fit()
    spent = time.process_time() - start
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    last = {key: value for line in lines for key, value in line.items() if key.startswith("validation/")}
    result = {key.removeprefix("validation/"): value for key, value in last.items()}
    result |= {"steps": steps, "step_s": step_s, "spent_s": spent}
    result |= {"parameters": trainer.raw_network.num_parameters(), "settings": [*trials.each[name]]}
    write_text(folder / RESULT, json.dumps(result, indent=1) + "\n")
    return result


def _with(config: TrainConfig, **values: Any) -> TrainConfig:
    """Returns a configuration with other values of the section `trainer`."""
    return config.model_copy(update={"trainer": config.trainer.model_copy(update=values)})


def _seconds_of_a_step(trainer: Trainer) -> float:
    """Returns the processor time of a step, drawing and reading its batch included."""
    batches = trainer.stream.batches()
    trainer.train_step([next(batches)])
    start = time.process_time()
    for _ in range(_TIMED_STEPS):
        trainer.train_step([next(batches) for _ in range(trainer.config.trainer.accumulate)])
    return (time.process_time() - start) / _TIMED_STEPS


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns a Markdown table of what trials gave; columns that no trial has are left out."""
    shown = {key: name for key, name in _SHOWN.items() if any(key in one for one in results.values())}
    head = ["trial", "parameters", "steps", "s a step", *shown.values()]
    lines = [head, ["---"] * len(head)]
    for name, one in results.items():
        values = [f"{one[key]:.3f}" if key in one else "" for key in shown]
        lines.append([name, f"{one['parameters'] / 1e6:.1f} M", str(one["steps"]), f"{one['step_s']:.2f}", *values])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Reads the command line, runs the trials, and prints the table after each."""
    parser = argparse.ArgumentParser("python -m model.bench.trials", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="the trials")
    parser.add_argument("--minutes", type=float, default=4.0, help="processor time of each")
    parser.add_argument("--out", type=Path, default=Path("runs/trials"), help="folder for all of them")
    options = parser.parse_args()
    if options.minutes <= 0:
        raise UsageError(f"`--minutes` must be above 0, but is {options.minutes}.")
    trials = read_trials(options.file)
    results: dict[str, dict[str, Any]] = {}
    for name in trials.each:
        results[name] = run_trial(trials, name, options.out, seconds=60 * options.minutes)
        sys.stdout.write(f"{table(results)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_program(main)
