"""`valle`: trains a model on a dataset that `valle-prep` made, and speaks with it.

Nothing heavy is imported here: each command loads what it needs when it runs.
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.bench.table import BENCHES, What
from model.options import (
    CodecWeights,
    ConfigOptions,
    DecodingOptions,
    GivenOptions,
    Json,
    JudgeOptions,
    ModelOptions,
    OutputOptions,
    SpeechOptions,
    TrialOptions,
    VoiceOptions,
    with_options,
)
from model.sequences.tasks import TRANSFORMS, Transform
from stages.errors import run_app

if TYPE_CHECKING:
    from model.inference.synthesizer import Speech

app = typer.Typer(
    help="Trains a codec language model on a dataset that valle-prep made, and speaks with it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
@with_options
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/small.yaml.")],
    *,
    over: ConfigOptions,
    resume: Annotated[bool, typer.Option("--resume", help="Continue although the configuration has changed.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Refuse to continue an earlier run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show sizes, steps and memory; train nothing.")] = False,
    output: OutputOptions,
) -> None:
    """Train a model; started again in the same trainer.out, go on where it stopped."""
    from stages.store.reader import open_store

    settings = over.load(config)
    store = open_store(settings.data.store)
    if dry_run:
        from model.training.plan import describe

        _show(describe(settings, store), output.as_json)
        return
    from model.training.run.lock import is_first_process
    from model.training.trainer import train as run

    folder = run(settings, store, fresh=fresh, resume=resume, quiet=output.quiet)
    if not is_first_process():
        return
    if output.as_json:
        _show({"checkpoint": str(folder)}, output.as_json)
    elif not output.quiet:
        typer.echo(f"{folder}\nNext: valle synth TEXT REFERENCE.wav OUT.wav --model {settings.trainer.out}")


@app.command()
@with_options
def synth(
    text: Annotated[str, typer.Argument(help="What to say.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="A recording of the voice, 3 s or more.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    voice: VoiceOptions,
    how: DecodingOptions,
    asked: SpeechOptions,
    ref_text: Annotated[str | None, typer.Option(help="What the reference says; the speech then continues it.")] = None,
    output: OutputOptions,
) -> None:
    """Speak a text in the voice of a recording."""
    synthesizer = voice.load()
    speech = synthesizer.speak(
        text,
        prompt=reference,
        prompt_text=ref_text,
        language=asked.language,
        tone=asked.tone,
        seed=asked.seed,
        max_s=asked.max_s,
        decoding=how.decoding,
    )
    _write(speech, out, synthesizer.checkpoint.folder, output)


_TASKS = "; ".join(f"{name}: {spec.help}" for name, spec in TRANSFORMS.items())


@app.command()
@with_options
def transform(
    task: Annotated[Transform, typer.Argument(help=f"{_TASKS}.")],
    audio: Annotated[Path, typer.Argument(metavar="INPUT", help="A recording.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    voice: VoiceOptions,
    given: GivenOptions,
    how: DecodingOptions,
    asked: SpeechOptions,
    output: OutputOptions,
) -> None:
    """Make speech from speech: without noise, one speaker of two, edited, or in another voice."""
    from model.inference.requests import parse_stretch

    replace_s = parse_stretch(given.replace) if given.replace else None
    synthesizer = voice.load()
    speech = synthesizer.transform(
        task,
        audio,
        text=given.text,
        prompt=given.prompt,
        replace_s=replace_s,
        language=asked.language,
        tone=asked.tone,
        seed=asked.seed,
        max_s=asked.max_s,
        decoding=how.decoding,
    )
    _write(speech, out, synthesizer.checkpoint.folder, output)


def _write(speech: "Speech", out: Path, model: Path, output: OutputOptions) -> None:
    """Writes a WAV file, and says what came of it."""
    from stages.audio.files import write_wav

    write_wav(out, speech.samples, speech.sample_rate)
    if speech.unseen and not output.quiet:
        typer.echo(f"note: the model was never taught {' '.join(speech.unseen)} and guesses at it", err=True)
    if speech.cut and not output.quiet:
        typer.echo(f"note: cut after {speech.duration_s:.2f} s: the model hadn't ended; raise --max-s", err=True)
    about: dict[str, float | int | str] = {
        "out": str(out),
        "seconds": round(speech.duration_s, 3),
        "language": speech.language,
        "phonemes": speech.phonemes,
        "compute_s": round(speech.compute_s, 3),
        "model": str(model),
    }
    if output.as_json or not output.quiet:
        _show(about, output.as_json)


@app.command()
@with_options
def transcribe(
    audio: Annotated[Path, typer.Argument(help="A recording of speech.")],
    *,
    chosen: ModelOptions,
    language: Annotated[str | None, typer.Option(help="Code such as en; recognised too if not given.")] = None,
    codec_weights: CodecWeights = None,
    as_json: Json = False,
) -> None:
    """Show the phonemes of what is said in a recording."""
    from model.inference.synthesizer import Synthesizer

    listener = Synthesizer.load(chosen.model, chosen.device, codec_weights=codec_weights)
    heard = listener.hear(audio, language=language)
    _show({"language": heard.language, "phonemes": heard.phonemes, "ended": heard.ended}, as_json)


@app.command("eval")
@with_options
def evaluate(
    *,
    listed: TrialOptions,
    chosen: ModelOptions,
    scored: JudgeOptions,
    how: DecodingOptions,
    seed: Annotated[int, typer.Option(help="Seed of prompts, speech and intervals.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the waves and rows.jsonl; the same command continues there.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what an earlier evaluation left in OUT.")] = False,
    output: OutputOptions,
) -> None:
    """Score a model by a published protocol, beside real speech and the codec alone."""
    from model.evaluation import evaluate as evaluation
    from model.inference.synthesizer import Synthesizer

    trials = listed.read(seed)
    judges = scored.load(chosen.device)
    report = evaluation.evaluate(
        Synthesizer.load(chosen.model, chosen.device),
        listed.protocol,
        trials,
        judges,
        decoding=how.decoding,
        seed=seed,
        out=out,
        fresh=fresh,
        quiet=output.quiet or output.as_json,
    )
    typer.echo(json.dumps(report, ensure_ascii=False) if output.as_json else evaluation.table(report))


class Format(StrEnum):
    """What a model can be exported to."""

    SAFETENSORS = "safetensors"
    HF = "hf"


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A run's folder, a checkpoint, or what was exported.")],
    out: Annotated[Path, typer.Argument(help="The file (safetensors) or folder (hf) to write.")],
    *,
    form: Annotated[
        Format, typer.Option("--format", help="safetensors: one file that speaks; hf: Llama for transformers.")
    ] = Format.SAFETENSORS,
    as_json: Json = False,
) -> None:
    """Write a model as one file, or as a folder that transformers opens as Llama; or either back."""
    from model.checkpoints.export import export as write

    written = write(model, out, form.value)
    numbers = {"step": written.meta.step, "parameters": written.num_parameters}
    _show({"out": str(out), "format": form.value, **numbers}, as_json)


_BENCHES = "; ".join(f"{name}: {row.help}" for name, row in BENCHES.items())


@app.command()
@with_options
def bench(
    what: Annotated[What, typer.Argument(help=f"{_BENCHES}.")],
    *,
    config: Annotated[Path, typer.Option(help="The configuration whose model, batch and steps are measured.")] = Path(
        "configs/peer52m.yaml"
    ),
    over: ConfigOptions,
    seconds: Annotated[float, typer.Option(help="How long each side is measured.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Measure training, decoding or loading beside a baseline in the same run."""
    _show(BENCHES[what].measure(over.load(config), seconds), as_json)


def _show(values: dict[str, float | int | str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
        return
    width = max(map(len, values))
    for name, value in values.items():
        typer.echo(f"{name:<{width}}  {_in_words(value)}")


def _in_words(value: float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:,}"


def main() -> None:
    """Runs the command line; ends the process with its exit code."""
    from model.training.run.lock import is_first_process

    sys.exit(run_app(app, alone=is_first_process(), interrupted="interrupted: run the same command again."))
