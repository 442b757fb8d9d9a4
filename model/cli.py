"""The command line `valle`: trains a model on a dataset of `valle-prep`, and speaks with it.

Nothing heavy is imported at the top: each command imports what it needs.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.bench.table import BENCHES, What
from model.export_options import ExportOptions
from model.lines import show
from model.option_groups import with_options
from model.options import (
    CodecWeights,
    ConfigOptions,
    DecodingOptions,
    GuardOptions,
    Json,
    JudgeOptions,
    ModelOptions,
    OutputOptions,
    PromptOptions,
    ServeOptions,
    SpeechOptions,
    TaskOptions,
    TrialOptions,
    VoiceOptions,
)
from model.sequences.tasks import TRANSFORMS, Transform
from model.text_commands import phonemize, transcribe
from stages.errors import ExitCode, UsageError, ValleError, run_program

if TYPE_CHECKING:
    from model.inference.lists import Order
    from model.inference.speech import Speech
    from model.inference.synthesizer import Synthesizer

app = typer.Typer(
    help="Train a codec language model on a dataset of valle-prep, and speak with it.",
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
    overrides: ConfigOptions,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue even if the configuration or dataset changed.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Fail if trainer.out already has a checkpoint.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show sizes, steps and memory; don't train.")] = False,
    output: OutputOptions,
) -> None:
    """Train a model. Run again with the same trainer.out, it continues where it stopped."""
    from stages.store.reader import open_store

    settings = overrides.load(config)
    store = open_store(settings.data.store)
    if dry_run:
        from model.training.plan import describe

        show(describe(settings, store), output.as_json)
        return
    from model.training.run.lock import is_first_process
    from model.training.trainer import train as run

    folder = run(settings, store, fresh=fresh, resume=resume, quiet=output.quiet)
    if not is_first_process():
        return
    if output.as_json:
        show({"checkpoint": str(folder)}, output.as_json)
    elif not output.quiet:
        typer.echo(f"{folder}\nNext: valle synth TEXT REFERENCE.wav OUT.wav --model {settings.trainer.out}")


@app.command()
@with_options
def synth(
    text: Annotated[
        str,
        typer.Argument(help="What to say, of any length; - reads it from standard input; @FILE is a list of texts."),
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[REF] OUT",
            help="A recording of the voice, 3 s or longer, and the WAV file to write; - is standard output. For a list:"
            " OUT is a folder, and - as REF means that each line names its own voice.",
        ),
    ],
    *,
    voice_options: VoiceOptions,
    prompt_options: PromptOptions,
    decoding_options: DecodingOptions,
    guard_options: GuardOptions,
    speech_options: SpeechOptions,
    output: OutputOptions,
) -> None:
    """Speak a text, or a list of texts, in the voice of a recording or in a kept one."""
    from model.inference.lists import LIST, STANDARD, check_orders, read_orders, read_text
    from model.inference.requests import Request

    is_list = text.startswith(LIST)
    reference, out = prompt_options.places(paths, is_list=is_list)
    if str(out) == STANDARD and not is_list and (output.as_json or sys.stdout.isatty()):
        raise UsageError("With `-` as `OUT` the WAV goes to standard output: leave out `--json`, and use a pipe.")
    request = Request(
        "" if is_list else read_text(text),
        language=speech_options.language,
        tone=speech_options.tone,
        seed=speech_options.seed,
        max_s=speech_options.max_s,
        decoding=decoding_options.decoding,
        guard=guard_options.guard(),
    )
    kept = prompt_options.kept_voice(reference, is_list=is_list)
    synthesizer = voice_options.load()
    request = prompt_options.asked(request, synthesizer, reference, kept)
    if is_list:
        orders = read_orders(Path(text.removeprefix(LIST)), out, request, voices=prompt_options.voices)
        prompt_options.check_own([order.request for order in orders], request)
        check_orders(synthesizer, orders)
        _speak_list(synthesizer, orders, output)
        return
    (speech,) = synthesizer.batch([request])
    _write(speech, out, synthesizer.checkpoint.folder, output, limited=request.max_s is not None)


def _speak_list(synthesizer: "Synthesizer", orders: "list[Order]", output: OutputOptions) -> None:
    """Speaks a list of texts, writes each file when it is done, and exits with 3 if some couldn't be spoken."""
    from model.inference.lists import speak_orders
    from model.inference.notes import about
    from stages.audio.files import write_wav

    failed = 0
    for count, (order, speech) in enumerate(speak_orders(synthesizer, orders), start=1):
        if isinstance(speech, ValleError):
            failed += 1
            typer.echo(f"{order.line}: {speech}", err=True)
            told: dict[str, Any] = {"out": str(order.out), "error": str(speech)}
        else:
            write_wav(order.out, speech.samples, speech.sample_rate)
            told = about(speech, order.out, synthesizer.checkpoint.folder)
            _tell_notes(speech, output, limited=order.request.max_s is not None, where=f"{order.line}: ")
        if output.as_json:
            show({"line": order.line, **told}, as_json=True)
        elif not output.quiet and not isinstance(speech, ValleError):
            typer.echo(f"{count}/{len(orders)}  {order.out}  {speech.duration_s:.2f} s")
    if failed:
        typer.echo(f"{failed} of {len(orders)} texts couldn't be spoken.", err=True)
        raise typer.Exit(ExitCode.SOME_REJECTED)


@app.command("voice")
@with_options
def keep_voice(
    references: Annotated[list[Path], typer.Argument(metavar="REF...", help="Recordings of one voice.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The file to write.")],
    *,
    model_options: ModelOptions,
    codec_weights: CodecWeights = None,
    ref_text: Annotated[
        list[str] | None, typer.Option(help="What each REF says, in their order; speech then continues it.")
    ] = None,
    input_prompt_length: Annotated[
        float | None, typer.Option(help="Repeat or cut the prompt to so many seconds.")
    ] = None,
    output: OutputOptions,
) -> None:
    """Keep a voice in a file, for --voice."""
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import SUFFIX, about

    if out.suffix != SUFFIX:
        raise UsageError(f"OUT must end in `{SUFFIX}`, but is `{out}`: `valle voice REF... OUT{SUFFIX} --model DIR`.")
    synthesizer = Synthesizer.load(model_options.model, model_options.device, codec_weights=codec_weights)
    voice = synthesizer.voice(references, ref_text, length_s=input_prompt_length)
    voice.save(out)
    for note in () if output.quiet else voice.notes:
        typer.echo(f"note: {note}", err=True)
    if output.as_json or not output.quiet:
        show({"out": str(out), **about(voice)}, output.as_json)


_TASKS = "; ".join(f"{name}: {spec.help}" for name, spec in TRANSFORMS.items())


@app.command()
@with_options
def transform(
    task: Annotated[Transform, typer.Argument(help=f"{_TASKS}.")],
    audio: Annotated[Path, typer.Argument(metavar="INPUT", help="A recording.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    voice_options: VoiceOptions,
    task_options: TaskOptions,
    decoding_options: DecodingOptions,
    speech_options: SpeechOptions,
    output: OutputOptions,
) -> None:
    """Turn speech into other speech: without noise, one speaker of two, edited, or in another voice."""
    from model.inference.requests import parse_stretch

    replace_s = parse_stretch(task_options.replace) if task_options.replace else None
    kept = task_options.kept()
    if kept and task_options.prompt:
        raise UsageError("`--voice` takes the place of `--prompt`: give one of them.")
    synthesizer = voice_options.load()
    speech = synthesizer.transform(
        task,
        audio,
        text=task_options.text,
        prompt=kept or task_options.prompt,
        replace_s=replace_s,
        language=speech_options.language,
        tone=speech_options.tone,
        seed=speech_options.seed,
        max_s=speech_options.max_s,
        decoding=decoding_options.decoding,
    )
    _write(speech, out, synthesizer.checkpoint.folder, output, limited=True)


def _write(speech: "Speech", out: Path, model: Path, output: OutputOptions, *, limited: bool) -> None:
    """Writes a WAV file or standard output, and prints notes and a summary."""
    from model.inference.lists import STANDARD
    from model.inference.notes import about
    from stages.audio.files import wav_of, write_wav

    _tell_notes(speech, output, limited=limited)
    if str(out) == STANDARD:
        sys.stdout.buffer.write(wav_of(speech.samples, speech.sample_rate))
        sys.stdout.buffer.flush()
        return
    write_wav(out, speech.samples, speech.sample_rate)
    if output.as_json or not output.quiet:
        show(about(speech, out, model), output.as_json)


def _tell_notes(speech: "Speech", output: OutputOptions, *, limited: bool, where: str = "") -> None:
    from model.inference.notes import notes

    for note in () if output.quiet else notes(speech, limited=limited):
        typer.echo(f"{where}note: {note}", err=True)


app.command()(transcribe)
app.command()(phonemize)


@app.command()
@with_options
def serve(
    *,
    voice_options: VoiceOptions,
    serve_options: ServeOptions,
    decoding_options: DecodingOptions,
    guard_options: GuardOptions,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log errors only.")] = False,
) -> None:
    """Serve a model over HTTP, for clients of OpenAI's speech interface."""
    from model.serving.server import Served, check_packages
    from model.serving.server import serve as run

    check_packages()
    settings = serve_options.settings(voice_options.model, decoding_options.decoding, guard_options.guard())
    run(voice_options.load(), settings, served=Served(log_level="error" if quiet else "info"), ready=typer.echo)


@app.command()
@with_options
def ui(
    *,
    voice_options: VoiceOptions,
    serve_options: ServeOptions,
    decoding_options: DecodingOptions,
    guard_options: GuardOptions,
    runs: Annotated[
        Path | None, typer.Option(help="A training run to show, or a folder of them; by default that of --model.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log errors only.")] = False,
) -> None:
    """Show a page to speak with a model in a browser, and to watch training; it answers as serve does, too."""
    from model.serving.page.serve import serve_page
    from model.serving.server import check_packages

    check_packages(page=True)
    settings = serve_options.settings(voice_options.model, decoding_options.decoding, guard_options.guard())
    serve_page(voice_options.load(), settings, runs=runs, quiet=quiet, ready=typer.echo)


@app.command("eval")
@with_options
def evaluate(
    *,
    trial_options: TrialOptions,
    voice_options: VoiceOptions,
    judge_options: JudgeOptions,
    decoding_options: DecodingOptions,
    seed: Annotated[int, typer.Option(help="Seed of prompts, speech and intervals.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for waves and rows.jsonl; the same command continues there.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier evaluation from --out first.")] = False,
    output: OutputOptions,
) -> None:
    """Score a model by a published protocol, beside the recordings and the codec's resynthesis."""
    from model.evaluation import evaluate as evaluation

    trials = trial_options.read(seed)
    judges = judge_options.load(voice_options.device)
    report = evaluation.evaluate(
        voice_options.load(),
        trial_options.protocol,
        trials,
        judges,
        decoding=decoding_options.decoding,
        seed=seed,
        out=out,
        fresh=fresh,
        quiet=output.quiet or output.as_json,
    )
    typer.echo(json.dumps(report, ensure_ascii=False) if output.as_json else evaluation.table(report))


@app.command()
@with_options
def export(
    model: Annotated[Path, typer.Argument(help="A run's folder, a checkpoint, or an export.")],
    out: Annotated[Path, typer.Argument(help="The file (safetensors, gguf) or folder (hf, onnx) to write.")],
    *,
    export_options: ExportOptions,
    as_json: Json = False,
) -> None:
    """Convert a model to one file, or for transformers, llama.cpp or onnxruntime; or back. Upload it, if asked to."""
    show(export_options.write(model, out), as_json)


_BENCHES = "; ".join(f"{name}: {row.help}" for name, row in BENCHES.items())


@app.command()
@with_options
def bench(
    what: Annotated[What, typer.Argument(help=f"{_BENCHES}.")],
    *,
    config: Annotated[Path, typer.Option(help="Configuration of the model, batches and steps measured.")] = Path(
        "configs/peer52m.yaml"
    ),
    overrides: ConfigOptions,
    seconds: Annotated[float, typer.Option(help="Seconds of measuring per side.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Measure training, decoding, loading or serving against a baseline in the same run."""
    show(BENCHES[what].measure(overrides.load(config), seconds), as_json)


def main() -> None:
    """Runs the command line, and exits with its code."""
    from model.training.run.lock import is_first_process

    run_program(app, alone=is_first_process(), interrupted="interrupted: run the same command again.")
