"""`valle`: trains a model on a dataset that `valle-prep` made, and speaks with it.

Nothing heavy is imported here: each command loads what it needs when it runs.
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.console import run_app

if TYPE_CHECKING:
    from model.decoding import Decoding
    from model.inference import Speech

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
ModelPath = Annotated[Path, typer.Option(help="A run's folder, a checkpoint or an exported file.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same speech.")]
Language = Annotated[str | None, typer.Option(help="Code such as en; told from the text if not given.")]
Tone = Annotated[str | None, typer.Option(help="A group of the training set, as one of whom to speak.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
TrainingDevice = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N (trainer.device).")]
OtherCodec = Annotated[str | None, typer.Option(help="Another decoder of the same codes, such as vocos.")]
CodecWeights = Annotated[Path | None, typer.Option(help="The codec's weights.")]


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/small.yaml.")],
    *,
    sets: Sets = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on though the configuration has changed.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Refuse to go on with an earlier run.")] = False,
    device: TrainingDevice = None,
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
    from model.lock import is_first_process
    from model.trainer import train as run

    folder = run(settings, store, fresh=fresh, resume=resume, quiet=quiet)
    if not is_first_process():
        return
    if as_json:
        _show({"checkpoint": str(folder)}, as_json)
    elif not quiet:
        typer.echo(f"{folder}\nNext: valle synth TEXT REFERENCE.wav OUT.wav --model {settings.trainer.out}")


class Mode(StrEnum):
    """How codebook 0 is made; the values of `model.decoding.FirstMode`."""

    AR = "ar"
    NAR_LEN = "nar-len"


ModeOption = Annotated[Mode, typer.Option(help="ar: frame by frame; nar-len: its length, then all at once.")]
Steps = Annotated[int, typer.Option(help="With nar-len: passes of the network.")]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="How strictly what is given holds, for models of data.unconditional_probability > 0; 1 is off, as is"
        " ar's default; nar-len's is 2.5."
    ),
]
Temperature = Annotated[float, typer.Option(help="0 is greedy, 1 the model's own spread.")]
TopK = Annotated[int, typer.Option(help="Only the k likeliest codes; 0 for all.")]
TopP = Annotated[float, typer.Option(help="Only the likeliest codes of this probability.")]


def _decoding(mode: Mode, sampling: tuple[float, int, float], steps: int, guidance: float | None) -> "Decoding":
    """Returns what the options ask for; `sampling` is temperature, top-k and top-p."""
    from model.decoding import Decoding
    from model.masked import Unmasking
    from model.samplers import Sampling

    drawn = Sampling(*sampling)
    return Decoding(mode.value, drawn, Unmasking(steps, sampling=drawn), guidance=guidance)


@app.command()
def synth(
    text: Annotated[str, typer.Argument(help="What to say.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="A recording of the voice, 3 s or more.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    model: ModelPath,
    mode: ModeOption = Mode.AR,
    steps: Steps = 25,
    guidance: Guidance = None,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    seed: Seed = 0,
    language: Language = None,
    tone: Tone = None,
    max_s: Annotated[float | None, typer.Option(help="Longest speech, in seconds.")] = None,
    ref_text: Annotated[str | None, typer.Option(help="What the reference says: continue it.")] = None,
    device: Device = "auto",
    codec: OtherCodec = None,
    codec_weights: CodecWeights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Speak a text in the voice of a recording."""
    from model.inference import Synthesizer

    decoding = _decoding(mode, (temperature, top_k, top_p), steps, guidance)
    voice = Synthesizer.load(model, device, codec=codec, codec_weights=codec_weights)
    speech = voice.speak(
        text,
        prompt=reference,
        prompt_text=ref_text,
        language=language,
        tone=tone,
        seed=seed,
        max_s=max_s,
        decoding=decoding,
    )
    _write(speech, out, voice.checkpoint.folder, as_json=as_json, quiet=quiet)


class Task(StrEnum):
    """What can be made of speech; the keys of `model.tasks.TRANSFORMS`."""

    NS = "ns"
    SR = "sr"
    TSE = "tse"
    CSE = "cse"
    NSE = "nse"
    VC = "vc"


@app.command()
def transform(
    task: Annotated[
        Task,
        typer.Argument(
            help="ns: take the noise away; sr: the speech; tse: all but one speaker; cse, nse: replace a part of"
            " clean or noisy speech; vc: change the voice."
        ),
    ],
    audio: Annotated[Path, typer.Argument(metavar="INPUT", help="A recording.")],
    out: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    *,
    model: ModelPath,
    text: Annotated[str | None, typer.Option(help="All that is said in OUT; needed for cse and nse.")] = None,
    prompt: Annotated[Path | None, typer.Option(metavar="REF", help="With tse and vc: the voice.")] = None,
    replace: Annotated[
        str | None, typer.Option(metavar="START-END", help="With cse and nse: what to replace, in seconds: 1.2-1.8.")
    ] = None,
    mode: ModeOption = Mode.AR,
    steps: Steps = 25,
    guidance: Guidance = None,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    seed: Seed = 0,
    language: Language = None,
    tone: Tone = None,
    max_s: Annotated[float | None, typer.Option(help="Longest input and output, in seconds.")] = None,
    device: Device = "auto",
    codec: OtherCodec = None,
    codec_weights: CodecWeights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make speech of speech: without noise, of one speaker of two, edited, in another voice."""
    from model.inference import Synthesizer
    from model.transform import parse_stretch

    decoding = _decoding(mode, (temperature, top_k, top_p), steps, guidance)
    replace_s = parse_stretch(replace) if replace else None
    voice = Synthesizer.load(model, device, codec=codec, codec_weights=codec_weights)
    speech = voice.transform(
        task.value,
        audio,
        text=text,
        prompt=prompt,
        replace_s=replace_s,
        language=language,
        tone=tone,
        seed=seed,
        max_s=max_s,
        decoding=decoding,
    )
    _write(speech, out, voice.checkpoint.folder, as_json=as_json, quiet=quiet)


def _write(speech: "Speech", out: Path, model: Path, *, as_json: bool, quiet: bool) -> None:
    """Writes a WAV file, and says what came of it."""
    from stages.audio import write_wav

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
        "model": str(model),
    }
    if as_json or not quiet:
        _show(about, as_json)


@app.command()
def transcribe(
    audio: Annotated[Path, typer.Argument(help="A recording of speech.")],
    *,
    model: ModelPath,
    language: Annotated[str | None, typer.Option(help="Code such as en; heard too if not given.")] = None,
    device: Device = "auto",
    codec_weights: CodecWeights = None,
    as_json: Json = False,
) -> None:
    """Show the phonemes of what is said in a recording."""
    from model.inference import Synthesizer

    heard = Synthesizer.load(model, device, codec_weights=codec_weights).hear(audio, language=language)
    _show({"language": heard.language, "phonemes": heard.phonemes, "ended": heard.ended}, as_json)


@app.command("eval")
def evaluate(
    *,
    listed: Annotated[Path, typer.Option("--list", help="What to say, in the format of the protocol's authors.")],
    protocol: Annotated[str, typer.Option(help="ls-valle, ls-valle-continual, ls-pc or seed-tts.")],
    model: ModelPath,
    root: Annotated[
        Path | None, typer.Option(help="Where the list's recordings lie; its own folder if not given.")
    ] = None,
    asr: Annotated[str, typer.Option(help="A whisper: folder or name in the cache; none.")] = "large-v3",
    speaker: Annotated[
        str, typer.Option(help="A WavLM for speaker verification: its path; resemblyzer; none.")
    ] = "none",
    dnsmos: Annotated[Path | None, typer.Option(help="DNSMOS P.835's sig_bak_ovr.onnx.")] = None,
    limit: Annotated[int | None, typer.Option(help="So many utterances, spread over the list.")] = None,
    mode: ModeOption = Mode.AR,
    steps: Steps = 25,
    guidance: Guidance = None,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    seed: Annotated[int, typer.Option(help="Of prompts, speech and intervals.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder for the waves and rows.jsonl.")] = None,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a model by a published protocol, beside real speech and the codec alone."""
    from model import evaluate as evaluation
    from model.inference import Synthesizer
    from model.judges import load_judges
    from model.protocols import read_trials

    decoding = _decoding(mode, (temperature, top_k, top_p), steps, guidance)
    trials = read_trials(protocol, listed, root=root, limit=limit, seed=seed)
    judges = load_judges(asr=asr, speaker=speaker, dnsmos=dnsmos, device=device)
    voice = Synthesizer.load(model, device)
    report = evaluation.evaluate(
        voice, protocol, trials, judges, decoding=decoding, seed=seed, out=out, quiet=quiet or as_json
    )
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else evaluation.table(report))


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
    from model.export import export as write

    written = write(model, out, form.value)
    numbers = {"step": written.meta.step, "parameters": written.num_parameters}
    _show({"out": str(out), "format": form.value, **numbers}, as_json)


class Bench(StrEnum):
    """What can be measured."""

    TRAIN = "train"
    DECODE = "decode"
    LOAD = "load"


@app.command()
def bench(
    what: Annotated[
        Bench, typer.Argument(help="train: packed against padded; decode: cached against uncached; load: the data.")
    ],
    *,
    config: Annotated[Path, typer.Option(help="Whose model, batch and steps.")] = Path("configs/peer52m.yaml"),
    sets: Sets = None,
    seconds: Annotated[float, typer.Option(help="How long each side is measured.")] = 20.0,
    device: TrainingDevice = None,
    as_json: Json = False,
) -> None:
    """Measure training, decoding or loading beside a baseline in the same run."""
    from model import bench as benches
    from model.bench_loader import loading
    from model.config import TrainConfig
    from stages.config import load_config

    settings = load_config(TrainConfig, config, [*(sets or []), *([f"trainer.device={device}"] if device else [])])
    measure = {Bench.TRAIN: benches.training, Bench.DECODE: benches.decoding, Bench.LOAD: loading}[what]
    _show(measure(settings, seconds=seconds), as_json)


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
    from model.lock import is_first_process

    sys.exit(run_app(app, alone=is_first_process()))
