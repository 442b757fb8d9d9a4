"""`valle`: trains a model on a dataset that `valle-prep` made, and speaks with it.

Nothing heavy is imported here: each command loads what it needs when it runs.
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stages.console import run_app

app = typer.Typer(
    help="Trains a codec language model on a dataset that valle-prep made, and speaks with it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Over the file; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/small.yaml.")],
    *,
    sets: Sets = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on though the configuration has changed.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Refuse to go on with an earlier run.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N (trainer.device).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show sizes, steps and memory; train nothing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model; started again in the same trainer.out, go on where it stopped."""
    from model.config import TrainConfig
    from stages.config import load_config
    from stages.store import open_store

    settings = load_config(TrainConfig, config, [*(sets or []), *([f"trainer.device={device}"] if device else [])])
    store = open_store(settings.data.store)
    if dry_run:
        from model.plan import describe

        _show(describe(settings, store), as_json)
        return
    from model.trainer import train as run

    folder = run(settings, store, fresh=fresh, resume=resume, quiet=quiet)
    if as_json:
        _show({"checkpoint": str(folder)}, as_json)
    elif not quiet:
        typer.echo(f"{folder}\nNext: valle synth TEXT REFERENCE.wav OUT.wav --model {settings.trainer.out}")


@app.command()
def synth(
    text: Annotated[str, typer.Argument(help="What to say.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="A recording of the voice, 3 s or more.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    model: Annotated[Path, typer.Option(help="A run's folder or a checkpoint.")],
    temperature: Annotated[float, typer.Option(help="0 is greedy, 1 the model's own spread.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest codes; 0 for all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Only the likeliest codes of this probability.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same speech.")] = 0,
    language: Annotated[str | None, typer.Option(help="Code such as en; told from the text if not given.")] = None,
    max_s: Annotated[float | None, typer.Option(help="Longest speech, in seconds.")] = None,
    ref_text: Annotated[str | None, typer.Option(help="What the reference says: continue it.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    codec: Annotated[str | None, typer.Option(help="Another decoder of the same codes, such as vocos.")] = None,
    codec_weights: Annotated[Path | None, typer.Option(help="The codec's weights.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Speak a text in the voice of a recording."""
    from model.inference import Synthesizer
    from model.samplers import Sampling
    from stages.audio import write_wav

    sampling = Sampling(temperature, top_k, top_p)
    voice = Synthesizer.load(model, device, codec=codec, codec_weights=codec_weights)
    speech = voice.speak(
        text, prompt=reference, prompt_text=ref_text, language=language, seed=seed, max_s=max_s, ar=sampling
    )
    write_wav(out, speech.samples, speech.sample_rate)
    if speech.unseen and not quiet:
        typer.echo(f"note: the model was never taught {' '.join(speech.unseen)} and guesses at it", err=True)
    if speech.cut and not quiet:
        typer.echo(f"note: cut after {speech.duration_s:.2f} s: the model hadn't ended; raise --max-s", err=True)
    about: dict[str, float | int | str] = {
        "out": str(out),
        "seconds": round(speech.duration_s, 3),
        "language": speech.language,
        "phonemes": speech.phonemes,
        "compute_s": round(speech.compute_s, 3),
        "model": str(voice.checkpoint.folder),
    }
    if as_json or not quiet:
        _show(about, as_json)


class Bench(StrEnum):
    """What can be measured."""

    TRAIN = "train"
    DECODE = "decode"


@app.command()
def bench(
    what: Annotated[Bench, typer.Argument(help="train: packed against padded; decode: cached against uncached.")],
    *,
    config: Annotated[Path, typer.Option(help="Whose model and batch to measure.")] = Path("configs/peer52m.yaml"),
    sets: Sets = None,
    seconds: Annotated[float, typer.Option(help="How long each side is measured.")] = 20.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Json = False,
) -> None:
    """Measure training or decoding beside a baseline of the same network in the same run."""
    from model import bench as benches
    from model.config import TrainConfig
    from stages.config import load_config

    settings = load_config(TrainConfig, config, sets or [])
    measure = {Bench.TRAIN: benches.training, Bench.DECODE: benches.decoding}[what]
    _show(measure(settings, device=device, seconds=seconds), as_json)


def _show(values: dict[str, float | int | str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
        return
    width = max(map(len, values))
    for name, value in values.items():
        typer.echo(f"{name:<{width}}  {value:,}" if isinstance(value, int | float) else f"{name:<{width}}  {value}")


def main() -> None:
    """Runs the command line; ends the process with its exit code."""
    sys.exit(run_app(app))
